"""Writes the golden files of training with an attribution prior: the loss, the Gini coefficient, and the gradients of both.

    python tests/goldens/priors.py

What it needs, and where networks come from: see README.md and generate.py.
"""

import numpy as np
import torch
import torch.nn.functional as F
from generate import ATTEMPTS, HERE, SINGLE, Net, gated, sequence
from safetensors.numpy import save_file

STRENGTH = 0.75
CLEAR = 1e-5  # distance from a kink, or between two elements that are ranked; see generate.py


class Training(Net):
    """Weights that gradients are asked for."""

    def start(self):
        super().start()
        self.leaves = {}

    def weight(self, path, shape, like, draw):
        drawn = super().weight(path, shape, like, draw)
        return self.leaves.setdefault(path, drawn.clone().requires_grad_())


def tabular(net, x):
    x = net.relu(net.linear("fc1", x, 16))
    x = net.leaky_relu(net.linear("fc2", x, 8), 0.1)
    return net.linear("head", x, 1)


def gini(v):
    return (v[:, None] - v[None, :]).abs().mean() / (2 * v.mean())


# function: degree, classes, batch, input
PRIORS = {
    tabular: (1, 2, 5, {"x": (12,)}),
    gated: (2, 5, 4, {"x": (16,)}),
    sequence: (1, 5, 3, {"signal": (3, 37)}),
}


def step(network, net, x, classes, degree):
    """The loss, the Gini coefficient, and the gradients of `loss - STRENGTH * gini`, by reverse mode twice."""
    net.start()
    x = x.detach().requires_grad_()
    logits = network(net, x)
    if logits.shape[1] == 1:
        loss = F.binary_cross_entropy_with_logits(logits[:, 0], classes.to(x.dtype))
        explained = logits.sum()
    else:
        loss = F.cross_entropy(logits, classes)
        explained = logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(explained, x, create_graph=True)
    attributions = x * gradient / degree
    net.near(attributions, attributions)
    v = attributions.abs().mean(0).flatten()
    ordered, order = v.sort()
    net.near(ordered.diff(), v)
    net.branches.append(order)
    sparsity = gini(v)
    gradients = torch.autograd.grad(loss - STRENGTH * sparsity, net.leaves.values())
    return loss.detach(), sparsity.detach(), dict(zip(net.leaves, gradients))


def attempt(network, seed):
    degree, count, batch, inputs = PRIORS[network]
    ((name, shape),) = inputs.items()
    rng = np.random.default_rng(seed)
    net = Training(rng)
    x = torch.from_numpy(rng.normal(size=(batch, *shape)).astype(np.float32))
    classes = torch.from_numpy(rng.integers(0, count, batch))
    *_, single = step(network, net, x, classes, degree)
    branches = net.branches
    loss, sparsity, double = step(network, net, x.double(), classes, degree)

    same = all(torch.equal(a.double(), b.double()) for a, b in zip(branches, net.branches, strict=True))
    difference = max(((single[p] - g).abs().max() / g.abs().max()).item() for p, g in double.items())
    if not same or difference >= SINGLE or net.margin <= CLEAR:
        return None
    tensors = {
        **{f"weights.{path}": w for path, w in net.weights.items()},
        **{f"gradient.{path}": g for path, g in double.items()},
        f"input.{name}": x,
        "classes": classes,
        "loss": loss,
        "gini": sparsity,
    }
    return tensors, net.margin, difference


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for network in PRIORS:
        attempts = ((seed, attempt(network, seed)) for seed in range(ATTEMPTS))
        seed, (tensors, margin, difference) = next(found for found in attempts if found[1])
        path = HERE / f"prior_{network.__name__}.safetensors"
        save_file({key: np.ascontiguousarray(t.numpy()) for key, t in sorted(tensors.items())}, path)
        print(
            f"{path.stem:15} seed {seed:<3}  loss {tensors['loss']:.4f}  gini {tensors['gini']:.4f}  "
            f"margin {margin:.1e}  f32 off by {difference:.1e}  {path.stat().st_size / 1000:.0f} kB"
        )


if __name__ == "__main__":
    main()
