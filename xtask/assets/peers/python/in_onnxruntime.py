"""ONNX Runtime, which computes no gradients."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from problem import Skip, Work, interpret


class OnnxRuntime:
    version = f"ONNX Runtime {onnxruntime.__version__}"

    def __init__(self, threads):
        self.threads = threads

    def prepare(self, problem, task):
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
        x = problem.x
        output = interpret(problem.network, {name: name for name in problem.weights}, ["x"], ops)
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        initial = [numpy_helper.from_array(value, name) for name, value in problem.weights.items()]
        graph = helper.make_graph(nodes, "network", [info("x", x.shape)], [info(output, None)], initial)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return Work(lambda: session.run(None, {"x": x})[0], lambda result: result)
