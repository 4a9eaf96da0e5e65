#!/usr/bin/env python3
"""Reads models with our importer, writes them with our exporter, and checks that nothing changed.

    tools/dev/round_trip.py build/release/tests/press_round_trip MODEL.onnx ...

The two protos must be equal, apart from how a tensor's numbers are stored and from value_info of interface and constant
values; outputs of ONNX Runtime on seeded inputs must be equal to the bit. Needs the Python packages onnx and onnxruntime.
"""
import collections
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor

TYPED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def normalize_tensor(tensor, folder):
    if not tensor.name:
        tensor.ClearField("name")
    if tensor.data_location == TensorProto.EXTERNAL:
        load_external_data_for_tensor(tensor, folder)
        del tensor.external_data[:]
    tensor.ClearField("data_location")
    if tensor.data_type != TensorProto.STRING and not tensor.HasField("raw_data"):
        raw = numpy_helper.from_array(numpy_helper.to_array(tensor)).raw_data
        for field in TYPED_FIELDS:
            tensor.ClearField(field)
        tensor.raw_data = raw


def normalize_graph(graph, folder):
    for tensor in graph.initializer:
        normalize_tensor(tensor, folder)
    for sparse in graph.sparse_initializer:
        normalize_tensor(sparse.values, folder)
        normalize_tensor(sparse.indices, folder)
    for node in graph.node:
        if node.domain in ("", "ai.onnx"):
            node.ClearField("domain")
        if not node.name:
            node.ClearField("name")
        for attribute in node.attribute:
            if attribute.HasField("t"):
                normalize_tensor(attribute.t, folder)
            for tensor in attribute.tensors:
                normalize_tensor(tensor, folder)
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                normalize_graph(inner, folder)
    interface = {value.name for value in [*graph.input, *graph.output]}
    made = {name for node in graph.node for name in node.output} - interface
    kept = sorted((info for info in graph.value_info if info.name in made), key=lambda info: info.name)
    del graph.value_info[:]
    graph.value_info.extend(kept)


def normalized(path):
    model = onnx.ModelProto()
    with open(path, "rb") as file:
        model.ParseFromString(file.read())
    normalize_graph(model.graph, os.path.dirname(path))
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.ClearField("domain")
    return model.SerializeToString(deterministic=True)


def feed(session):
    random = np.random.default_rng(1)
    values = {}
    for value in session.get_inputs():
        shape = [dim if isinstance(dim, int) and dim > 0 else 1 for dim in value.shape]
        kind = value.type.removeprefix("tensor(").removesuffix(")")
        kind = {"float": "float32", "double": "float64"}.get(kind, kind)
        if kind.startswith("float"):
            values[value.name] = random.standard_normal(shape).astype(kind)
        elif kind == "string":
            values[value.name] = np.full(shape, "a", dtype=object)
        else:
            values[value.name] = random.integers(0, 2 if kind == "bool" else 8, shape).astype(kind)
    return values


def outputs(path):
    """What ONNX Runtime makes of the model, as text or bytes; None where it refuses the model or our inputs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        results = session.run(None, feed(session))
    except Exception:
        return None
    return [(r.shape, r.tobytes()) if isinstance(r, np.ndarray) and r.dtype != object else str(r) for r in results]


def check(command, path, copy):
    run = subprocess.run([command, path, copy], capture_output=True, text=True)
    if run.returncode != 0:
        return "refused: " + run.stderr.strip()
    before, after = outputs(path), outputs(copy)
    if before != after:
        return "ONNX Runtime's outputs differ"
    same = "same proto" if normalized(path) == normalized(copy) else "another proto (the order of nodes?)"
    return same + (", same outputs" if before is not None else ", refused by ONNX Runtime before and after")


def main():
    ort.set_default_logger_severity(4)
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in sys.argv[2:]:
            result = check(sys.argv[1], path, os.path.join(folder, "copy.onnx"))
            counts[result.split(":")[0]] += 1
            if not result.startswith("same proto"):
                print(f"{path}: {result}")
    for result, count in counts.most_common():
        print(f"{count:6} {result}")


if __name__ == "__main__":
    main()
