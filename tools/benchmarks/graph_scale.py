#!/usr/bin/env python3
"""How graph optimization grows: with the number of nodes, with the bytes of a file, with weights beyond memory.

    tools/bench graph_scale [--gigabytes 5] [--folder DIR]

Prints: processor seconds of the whole command for 1,000 to 100,000 nodes (the median of five runs); for ResNet-50 (102 MB,
random weights) time and memory beside a copy that reads the file into memory and writes it; peak memory for a model of
--gigabytes of external data (made in --folder, which needs twice as much; resident pages of the mapped file counted in);
and a RepVGG network before and after: nodes, difference, latency in ONNX Runtime. Processor times hold on a busy machine.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import networks
from graph import COMPRESS, latencies, measured

COPY = "import sys\ndata = open(sys.argv[1], 'rb').read()\nopen(sys.argv[2], 'wb').write(data)"


def optimize(model, target, *options):
    return measured([COMPRESS, "optimize", model, "-o", target, "--fuse", "--force", "--quiet", *options])


def chain(count):
    """What passes look for, again and again: Conv, BatchNormalization, Identity, computed Reshape, two Transposes, Add."""
    nodes, constants, x = [], [], "x"
    random = np.random.default_rng(1)
    for i in range(count // 9):
        def constant(name, array):
            constants.append(numpy_helper.from_array(array.astype(np.float32), f"{name}{i}"))
            return f"{name}{i}"
        def node(kind, *inputs, **attributes):
            nodes.append(helper.make_node(kind, list(inputs), [f"{kind}{i}_{len(nodes)}"], **attributes))
            return nodes[-1].output[0]
        y = node("Conv", x, constant("w", random.standard_normal((4, 4, 1, 1)) * 0.3))
        y = node("BatchNormalization", y, *(constant(name, random.uniform(0.5, 1.5, 4)) for name in "sbmv"))
        y = node("Identity", node("Relu", y))
        y = node("Reshape", y, node("Shape", y))
        y = node("Transpose", node("Transpose", y, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
        x = node("Add", y, x)
    graph = helper.make_graph(nodes, "chain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 8, 8])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 4, 8, 8])], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def repvgg():
    """RepVGG-A0 as it is trained: 3x3, 1x1 and identity, each with BatchNormalization (arXiv 2101.03697)."""
    net = networks.Network()

    def norm(x, channels):
        parameters = (net.random.uniform(0.5, 1.5, channels), net.random.normal(0, 0.1, channels),
                      net.random.normal(0, 0.1, channels), net.random.uniform(0.5, 1.5, channels))
        return net.node("BatchNormalization", x, *(net.constant(one.astype(np.float32)) for one in parameters))

    def branch(x, channels, filters, kernel, stride):
        weight = net.weight(filters, channels, kernel, kernel, fan_in=3 * channels * kernel * kernel)
        return norm(net.node("Conv", x, weight, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4), filters)

    x, channels = "input", 3
    for filters, blocks in ((48, 1), (48, 2), (96, 4), (192, 14), (1280, 1)):
        for block in range(blocks):
            stride = 2 if block == 0 else 1
            total = net.node("Add", branch(x, channels, filters, 3, stride), branch(x, channels, filters, 1, stride))
            if stride == 1:
                total = net.node("Add", total, norm(x, channels))
            x, channels = net.node("Relu", total), filters
    return net.model([1, 3, 224, 224], networks.classifier(net, x, channels))


def large(folder, gigabytes):
    """A chain of matrix products whose weights are `gigabytes` of external data."""
    size, each = 8192, 8192 * 8192 * 4
    count = max(1, round(gigabytes * 1e9 / each))
    nodes, constants, x = [], [], "x"
    with open(folder / "large.data", "wb") as data:
        for i in range(count):
            data.write(np.random.default_rng(i).standard_normal((size, size), dtype=np.float32).tobytes())
            weight = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[size, size], data_location=TensorProto.EXTERNAL)
            for key, value in (("location", "large.data"), ("offset", i * each), ("length", each)):
                weight.external_data.add(key=key, value=str(value))
            constants.append(weight)
            nodes.append(helper.make_node("MatMul", [x, f"w{i}"], [f"m{i}"]))
            nodes.append(helper.make_node("Identity", [f"m{i}"], [f"i{i}"]))
            nodes.append(helper.make_node("Relu", [f"i{i}"], [f"r{i}"]))
            x = f"r{i}"
    graph = helper.make_graph(nodes, "large", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", size])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", size])], constants)
    path = folder / "large.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString())
    return path, count * each


def report_nodes(folder):
    print("| nodes | seconds | microseconds a node | MB of memory |\n|---|---|---|---|")
    for count in (1000, 3000, 10000, 30000, 100000):
        path = folder / "chain.onnx"
        onnx.save(chain(count), path)
        seconds, peak = sorted(optimize(path, folder / "out.onnx") for _ in range(5))[2]
        print(f"| {count:,} | {seconds:.3f} | {seconds / count * 1e6:.1f} | {peak / 1e6:.0f} |", flush=True)


def report_resnet(folder):
    path = folder / "resnet50.onnx"
    onnx.save(networks.NETWORKS["resnet50"](), path)
    def least(run):
        return min((run() for _ in range(5)), key=lambda cost: cost[1])
    def timed(command):
        start = time.perf_counter()
        cost = measured(command)
        return (time.perf_counter() - start, cost[0], cost[1])
    empty = least(lambda: timed([sys.executable, "-c", "pass"]))
    copy = least(lambda: timed([sys.executable, "-c", COPY, path, folder / "copy.onnx"]))
    ours = least(lambda: timed([COMPRESS, "optimize", path, "-o", folder / "out.onnx", "--fuse", "--force", "--quiet"]))
    size = path.stat().st_size
    print(f"\nResNet-50 ({size / 1e6:.1f} MB): {ours[1]:.3f} s of processor time, copying {copy[1] - empty[1]:.3f} s "
          f"({ours[1] / (copy[1] - empty[1]):.2f} x); {ours[2] / size:.2f} x its size in memory")


def report_repvgg(folder):
    before, after = folder / "repvgg.onnx", folder / "repvgg_fused.onnx"
    onnx.save(repvgg(), before)
    optimize(before, after)
    kinds = {}
    for node in onnx.load(after).graph.node:
        kernel = next((f" {a.ints[0]}x{a.ints[1]}" for a in node.attribute if a.name == "kernel_shape"), "")
        kinds[node.op_type + kernel] = kinds.get(node.op_type + kernel, 0) + 1
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    x = np.random.default_rng(2).standard_normal((1, 3, 224, 224)).astype(np.float32)
    a, b = (ort.InferenceSession(str(path), options).run(None, {"input": x})[0] for path in (before, after))
    speed = latencies(before, after, 20, 20.0)
    print(f"\nRepVGG-A0, random weights: {len(onnx.load(before).graph.node)} nodes became {kinds}; outputs differ by "
          f"{np.abs(a - b).max() / np.abs(a).max():.2g} of the largest; {speed[0]:.1f} ms became {speed[1]:.1f} ms "
          f"({speed[0] / speed[1]:.2f} x) in ONNX Runtime at its defaults")


def report_large(folder, gigabytes):
    path, size = large(folder, gigabytes)
    seconds, peak = optimize(path, folder / "large_out.onnx")
    print(f"\n{size / 1e9:.1f} GB of external data: {seconds:.1f} s of processor time, {peak / 1e6:.0f} MB of memory at the peak, "
          f"{len(onnx.load(folder / 'large_out.onnx', load_external_data=False).graph.node)} nodes left")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--folder", help="where large files are made (default: the system's temporary folder)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        report_resnet(folder)
        report_repvgg(folder)
        report_nodes(folder)
        report_large(folder, arguments.gigabytes)


if __name__ == "__main__":
    main()
