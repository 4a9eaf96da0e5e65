#!/usr/bin/env python3
"""For developers: runs models here and in ONNX Runtime on the same seeded inputs and prints the largest difference.

    compare_runtime.py RUN_MODEL MODEL... [--dim NAME=VALUE]... [--value INPUT=NUMBER]... [--batch N] [--time] [--threads N]

RUN_MODEL is the program of tools/dev/run_model.cpp. Open dims are 1 unless --dim says otherwise; --batch sets an open
first dim; --value fills an input with one number. The difference is relative to the largest value of the output.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
         "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8,
         "tensor(bool)": np.bool_}


def make_input(info, dims, batch, rng):
    shape = []
    for i, dim in enumerate(info.shape):
        if isinstance(dim, int) and dim > 0:
            shape.append(dim)
        else:
            shape.append(dims.get(dim, batch if i == 0 else 1))
    dtype = TYPES[info.type]
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape).astype(dtype)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(dtype)
    return rng.integers(1, 100, shape).astype(dtype)


def relative(found, expected):
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype}{found.shape} instead of {expected.dtype}{expected.shape}"
    if found.size == 0:
        return 0.0
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


def compare(run_model, path, options):
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = options.threads
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(7)
        dims = dict(item.split("=") for item in options.dim)
        dims = {name: int(value) for name, value in dims.items()}
        feeds = {info.name: make_input(info, dims, options.batch, rng) for info in session.get_inputs()}
        for name, value in (item.split("=") for item in options.value):
            feeds[name] = np.full_like(feeds[name], float(value))
        expected = session.run(None, feeds)
    except Exception as error:  # what ONNX Runtime cannot do is not compared
        return f"ONNX Runtime: {str(error).splitlines()[0][:120]}"
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, value in enumerate(feeds.values()):
            files.append(f"{folder}/in{i}.pb")
            pathlib.Path(files[-1]).write_bytes(numpy_helper.from_array(value).SerializeToString())
        command = [run_model, str(path), folder, "--threads", str(options.threads), *options.extra, *files]
        if options.time:
            command[3:3] = ["--repeat", "20"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return f"FAILED ({done.returncode}): {done.stderr.strip()[-300:]}"
        differences = [relative(np.load(f"{folder}/{i}.npy"), np.asarray(value)) for i, value in enumerate(expected)]
    text = " ".join(d if isinstance(d, str) else f"{d:.1e}" for d in differences)
    if options.time:
        best = 1e9
        for _ in range(20):
            start = time.perf_counter()
            session.run(None, feeds)
            best = min(best, time.perf_counter() - start)
        text += f"   ONNX Runtime {best * 1e3:.3f} ms, here {done.stdout.strip()}"
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_model")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--dim", action="append", default=[])
    parser.add_argument("--value", action="append", default=[])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--extra", action="append", default=[])
    options = parser.parse_args()
    for path in options.models:
        print(f"{path.name}: {compare(options.run_model, path, options)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
