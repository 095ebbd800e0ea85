"""One peer of `cargo xtask bench-peers`: `peers.py PEER THREADS` answers commands, a line each.

`prepare TASK BATCH FOLDER` reads a network (`network.json`, `weights.safetensors`) and its inputs (`input.f32`), warms
up, writes the results to `PEER.f32`, and answers `ready`, or `skip` and a reason. `run` answers seconds. `version` names
the peer's version.
"""

import json
import os
import sys
import time

PEER, THREADS = sys.argv[1], int(sys.argv[2])
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
if PEER == "jax":  # which takes a thread for each processor that it may run on
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import numpy as np
from safetensors.numpy import load_file


class Skip(Exception):
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


class Torch:
    """PyTorch: eager, with channels last, or compiled with frozen weights."""

    def __init__(self, variant):
        import torch

        self.torch, self.variant = torch, variant
        torch.set_num_threads(THREADS)
        self.version = f"PyTorch {torch.__version__}"

    def prepare(self, network, weights, x, task):
        torch = self.torch
        f = torch.nn.functional
        last = torch.channels_last if self.variant == "channels-last" else torch.contiguous_format
        ops = {
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
        weights = {name: torch.from_numpy(value) for name, value in weights.items()}
        weights = {
            name: value.contiguous(memory_format=last) if value.ndim == 4 else value for name, value in weights.items()
        }
        # What is no parameter would not be frozen.
        weights = {name: torch.nn.Parameter(value, requires_grad=False) for name, value in weights.items()}
        x = torch.from_numpy(x).contiguous(memory_format=last)

        def forward(x):
            return interpret(network, weights, [x], ops)

        def attribute(x):
            x = x.detach().requires_grad_()
            outputs = forward(x)
            chosen = outputs.gather(1, outputs.detach().argmax(1, keepdim=True))
            return x.detach() * torch.autograd.grad(chosen.sum(), x)[0]

        if self.variant == "compile":
            import torch._inductor.config

            torch._dynamo.reset()
            # It takes effect where no gradient is asked for.
            torch._inductor.config.freezing = True
            forward = torch.compile(forward)
        if task == "forward":

            def run():
                with torch.inference_mode():
                    return forward(x)
        else:

            def run():
                return attribute(x)

        return run, lambda result: result.contiguous().numpy()


class Jax:
    """JAX, compiled."""

    def __init__(self):
        import jax

        self.jax = jax
        self.version = f"JAX {jax.__version__}"

    def prepare(self, network, weights, x, task):
        jax, lax, jnp = self.jax, self.jax.lax, self.jax.numpy
        pairs = lambda padding: [(p, p) for p in padding]
        ops = {
            "Conv2d": lambda o, w, x: lax.conv_general_dilated(
                x, w[0], o["stride"], pairs(o["padding"]), None, o["dilation"], feature_group_count=o["groups"]
            ),
            "Linear": lambda o, w, x: x @ w[0].T,
            "Relu": lambda o, w, x: jax.nn.relu(x),
            "MaxPool2d": lambda o, w, x: lax.reduce_window(
                x, -jnp.inf, lax.max, (1, 1, *o["kernel"]), (1, 1, *(o["stride"] or o["kernel"])), pairs([0, 0, *o["padding"]])
            ),
            "AdaptiveAvgPool2d": self.same_size,
            "GlobalAvgPool": lambda o, w, x: x.mean((2, 3), keepdims=True),
            "Flatten": lambda o, w, x: x.reshape(x.shape[0], -1),
            "Dropout": lambda o, w, x: x,
            "sum": lambda o, w, a, b: a + b,
        }
        weights = {name: jnp.asarray(value) for name, value in weights.items()}
        forward = lambda weights, x: interpret(network, weights, [x], ops)

        def attribute(weights, x):
            def chosen(x):
                outputs = forward(weights, x)
                picks = lax.stop_gradient(outputs).argmax(1)
                return jnp.take_along_axis(outputs, picks[:, None], 1).sum()

            return x * jax.grad(chosen)(x)

        compiled = jax.jit(forward if task == "forward" else attribute)
        x = jnp.asarray(x)
        return lambda: compiled(weights, x).block_until_ready(), np.asarray

    @staticmethod
    def same_size(o, w, x):
        if tuple(x.shape[2:]) != size_of(o):
            raise Skip("adaptive pooling to another size")
        return x


class OnnxRuntime:
    """ONNX Runtime, which computes no gradients."""

    def __init__(self):
        import onnxruntime

        self.runtime = onnxruntime
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def prepare(self, network, weights, x, task):
        from onnx import TensorProto, helper, numpy_helper

        if task != "forward":
            raise Skip("it computes no gradients")
        nodes = []

        def node(op, inputs, **attributes):
            name = f"v{len(nodes)}"
            nodes.append(helper.make_node(op, inputs, [name], **attributes))
            return name

        ops = {
            "Conv2d": lambda o, w, x: node(
                "Conv", [x, w[0]], strides=o["stride"], pads=o["padding"] * 2, dilations=o["dilation"], group=o["groups"]
            ),
            "Linear": lambda o, w, x: node("Gemm", [x, w[0]], transB=1),
            "Relu": lambda o, w, x: node("Relu", [x]),
            "MaxPool2d": lambda o, w, x: node(
                "MaxPool", [x], kernel_shape=o["kernel"], strides=o["stride"] or o["kernel"], pads=o["padding"] * 2
            ),
            "AdaptiveAvgPool2d": lambda o, w, x: x,
            "GlobalAvgPool": lambda o, w, x: node("GlobalAveragePool", [x]),
            "Flatten": lambda o, w, x: node("Flatten", [x]),
            "Dropout": lambda o, w, x: x,
            "sum": lambda o, w, a, b: node("Add", [a, b]),
        }
        output = interpret(network, {name: name for name in weights}, ["x"], ops)
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        initial = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        graph = helper.make_graph(nodes, "network", [info("x", x.shape)], [info(output, None)], initial)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = self.runtime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})[0], lambda result: result


PEERS = {
    "pytorch": lambda: Torch("eager"),
    "pytorch-channels-last": lambda: Torch("channels-last"),
    "pytorch-compile": lambda: Torch("compile"),
    "jax": Jax,
    "onnxruntime": OnnxRuntime,
}


def prepare(peer, folder, task, batch):
    with open(f"{folder}/network.json") as file:
        network = json.load(file)
    x = np.fromfile(f"{folder}/input.f32", np.float32, batch * int(np.prod(network["input"])))
    run, array = peer.prepare(network, load_file(f"{folder}/weights.safetensors"), x.reshape(batch, *network["input"]), task)
    for _ in range(3):
        result = run()
    array(result).astype(np.float32).tofile(f"{folder}/{PEER}.f32")
    return run


def main():
    peer, run = PEERS[PEER](), None
    for line in sys.stdin:
        command, *arguments = line.strip().split(" ", 3)
        if command == "version":
            answer = peer.version
        elif command == "prepare":
            task, batch, folder = arguments
            run = None
            try:
                run = prepare(peer, folder, task, int(batch))
                answer = "ready"
            except Skip as reason:
                answer = f"skip {reason}"
        else:
            start = time.perf_counter()
            run()
            answer = str(time.perf_counter() - start)
        print(answer, flush=True)


main()
