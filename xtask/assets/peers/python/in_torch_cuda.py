"""PyTorch on a GPU: eager, under a CUDA graph, each with channels last as well, or compiled with autotuning.

Besides the tasks of the CPU there are `host`, which is `attribute` from the memory of the host and back to it, and `expected`, which is
`step` with Expected Gradients.
"""

import gc
import os
import signal
import time

import torch
from in_torch import Step, Torch
from problem import STEPS, Skip, Work

REFERENCES = 32  # of Expected Gradients
RESULTS = 8  # samples whose results are compared
WARM = 3  # runs before a graph is captured


class TorchCuda(Torch):
    version = f"PyTorch {torch.__version__} with CUDA {torch.version.cuda} and cuDNN {torch.backends.cudnn.version()}"
    device = "cuda"
    mode = "max-autotune"
    chunk = STEPS

    def __init__(self, threads, peer):
        """`cuda-eager`, `cuda-graph`, `cuda-eager-channels-last`, `cuda-graph-channels-last`, or `cuda-compile…`"""
        self.graph = peer.startswith("cuda-graph")
        compiled = peer.startswith("cuda-compile")
        super().__init__(threads, "compile" if compiled else "channels-last" if peer.endswith("channels-last") else "")
        torch.backends.cudnn.benchmark = True
        self.precision("tf32")

    @staticmethod
    def precision(name):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"

    def prepare(self, problem, task):
        self.release()
        if self.variant == "compile":
            in_time()
        try:
            work = self.prepared(problem, task)
        except Late:
            raise Skip("it was not compiled in time") from None
        except RuntimeError as error:  # memory, or what cannot be compiled
            first = (str(error).strip().splitlines() or [""])[0]
            raise Skip(f"{type(error).__name__}: {first}") from None
        finally:
            signal.alarm(0)
        return work

    def prepared(self, problem, task):
        work = super().prepare(problem, {"host": "attribute", "expected": "step"}.get(task, task))
        if task == "expected":
            work = Expected(work.forward, work.initial, work.x, work.y)
        if task in ("step", "expected"):
            return TrainingStep(work, self.graph)
        run = captured(work.run) if self.graph else work.run
        if task == "host":
            source = torch.from_numpy(problem.x)
            compute = run

            def run():
                self.x.copy_(source)
                return compute().cpu()

        first = Synchronized(run, lambda result: work.array(result)[:RESULTS])
        first.run()  # within the time that there is for compiling
        return first

    def release(self):
        self.x = None
        gc.collect()
        torch.cuda.empty_cache()

    @staticmethod
    def peak(work):
        """The most bytes that a run holds, with weights and inputs."""
        work.run()  # cuDNN has chosen, and tries no more
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        work.run()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()


class Synchronized(Work):
    """A run that ends when the device is done."""

    def __init__(self, run, array):
        def done():
            result = run()
            torch.cuda.synchronize()
            return result

        super().__init__(done, array)

    def reset(self):
        self.run()  # memory that it had given back

    def rest(self):
        torch.cuda.empty_cache()


class TrainingStep(Work):
    """Steps that go on from one run to the next, eager or as a graph."""

    def __init__(self, step, graph):
        self.first = step.results()
        run = captured(step.run) if graph else step.run
        super().__init__(Synchronized(run, None).run, None)
        self.run()

    def results(self):
        return self.first


class Expected(Step):
    """Expected Gradients in place of X-Gradients: Erion et al. (2021), with samples of the batch as references."""

    def gradients(self):
        count, x = len(self.x), self.x
        references = x[torch.randint(count, (REFERENCES, count), device=x.device)]
        portions = torch.rand(REFERENCES, count, 1, device=x.device)
        points = (references + portions * (x - references)).flatten(0, 1).requires_grad_()
        total = self.forward(points, self.weights).sum()
        (slope,) = torch.autograd.grad(total, points, create_graph=True)
        attribution = ((x - references) * slope.view_as(references)).mean(0)
        value = self.objective(self.forward(x, self.weights), attribution)
        self.adam.zero_grad()
        value.backward()
        return value


def captured(run):
    """The run as a CUDA graph."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()

    def replay():
        graph.replay()
        return result

    return replay


class Late(BaseException):
    """No `Exception`, which the compiler would catch where it tries variants."""


def in_time():
    """Raises `Late` at the second that the environment names."""

    def late(*_):
        raise Late

    until = os.environ.get("XDNN_PEERS_UNTIL")
    if until:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(max(1, int(float(until) - time.time())))
