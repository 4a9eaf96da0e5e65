"""Reports on an ONNX file: size, parameters, MACs and top-1 on the test images.

The int8 figure is that of ONNX Runtime's own static quantisation (QDQ, one
scale per output channel, min-max ranges over 200 training images): it tells
whether the network suits int8 at all.
"""

import argparse
import hashlib
import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

import data

# The inputs of each operator that are learnt.
LEARNT = {"Conv": [1], "BatchNormalization": [1, 2], "Gemm": [1, 2]}


class Images(quantization.CalibrationDataReader):
    def __init__(self, images):
        self.batches = iter(np.split(images, len(images)))

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch}


def count(model):
    """Learnt parameters, and multiply-accumulates of convolutions and Gemm for one image."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in [*graph.value_info, *graph.output]
    }
    parameters = macs = 0
    for node in graph.node:
        parameters += sum(sizes[node.input[index]] for index in LEARNT.get(node.op_type, []))
        if node.op_type in ("Conv", "Gemm"):
            macs += sizes[node.input[1]] * math.prod(shapes[node.output[0]][2:])
    return parameters, macs


def top1(path, images, labels, batch=250):
    """Share of the images whose highest logit is that of their label, in percent."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = [
        session.run(None, {"input": images[start : start + batch]})[0]
        for start in range(0, len(images), batch)
    ]
    return 100 * np.mean(np.concatenate(logits).argmax(1) == labels)


def quantise(source, target, calibration):
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(prepared, target, Images(calibration), per_channel=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the IDX .gz files")
    options = parser.parse_args()

    content = options.model.read_bytes()
    parameters, macs = count(onnx.load_from_string(content))
    images, labels = data.load(options.data, "test")
    print(f"sha256      {hashlib.sha256(content).hexdigest()}")
    print(f"bytes       {len(content)}")
    print(f"parameters  {parameters}")
    print(f"MACs        {macs}")
    print(f"top-1       {top1(options.model, images, labels):.2f} %")

    with tempfile.TemporaryDirectory() as folder:
        quantised = Path(folder) / "int8.onnx"
        quantise(options.model, quantised, data.load(options.data, "train")[0][:200])
        print(f"top-1 int8  {top1(quantised, images, labels):.2f} %")


if __name__ == "__main__":
    main()
