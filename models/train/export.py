"""Writes a network as ONNX, one node for each module: BatchNormalization stays a node."""

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx, nn

from networks import Add


class Tracer(fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, Add) or super().is_leaf_module(module, name)


def conv_attributes(module):
    return dict(
        dilations=list(module.dilation),
        group=module.groups,
        kernel_shape=list(module.kernel_size),
        pads=list(module.padding) * 2,
        strides=list(module.stride),
    )


# For each module: operator, names of its tensors in input order, attributes.
OPERATORS = {
    nn.Conv2d: ("Conv", ["weight"], conv_attributes),
    nn.BatchNorm2d: (
        "BatchNormalization",
        ["weight", "bias", "running_mean", "running_var"],
        lambda module: dict(epsilon=module.eps),
    ),
    nn.ReLU: ("Relu", [], lambda module: {}),
    nn.ReLU6: ("Clip", ["min", "max"], lambda module: {}),
    nn.AdaptiveAvgPool2d: ("GlobalAveragePool", [], lambda module: {}),
    nn.Flatten: ("Flatten", [], lambda module: dict(axis=1)),
    nn.Linear: ("Gemm", ["weight", "bias"], lambda module: dict(transB=1)),
    Add: ("Add", [], lambda module: {}),
}


def tensors(module):
    if isinstance(module, nn.ReLU6):
        return dict(min=torch.tensor(0.0), max=torch.tensor(6.0))
    return module.state_dict()


def export(network, name, path):
    """Writes `network`, called `name`, to the file `path`: opset 17, IR version 8."""
    nodes, initializers, values = [], [], {}
    for step in Tracer().trace(network).nodes:
        if step.op == "placeholder":
            values[step] = "input"
        elif step.op == "output":
            nodes[-1].output[0] = "logits"
        else:
            module = network.get_submodule(step.target)
            operator, parameters, attributes = OPERATORS[type(module)]
            for parameter in parameters:
                array = tensors(module)[parameter].numpy(force=True)
                initializers.append(numpy_helper.from_array(array, f"{step.target}.{parameter}"))
            inputs = [values[argument] for argument in step.args]
            inputs += [f"{step.target}.{parameter}" for parameter in parameters]
            nodes.append(
                helper.make_node(
                    operator, inputs, [step.target], name=step.target, **attributes(module)
                )
            )
            values[step] = step.target
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        initializers,
    )
    model = helper.make_model(
        graph,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)],
        producer_name="compress models/train",
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
