"""JAX, compiled."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from problem import LEARNING_RATE, PRIOR, Skip, Work, interpret, size_of


def pairs(padding):
    return [(p, p) for p in padding]


def same_size(o, w, x):
    if tuple(x.shape[2:]) != size_of(o):
        raise Skip("adaptive pooling to another size")
    return x


OPS = {
    "Conv2d": lambda o, w, x: lax.conv_general_dilated(
        x, w[0], o["stride"], pairs(o["padding"]), None, o["dilation"], feature_group_count=o["groups"]
    ),
    "Linear": lambda o, w, x: x @ w[0].T,
    "Relu": lambda o, w, x: jax.nn.relu(x),
    "MaxPool2d": lambda o, w, x: lax.reduce_window(
        x, -jnp.inf, lax.max, (1, 1, *o["kernel"]), (1, 1, *(o["stride"] or o["kernel"])), pairs([0, 0, *o["padding"]])
    ),
    "AdaptiveAvgPool2d": same_size,
    "GlobalAvgPool": lambda o, w, x: x.mean((2, 3), keepdims=True),
    "Flatten": lambda o, w, x: x.reshape(x.shape[0], -1),
    "Dropout": lambda o, w, x: x,
    "sum": lambda o, w, a, b: a + b,
}


class Jax:
    version = f"JAX {jax.__version__}"

    def prepare(self, problem, task):
        weights = {name: jnp.asarray(value) for name, value in problem.weights.items()}
        x = jnp.asarray(problem.x)
        forward = lambda weights, x: interpret(problem.network, weights, [x], OPS)

        def attribute(weights, x):
            def chosen(x):
                outputs = forward(weights, x)
                picks = lax.stop_gradient(outputs).argmax(1)
                return jnp.take_along_axis(outputs, picks[:, None], 1).sum()

            return x * jax.grad(chosen)(x)

        if task == "step":
            return Step(forward, attribute, weights, x, jnp.asarray(problem.targets))
        if task not in ("forward", "attribute"):
            raise Skip("PyTorch does")
        compiled = jax.jit(forward if task == "forward" else attribute)
        return Work(lambda: compiled(weights, x).block_until_ready(), np.asarray)


class Step(Work):
    """A step of Adam against the loss and the prior, all of it compiled."""

    def __init__(self, forward, attribute, weights, x, y):
        def objective(weights):
            logits = forward(weights, x)[:, 0]
            loss = (jax.nn.softplus(logits) - y * logits).mean()
            importance = jnp.abs(attribute(weights, x)).mean(0)
            return loss - PRIOR * gini(importance)

        def adam(weights, gradients, first, second, step):
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
            scales = 1 - 0.9**step, 1 - 0.999**step

            def moved(w, m, v):
                return w - LEARNING_RATE * (m / scales[0]) / (jnp.sqrt(v / scales[1]) + 1e-8)

            return jax.tree.map(moved, weights, first, second), first, second

        def step(state):
            weights, first, second, count = state
            value, gradients = jax.value_and_grad(objective)(weights)
            return value, (*adam(weights, gradients, first, second, count + 1), count + 1)

        self.objective, self.weights = objective, weights
        self.step = jax.jit(step, donate_argnums=0)
        self.reset()

    def reset(self):
        zeros = lambda: jax.tree.map(jnp.zeros_like, self.weights)
        self.state = jax.tree.map(jnp.copy, self.weights), zeros(), zeros(), jnp.float32(0)

    def run(self):
        value, self.state = self.step(self.state)
        return value.block_until_ready()

    def results(self):
        values = [np.asarray(self.run()) for _ in range(2)]
        gradients = jax.grad(self.objective)(self.weights)
        return np.concatenate([values, *(np.asarray(gradients[name]).ravel() for name in self.weights)])


def gini(importance):
    """`Σᵢⱼ|aᵢ − aⱼ| / (2·n·Σᵢaᵢ)`, by sorting."""
    n = importance.shape[0]
    return ((2 * jnp.arange(1, n + 1) - n - 1) * jnp.sort(importance)).sum() / (n * importance.sum())
