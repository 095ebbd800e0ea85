"""PyTorch: eager, with channels last, or with channels last and compiled with frozen weights."""

import time

import numpy as np
import torch
from problem import LEARNING_RATE, PRIOR, STEPS, Work, interpret, size_of
from torch.nn import functional as f

OPS = {
    "Conv2d": lambda o, w, x: f.conv2d(x, w[0], None, o["stride"], o["padding"], o["dilation"], o["groups"]),
    "Linear": lambda o, w, x: f.linear(x, w[0]),
    "Relu": lambda o, w, x: f.relu(x),
    "MaxPool2d": lambda o, w, x: f.max_pool2d(x, o["kernel"], o["stride"], o["padding"], o["dilation"]),
    "AdaptiveAvgPool2d": lambda o, w, x: f.adaptive_avg_pool2d(x, size_of(o)),
    "GlobalAvgPool": lambda o, w, x: f.adaptive_avg_pool2d(x, 1),
    "Flatten": lambda o, w, x: x.flatten(1),
    "Dropout": lambda o, w, x: x,
    "sum": lambda o, w, a, b: a + b,
}


class Torch:
    version = f"PyTorch {torch.__version__}"
    device = "cpu"
    mode = None  # of `torch.compile`
    chunk = 8  # points of Integrated Gradients at a time

    def __init__(self, threads, variant):
        self.variant = variant
        torch.set_num_threads(threads)

    def prepare(self, problem, task):
        last = torch.channels_last if self.variant else torch.contiguous_format
        laid = lambda value: value.contiguous(memory_format=last) if value.ndim == 4 else value
        put = lambda value: laid(torch.from_numpy(value).to(self.device))
        weights = {name: put(value) for name, value in problem.weights.items()}
        # What is no parameter would not be frozen.
        weights = {name: torch.nn.Parameter(value, requires_grad=False) for name, value in weights.items()}
        x = self.x = put(problem.x)
        forward = lambda x, weights=weights: interpret(problem.network, weights, [x], OPS)
        if task == "step":
            return Step(forward, weights, x, put(problem.targets), self.compiled if self.variant == "compile" else None)
        if task == "forward":
            compute = self.compiled(forward) if self.variant == "compile" else forward

            def run():
                with torch.inference_mode():
                    return compute(x)
        elif task == "attribute":
            gradient = self.gradient(lambda x: largest(forward(x)))
            run = lambda: x * gradient(x)
        else:
            run = self.integrate(forward, x)
        return Work(run, lambda result: result.detach().cpu().contiguous().numpy())

    def gradient(self, function):
        """The gradient of the sum of what a function returns."""
        if self.variant == "compile":
            graph = self.compiled(torch.func.grad(lambda x: function(x).sum()))

            def gradient(x):
                with torch.no_grad():  # what is frozen are weights that need none
                    return graph(x)
        else:

            def gradient(x):
                x = x.detach().requires_grad_()
                return torch.autograd.grad(function(x).sum(), x)[0]

        return gradient

    def integrate(self, forward, x):
        target = predicted(forward, x)
        gradient = self.gradient(lambda x: forward(x)[:, target])
        points = ((torch.arange(STEPS, device=self.device) + 0.5) / STEPS).view(-1, 1, 1, 1)
        return lambda: x * sum(gradient(some * x).sum(0, keepdim=True) for some in points.split(self.chunk)) / STEPS

    def compiled(self, function):
        import torch._inductor.config as inductor

        torch._dynamo.reset()
        # It takes effect where no gradient is asked for.
        inductor.freezing = True
        return torch.compile(function, mode=self.mode)

    @staticmethod
    def product_rate():
        best = 0.0
        for size in (1024, 1536):
            a, out = torch.rand(size, size), torch.empty(size, size)
            for _ in range(12):
                start = time.perf_counter()
                torch.mm(a, a, out=out)
                best = max(best, 2e-9 * size**3 / (time.perf_counter() - start))
        return best


class Captum(Torch):
    """PyTorch, with Captum for Integrated Gradients."""

    def __init__(self, threads):
        import captum

        super().__init__(threads, "")
        self.version = f"Captum {captum.__version__}"

    def integrate(self, forward, x):
        from captum.attr import IntegratedGradients

        target, method = predicted(forward, x), IntegratedGradients(forward)
        return lambda: method.attribute(x, target=target, n_steps=STEPS, internal_batch_size=self.chunk)


def largest(outputs):
    return outputs.gather(1, outputs.detach().argmax(1, keepdim=True))


def predicted(forward, x):
    with torch.no_grad():
        return int(forward(x).argmax(1))


class Step(Work):
    """A step of Adam against the loss and the prior; compiled as far as PyTorch can, where it is told how."""

    def __init__(self, forward, weights, x, y, compiled=None):
        self.initial, self.x, self.y, self.forward = weights, x, y, forward
        gradients = self.compiled_gradients(compiled) if compiled else self.gradients
        self.gradients = gradients
        self.reset()

    def reset(self):
        self.weights = {name: value.detach().clone().requires_grad_() for name, value in self.initial.items()}
        # A CUDA graph needs the count of steps on the device.
        options = {"fused": True, "capturable": self.x.is_cuda}
        self.adam = torch.optim.Adam(self.weights.values(), LEARNING_RATE, **options)

    def objective(self, logits, attribution):
        loss = f.binary_cross_entropy_with_logits(logits[:, 0], self.y)
        return loss - PRIOR * gini(attribution.abs().mean(0))

    def gradients(self):
        x = self.x.detach().requires_grad_()
        logits = self.forward(x, self.weights)
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        value = self.objective(logits, self.x * slope)
        self.adam.zero_grad()
        value.backward()
        return value

    def compiled_gradients(self, compiled):
        def objective(weights):
            def total(x):
                logits = self.forward(x, weights)
                return logits.sum(), logits

            slope, logits = torch.func.grad(total, has_aux=True)(self.x)
            return self.objective(logits, self.x * slope)

        graph = compiled(torch.func.grad_and_value(objective))

        def gradients():
            found, value = graph({name: weight.detach() for name, weight in self.weights.items()})
            for name, weight in self.weights.items():
                weight.grad = found[name]
            return value

        return gradients

    def run(self):
        value = self.gradients()
        self.adam.step()
        return value.detach()

    def results(self):
        self.reset()
        first = self.run()
        gradients = [weight.grad.flatten().clone() for weight in self.weights.values()]
        second = self.run()
        return np.concatenate([[first.item(), second.item()], *(gradient.cpu().numpy() for gradient in gradients)])


def gini(importance):
    """`Σᵢⱼ|aᵢ − aⱼ| / (2·n·Σᵢaᵢ)`, by sorting."""
    n = len(importance)
    ranks = torch.arange(1 - n, n, 2, dtype=importance.dtype, device=importance.device)
    return (ranks * importance.sort()[0]).sum() / (n * importance.sum())
