"""One peer of `cargo xtask bench-peers`: `peer.py PEER THREADS` answers commands, a line each.

- `prepare TASK BATCH FOLDER` reads a network (`network.json`, `weights.safetensors`), its inputs (`input.f32`) and targets
  (`target.f32`), does the work once, writes the results to `PEER.f32`, and answers `ready`, or `skip` and a reason.
- `run` answers the seconds of a run, the mean of as many as there are in 50 ms.
- `memory` answers the bytes that were in memory when the framework was loaded, and the most since.
- `peak` answers the most bytes that a run holds on the device.
- `precision` and `tf32` or `strict` say how exactly the device is to multiply from the next `prepare` on.
- `product` answers the most GFLOP/s that a product of square matrices reaches.
- `version` names the peer's version.

The tasks are `forward`, `attribute` (X-Gradient), `integrate` (Integrated Gradients) and `step` (of training with a prior).
"""

import os
import sys
import time

PEER, THREADS = sys.argv[1], int(sys.argv[2])
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
if PEER == "jax":  # which takes a thread for each processor that it may run on
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import numpy as np

from problem import Problem, Skip

LEAST = 0.05


def load():
    """The framework, which is imported here."""
    if PEER == "jax":
        from in_jax import Jax

        return Jax()
    if PEER == "onnxruntime":
        from in_onnxruntime import OnnxRuntime

        return OnnxRuntime(THREADS)
    if PEER.startswith("cuda"):
        from in_torch_cuda import TorchCuda

        return TorchCuda(THREADS, PEER)
    from in_torch import Captum, Torch

    return Captum(THREADS) if PEER == "captum" else Torch(THREADS, PEER.removeprefix("pytorch").removeprefix("-"))


def prepare(peer, folder, task, batch):
    work = peer.prepare(Problem(folder, batch), task)
    work.results().astype(np.float32).tofile(f"{folder}/{PEER}.f32")
    return work


def seconds(work):
    work.reset()
    start, runs = time.perf_counter(), 0
    while runs == 0 or time.perf_counter() - start < LEAST:
        work.run()
        runs += 1
    mean = (time.perf_counter() - start) / runs
    work.rest()
    return mean


def resident(which):
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(which))


def main():
    peer, work = load(), None
    start = resident("VmRSS")
    for line in sys.stdin:
        command, *arguments = line.strip().split(" ", 3)
        if command == "version":
            answer = peer.version
        elif command == "memory":
            answer = f"{start} {resident('VmHWM')}"
        elif command == "peak":
            answer = str(peer.peak(work))
        elif command == "precision":
            peer.precision(*arguments)
            answer = "ready"
        elif command == "product":
            answer = str(peer.product_rate())
        elif command == "prepare":
            task, batch, folder = arguments
            work = None
            try:
                work = prepare(peer, folder, task, int(batch))
                answer = "ready"
            except Skip as reason:
                answer = f"skip {reason}"
        else:
            answer = str(seconds(work))
        print(answer, flush=True)


main()
