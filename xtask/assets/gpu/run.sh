#!/usr/bin/env bash
# Tests on the GPU of this machine, then the benchmark: run.sh [--quick] [--no-peers] [--tests]
#
# It needs a driver and NVRTC; for the comparison python3 with PyTorch and NumPy. Results go to $OUT, or to `out` beside this file. It
# fails where a test fails, and takes about six minutes; `--quick` takes two, `--no-peers` leaves PyTorch out, `--tests` the benchmark.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${OUT:=$here/out}"
OUT=$(cd "$OUT" && pwd)
quick='' peers=1 bench=1
for argument; do
  case $argument in
    --quick) quick=--quick ;;
    --no-peers) peers='' ;;
    --tests) bench='' ;;
    *) echo "run.sh: unknown argument \`$argument\`" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work XDNN_CUDA_CACHE=$work/kernels XDNN_TEST_GPU=1 PROPTEST_RNG_SEED=1
export INSTA_WORKSPACE_ROOT=$here INSTA_UPDATE=no
python=$(command -v "${XDNN_PEERS_PYTHON:-python3}") || python=''

# NVRTC, where the loader does not know it: in a folder of its own, so that no other library of CUDA changes for anyone.
if [ -z "$(ldconfig -p 2>/dev/null | grep 'libnvrtc\.so')" ]; then
  packages=''
  [ "$python" ] && packages=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
  for folder in ${LD_LIBRARY_PATH:+${LD_LIBRARY_PATH//:/ }} ${CUDA_HOME:+$CUDA_HOME/lib64} /usr/local/cuda/lib64 \
    /usr/local/cuda-*/lib64 ${packages:+"$packages"/nvidia/*/lib}; do
    if compgen -G "$folder/libnvrtc.so.1*" >/dev/null; then
      mkdir -p "$work/nvrtc"
      ln -sf "$folder"/libnvrtc*.so* "$work/nvrtc/"
      break
    fi
  done
fi
# PyTorch has its own.
printf '#!/bin/sh\nexec env LD_LIBRARY_PATH=%q %q "$@"\n' "${LD_LIBRARY_PATH:-}" "$python" >"$work/python"
chmod +x "$work/python"
export XDNN_PEERS_PYTHON=$work/python
[ -d "$work/nvrtc" ] && export LD_LIBRARY_PATH=$work/nvrtc${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

failed=0
: >"$OUT/tests.txt"
test_of() { # NAME PROGRAM ARGUMENTS
  local name=$1 start=$SECONDS result=passed counts
  shift
  timeout 170 "$@" >"$OUT/$name.log" 2>&1 || result=failed
  [ "$result" = passed ] || failed=1
  counts=$(grep -aoE '[0-9]+ passed; [0-9]+ failed|passed=[0-9]+ failed=[0-9]+' "$OUT/$name.log" | tail -n 1)
  echo "$name $result ${counts:+($counts) }in $((SECONDS - start)) s" | tee -a "$OUT/tests.txt" >&2
}

tests() {
  cd "$here" || exit
  test_of kernels bin/xdnn_runtime backend::cuda::
  test_of goldens bin/goldens cuda::
  for program in bin/cuda_*; do
    [ -x "$program" ] && test_of "$(basename "$program")" "$program"
  done
  if [ -z "$quick" ] && [ -f onnx.zip ]; then
    test_of conformance bin/xtask conformance --gpu --archive onnx.zip
  fi
  return $failed
}

nvidia-smi >"$OUT/nvidia-smi.txt" 2>&1
if [ -z "$bench" ]; then
  tests
  exit
fi
if [ "$peers" ] && ! "$work/python" -c 'import numpy, torch; assert torch.cuda.is_available()' 2>"$OUT/pytorch.log"; then
  echo 'run.sh: no PyTorch with NumPy and a GPU, so there is nothing to compare with' >&2
  peers=''
fi
# The benchmark has PyTorch compile while the tests run, and measures when they end.
tests | timeout 560 "$here/bin/xtask" gpu-bench $quick --after-input ${peers:+--peers "$here/python"} \
  --commit "$(cat "$here/commit")" --output "$OUT" 2> >(tee "$OUT/bench.log" >&2)
status=("${PIPESTATUS[@]}")
exit $((status[0] != 0 || status[1] != 0))
