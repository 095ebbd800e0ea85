"""What is to be computed, as `bench-peers` writes it, and what is handed back."""

import json
import os

import numpy as np

STEPS = 128  # of Integrated Gradients
PRIOR = 1.0  # how much the prior weighs beside the loss
LEARNING_RATE = 1e-3


class Skip(Exception):
    """Why a peer does not do a work."""


class Problem:
    """A network, its weights, inputs, and targets where there are any."""

    def __init__(self, folder, batch):
        with open(f"{folder}/network.json") as file:
            self.network = json.load(file)
        shape = self.network["input"]
        x = np.fromfile(f"{folder}/input.f32", np.float32, batch * int(np.prod(shape)))
        self.x = x.reshape(batch, *shape)
        self.weights = load_file(f"{folder}/weights.safetensors")
        targets = f"{folder}/target.f32"
        self.targets = np.fromfile(targets, np.float32, batch) if os.path.exists(targets) else None


def load_file(path):
    """The tensors of a `safetensors` file, all of them `f32`."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = np.fromfile(file, np.float32)
    header.pop("__metadata__", None)
    tensors = {}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = (offset // 4 for offset in tensor["data_offsets"])
        tensors[name] = data[start:end].reshape(tensor["shape"])
    return tensors


class Work:
    """A run, and how its results become an array."""

    def __init__(self, run, array):
        self.run, self.array = run, array

    def results(self):
        return self.array(self.run())

    def reset(self):
        pass

    def rest(self):
        pass


def interpret(network, weights, inputs, ops):
    """The network's output, each node by the function of its name."""
    values = []
    for node in network["nodes"]:
        read = [inputs[i] if kind == "input" else values[i] for kind, i in node["operands"]]
        values.append(ops[node["op"]](node["fields"], [weights[name] for name in node["weights"]], *read))
    return values[-1]


def size_of(options):
    """The size that adaptive pooling returns."""
    return options["height"], options["width"] or options["height"]
