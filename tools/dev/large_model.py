"""Writes a network of more than 2 GB with external data, quantizes it, and runs the results in ONNX Runtime.

    large_model.py FOLDER [--layers N] [--width N]

FOLDER gets `large.onnx` (N layers of width x width in float32; 48 of 4096 are 3.2 GB), 32 samples and the results. Prints wall and CPU
seconds, the peak of resident memory and of the part of it that is not mapped from files, and how far the answers are from float32.
"""
import argparse
import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

COMMAND = "build/release/compress"
FORMS = {
    "int8": ["--type", "int8", "--calibration", "samples.npy"],
    "int8-dynamic": ["--type", "int8-dynamic"],
    "w4 in blocks": ["--type", "w4", "--block-size", "32"],
    "w8 of a fifth (over 2 GB)": ["--type", "w8", "--include", "MatMul_[0-9]$"],
}


def write(folder, layers, width):
    random = np.random.default_rng(1)
    nodes, weights, value = [], [], "input"
    with open(folder / "large.onnx.data", "wb") as data:
        for i in range(layers):
            tensor = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[width, width],
                                 data_location=TensorProto.EXTERNAL)
            for key, text in (("location", "large.onnx.data"), ("offset", data.tell()), ("length", 4 * width * width)):
                tensor.external_data.add(key=key, value=str(text))
            data.write((random.standard_normal((width, width), np.float32) * np.float32(np.sqrt(2 / width))).tobytes())
            weights.append(tensor)
            nodes += [helper.make_node("MatMul", [value, f"w{i}"], [f"m{i}"], name=f"MatMul_{i}"),
                      helper.make_node("Relu", [f"m{i}"], [f"r{i}"], name=f"Relu_{i}")]
            value = f"r{i}"
    graph = helper.make_graph(nodes, "large", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", width])],
                              [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["N", width])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "large.onnx")
    np.save(folder / "samples.npy", random.standard_normal((32, width), np.float32))


def measured(command, folder):
    """Wall and CPU seconds, peaks of memory in MB: all, and what is not mapped from files."""
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, cwd=folder)
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) // 1024 if found else 0)
        time.sleep(0.02)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, peak


def answers(path, samples):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": samples})[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=48)
    parser.add_argument("--width", type=int, default=4096)
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "large.onnx").exists():
        write(folder, options.layers, options.width)
    samples = np.load(folder / "samples.npy")
    reference = answers(folder / "large.onnx", samples)
    print("| form | MB | wall s | CPU s | peak MB | not mapped MB | error / variance |\n|---|---|---|---|---|---|---|")
    for form, arguments in FORMS.items():
        target = folder / "out.onnx"
        row = measured([str(Path(COMMAND).resolve()), "quantize", "large.onnx", "-o", "out.onnx", "--force", "-q"] + arguments,
                       folder)
        size = sum(file.stat().st_size for file in folder.glob("out.onnx*")) / 1e6
        found = answers(target, samples)
        error = ((found - reference) ** 2).sum() / ((reference - reference.mean(0)) ** 2).sum()
        print(f"| {form} | {size:.0f} | {row[0]:.1f} | {row[1]:.1f} | {row[2]} | {row[3]} | {error:.2e} |", flush=True)
        for file in folder.glob("out.onnx*"):
            file.unlink()


if __name__ == "__main__":
    main()
