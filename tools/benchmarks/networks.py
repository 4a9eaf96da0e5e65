"""Networks of well-known shapes with random weights: what they compute means nothing, how long it takes does."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """Grows a graph node by node; every method returns the name of what it adds."""

    def __init__(self, seed=1):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape, fan_in):
        return self.constant((self.random.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32))

    def node(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}_{len(self.nodes)}", **attributes))
        return name

    def conv(self, x, channels, filters, kernel, stride=1, groups=1):
        weight = self.weight(filters, channels // groups, kernel, kernel, fan_in=channels // groups * kernel * kernel)
        bias = self.constant((self.random.standard_normal(filters) * 0.1).astype(np.float32))
        return self.node("Conv", x, weight, bias, kernel_shape=[kernel] * 2, strides=[stride] * 2, group=groups,
                         pads=[kernel // 2] * 4)

    def linear(self, x, inputs, outputs, scale=1.0):
        weight = self.constant((self.random.standard_normal((inputs, outputs)) * scale / np.sqrt(inputs)).astype(np.float32))
        bias = self.constant((self.random.standard_normal(outputs) * 0.1).astype(np.float32))
        return self.node("Add", self.node("MatMul", x, weight), bias)

    def model(self, shape, output):
        graph = helper.make_graph(
            self.nodes, "benchmark", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.constants)
        return onnx.shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def classifier(net, x, channels):
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    weight = net.weight(1000, channels, fan_in=channels)
    return net.node("Gemm", x, weight, net.constant(np.zeros(1000, np.float32)), transB=1)


def resnet50():
    net = Network()
    x = net.node("Relu", net.conv("input", 3, 64, 7, 2))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = net.node("Relu", net.conv(x, channels, width, 1))
            y = net.node("Relu", net.conv(y, width, width, 3, stride))
            y = net.conv(y, width, 4 * width, 1)
            if block == 0:
                x = net.conv(x, channels, 4 * width, 1, stride)
            channels = 4 * width
            x = net.node("Relu", net.node("Add", y, x))
    return net.model(["N", 3, 224, 224], classifier(net, x, channels))


def mobilenetv2():
    net = Network()
    low, high = net.constant(np.float32(0)), net.constant(np.float32(6))

    def relu6(x):
        return net.node("Clip", x, low, high)

    x = relu6(net.conv("input", 3, 32, 3, 2))
    channels = 32
    for expand, filters, blocks, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                                  (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            wide = channels * expand
            y = relu6(net.conv(x, channels, wide, 1)) if expand > 1 else x
            y = relu6(net.conv(y, wide, wide, 3, stride, wide))
            y = net.conv(y, wide, filters, 1)
            x = net.node("Add", x, y) if stride == 1 and channels == filters else y
            channels = filters
    x = relu6(net.conv(x, channels, 1280, 1))
    return net.model(["N", 3, 224, 224], classifier(net, x, 1280))


def encoder(hidden, layers=12, sequence=128):
    """The layers of a BERT encoder as PyTorch exports them; heads of 64, feed-forward 4 times as wide."""
    net = Network()
    heads = hidden // 64
    split = net.constant(np.array([0, sequence, heads, 64], np.int64))
    join = net.constant(np.array([0, sequence, hidden], np.int64))
    ones, zeros = net.constant(np.ones(hidden, np.float32)), net.constant(np.zeros(hidden, np.float32))
    eighth, root2 = net.constant(np.float32(8)), net.constant(np.float32(np.sqrt(2)))
    half, one = net.constant(np.float32(0.5)), net.constant(np.float32(1))

    def normalized(x):
        return net.node("LayerNormalization", x, ones, zeros, axis=-1, epsilon=1e-12)

    x = "input"
    for _ in range(layers):
        query, key, value = (net.node("Reshape", net.linear(x, hidden, hidden), split) for _ in range(3))
        scores = net.node("MatMul", net.node("Transpose", query, perm=[0, 2, 1, 3]),
                          net.node("Transpose", key, perm=[0, 2, 3, 1]))
        weights = net.node("Softmax", net.node("Div", scores, eighth), axis=-1)
        mixed = net.node("MatMul", weights, net.node("Transpose", value, perm=[0, 2, 1, 3]))
        mixed = net.node("Reshape", net.node("Transpose", mixed, perm=[0, 2, 1, 3]), join)
        x = normalized(net.node("Add", net.linear(mixed, hidden, hidden), x))
        wide = net.linear(x, hidden, 4 * hidden)
        gate = net.node("Add", net.node("Erf", net.node("Div", wide, root2)), one)
        wide = net.node("Mul", net.node("Mul", wide, gate), half)
        x = normalized(net.node("Add", net.linear(wide, 4 * hidden, hidden), x))
    return net.model(["N", sequence, hidden], x)


NETWORKS = {"resnet50": resnet50, "mobilenetv2": mobilenetv2, "encoder384": lambda: encoder(384),
            "encoder768": lambda: encoder(768)}
