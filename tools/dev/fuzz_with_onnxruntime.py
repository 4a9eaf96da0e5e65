#!/usr/bin/env python3
"""Runs the pairs that press_fuzz_graphs writes in ONNX Runtime and says which ones differ.

    press_fuzz_graphs 10000 0 FOLDER && tools/dev/fuzz_with_onnxruntime.py FOLDER

FOLDER holds SEED.before.onnx and SEED.after.onnx. Both get the same seeded inputs; outputs must agree to 1e-4 of the
largest magnitude (at least 1). Exit codes: 0 where all agree, 1 otherwise. Needs numpy and onnxruntime; for
development only.
"""
import pathlib
import sys

import numpy as np
import onnxruntime as ort

TOLERANCE = 1e-4


def run(path, seed):
    options = ort.SessionOptions()
    # Without ONNX Runtime's own rewrites, which would hide ours.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(seed)
    feeds = {}
    for value in session.get_inputs():
        shape = [extent if isinstance(extent, int) else 2 for extent in value.shape]
        feeds[value.name] = random.uniform(-2, 2, shape).astype(np.float32)
    return session.run(None, feeds)


def difference(expected, actual):
    if expected.shape != actual.shape:
        return f"{expected.shape} became {actual.shape}"
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        return "other places of infinity and NaN"
    if not finite.any():
        return None
    worst = np.abs(expected.astype(np.float64) - actual)[finite].max()
    largest = max(1.0, np.abs(expected[finite]).max())
    return None if worst <= TOLERANCE * largest else f"differs by {worst:.3g} of {largest:.3g}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    compared = differing = refused = 0
    for before in sorted(pathlib.Path(sys.argv[1]).glob("*.before.onnx")):
        seed = int(before.name.split(".")[0])
        try:
            expected = run(before, seed)
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            refused += 1
            print(f"seed {seed}: ONNX Runtime refuses the graph itself: {str(error).splitlines()[0][:200]}")
            continue
        compared += 1
        try:
            actual = run(before.with_name(f"{seed}.after.onnx"), seed)
            found = [text for text in map(difference, expected, actual) if text]
        except Exception as error:
            found = [f"does not run any more: {str(error).splitlines()[0][:200]}"]
        if found:
            differing += 1
            print(f"seed {seed}: {found[0]}")
    print(f"{compared} pairs compared, {differing} differ, {refused} refused before")
    return 1 if differing or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
