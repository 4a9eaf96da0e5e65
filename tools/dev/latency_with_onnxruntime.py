#!/usr/bin/env python3
"""Compares the time of `compress evaluate --engine onnxruntime` with ONNX Runtime's own in Python, in turn.

    tools/dev/latency_with_onnxruntime.py COMPRESS LIBRARY MODEL IMAGES PRESET [--pairs 9] [--rounds 400] [--threads 1]

Each pair runs the command and then Python on random numbers of the same shape, one image at a time, with the same number
of threads, warm-up and rounds; the median of the pairs' ratios is told. Exit codes: 0 within 5 %, 1 otherwise. Needs the
Python packages numpy and onnxruntime; for development only.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime as ort

WARM_UP = 20


def in_python(session, data, rounds):
    name = session.get_inputs()[0].name
    times = []
    for i in range(WARM_UP + rounds):
        start = time.perf_counter()
        session.run(None, {name: data})
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[WARM_UP:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("compress", "library", "model", "images", "preset"):
        parser.add_argument(name)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    session = ort.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    shape = [size if isinstance(size, int) else 1 for size in session.get_inputs()[0].shape]
    data = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    ratios = []
    for pair in range(options.pairs):
        report = json.loads(subprocess.run(
            [options.compress, "evaluate", options.model, "--images", options.images, "--preprocess", options.preset,
             "--limit", "10", "--batch", "1", "--engine", "onnxruntime", "--ort-library", options.library, "--threads",
             str(options.threads), "--warm-up", str(WARM_UP), "--rounds", str(options.rounds), "--no-packed", "--json"],
            check=True, capture_output=True).stdout)
        ours = report["models"][0]["latency"]["median_ms"]
        theirs = in_python(session, data, options.rounds)
        ratios.append(ours / theirs)
        print(f"pair {pair + 1}: command {ours:.4f} ms, Python {theirs:.4f} ms, ratio {ours / theirs:.3f}")
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.3f}")
    return 0 if abs(ratio - 1) <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
