#!/usr/bin/env python3
"""For developers: operators of com.microsoft here and in ONNX Runtime, on seeded random inputs.

    compare_operators.py RUN_MODEL [--rounds N]

RUN_MODEL is the program of tools/dev/run_model.cpp. Prints for each operator the largest difference: in quantization
steps for integer results, relative to the largest value for floats.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def q(rng, shape, dtype=np.uint8):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def scale(rng):
    return np.float32(rng.uniform(0.005, 0.05))


def zero(rng, dtype=np.uint8):
    info = np.iinfo(dtype)
    return dtype(rng.integers(info.min // 2 + 64, info.max // 2 + 64))


def binary(rng, dtype):
    return [q(rng, (2, 3, 4), dtype), scale(rng), zero(rng, dtype), q(rng, (3, 1), dtype), scale(rng), zero(rng, dtype),
            scale(rng), zero(rng, dtype)]


def unary(rng, dtype, shape=(2, 3, 4), out=None):
    return [q(rng, shape, dtype), scale(rng), zero(rng, dtype), np.float32(out or scale(rng)), zero(rng, dtype)]


def cases(rng):
    """Operator, attributes, inputs (None: omitted)."""
    for dtype in (np.uint8, np.int8):
        low = dtype(np.iinfo(dtype).min)
        yield "QLinearAdd", {}, binary(rng, dtype)
        yield "QLinearMul", {}, binary(rng, dtype)
        yield "QLinearSigmoid", {}, unary(rng, dtype)
        yield "QLinearLeakyRelu", {"alpha": 0.1}, unary(rng, dtype)
        yield "QLinearSoftmax", {"axis": -1, "opset": 13}, unary(rng, dtype, out=1 / 256)[:4] + [low]
        yield "QLinearGlobalAveragePool", {"channels_last": 0}, unary(rng, dtype, (2, 3, 5, 4))
        yield "QLinearGlobalAveragePool", {"channels_last": 1}, unary(rng, dtype, (2, 5, 4, 3))
        yield "QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, unary(rng, dtype, (2, 3, 7, 6))
        yield "QLinearConcat", {"axis": 1}, [scale(rng), zero(rng, dtype), q(rng, (2, 3), dtype), scale(rng), zero(rng, dtype),
                                             q(rng, (2, 2), dtype), scale(rng), zero(rng, dtype)]
        yield "QLinearWhere", {}, [rng.integers(0, 2, (2, 3)).astype(bool), q(rng, (2, 3), dtype), scale(rng), zero(rng, dtype),
                                   q(rng, (1, 3), dtype), scale(rng), zero(rng, dtype), scale(rng), zero(rng, dtype)]
        yield "NhwcMaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, [q(rng, (1, 6, 4, 3), dtype)]
    x, wide = rng.standard_normal((2, 5, 8)).astype(np.float32), rng.standard_normal((8,)).astype(np.float32)
    for name in ("Gelu", "FastGelu", "QuickGelu"):
        yield name, {}, [x]
    yield "BiasGelu", {}, [x, wide]
    yield "SkipLayerNormalization", {}, [x, x[::-1].copy(), wide, wide + 1, wide - 1]
    yield "SkipSimplifiedLayerNormalization", {}, [x, x[::-1].copy(), wide]
    yield "FusedMatMul", {"transA": 1, "alpha": 0.3}, [rng.standard_normal((2, 8, 5)).astype(np.float32), rng.standard_normal((2, 8, 3)).astype(np.float32)]
    yield "FusedMatMul", {"transB": 1}, [x, rng.standard_normal((2, 3, 8)).astype(np.float32)]
    a = rng.standard_normal((3, 40)).astype(np.float32)
    for bits in (4, 8):
        blocks, each = 3, 8 // bits
        packed, factors = q(rng, (6, blocks, 16 // each)), rng.uniform(0.01, 0.1, 6 * blocks).astype(np.float32)
        attributes = {"K": 40, "N": 6, "bits": bits, "block_size": 16}
        yield "MatMulNBits", attributes, [a, packed, factors]
        yield "MatMulNBits", attributes, [a, packed, factors, q(rng, 6 * ((blocks + each - 1) // each))]
    b = q(rng, (40, 6), np.int8)
    factors = rng.uniform(0.01, 0.1, 6).astype(np.float32)
    yield "DynamicQuantizeMatMul", {}, [a, b, factors, q(rng, 6, np.int8) // 4, rng.standard_normal(6).astype(np.float32)]
    yield "MatMulIntegerToFloat", {}, [q(rng, (3, 40)), b, scale(rng), factors, np.uint8(120), np.zeros(6, np.int8)]
    yield "QGemm", {"transB": 1, "alpha": 1.5}, [q(rng, (3, 40)), scale(rng), zero(rng), q(rng, (6, 40), np.int8), factors, np.zeros(6, np.int8),
                                                 rng.integers(-999, 999, 6).astype(np.int32), np.float32(3), zero(rng)]
    yield "QGemm", {"transA": 1}, [q(rng, (40, 3)), scale(rng), zero(rng), b, scale(rng), np.int8(3), rng.integers(-99, 99, (3, 6)).astype(np.int32)]
    image, kernels = rng.standard_normal((2, 5, 7, 6)).astype(np.float32), rng.standard_normal((4, 5, 3, 3)).astype(np.float32)
    for activation, parameters in (("Relu", []), ("LeakyRelu", [0.2]), ("Tanh", []), ("Sigmoid", []), ("Clip", [-0.5, 0.7])):
        tail = {"activation": activation} | ({"activation_params": parameters} if parameters else {})
        yield "FusedConv", tail | {"pads": [1, 1, 1, 1]}, [image, kernels, wide[:4], rng.standard_normal((2, 4, 7, 6)).astype(np.float32)]
        yield "FusedConv", tail | {"strides": [2, 1]}, [image, kernels]
    words = rng.standard_normal((10, 8)).astype(np.float32)
    yield "EmbedLayerNormalization", {}, [rng.integers(0, 10, (2, 4)).astype(np.int32), rng.integers(0, 2, (2, 4)).astype(np.int32),
                                          words, words[:4], words[:2], wide, wide]


def compare(run_model, name, attributes, inputs):
    arrays = [np.asarray(value) for value in inputs]
    infos = [helper.make_tensor_value_info(f"i{k}", helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in enumerate(arrays)]
    names = ["y", "lengths"] if name == "EmbedLayerNormalization" else ["y"]
    node = helper.make_node(name, [info.name for info in infos], names, domain="com.microsoft", **attributes)
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(output) for output in names])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
        expected = session.run(None, {info.name: a for info, a in zip(infos, arrays)})[0]
    except Exception as error:  # what ONNX Runtime cannot do is not compared
        return f"ONNX Runtime: {str(error).splitlines()[0][:120]}"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        onnx.save(model, path / "model.onnx")
        files = []
        for k, a in enumerate(arrays):
            files.append(path / f"{k}.pb")
            files[-1].write_bytes(numpy_helper.from_array(a).SerializeToString())
        done = subprocess.run([run_model, path / "model.onnx", folder, *files], capture_output=True, text=True)
        if done.returncode != 0:
            return f"FAILED: {done.stderr.strip()[-200:]}"
        found = np.load(path / "0.npy")
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.dtype}{found.shape} instead of {expected.dtype}{expected.shape}"
    worst = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()
    return worst if np.issubdtype(found.dtype, np.integer) else worst / np.abs(expected).max()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_model")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    worst = {}
    for seed in range(options.rounds):
        for name, attributes, inputs in cases(np.random.default_rng(seed)):
            difference = compare(options.run_model, name, attributes, inputs)
            old = worst.get(name, 0.0)
            worst[name] = difference if isinstance(difference, str) or (not isinstance(old, str) and not difference <= old) else old
    for name, difference in worst.items():
        print(f"{name}: {difference if isinstance(difference, str) else f'{difference:.2g}'}")


if __name__ == "__main__":
    main()
