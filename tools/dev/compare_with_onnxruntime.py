#!/usr/bin/env python3
"""Says whether two ONNX files compute the same in ONNX Runtime.

    tools/dev/compare_with_onnxruntime.py before.onnx after.onnx [--tolerance 1e-4] [--seed 1] [--dim 1] [--level none]

Both files get the same seeded inputs. Prints one line an output: the largest difference, relative to the largest
magnitude of the first file's output. Exit codes: 0 within the tolerance, 1 beyond it, 3 where a file does not run.

--level says how much ONNX Runtime rewrites the files itself: none (its rewrites would hide ours) or all (as users run
them). Without its rewrites it rounds to float16 at every node that it has no float16 kernel for, so that removing a
node which does nothing may move a float16 output by one step (2^-11 of its magnitude); with them it does not.
Needs the Python packages numpy and onnxruntime; for development only.
"""
import argparse
import sys

import numpy as np
import onnxruntime as ort

TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(uint32)": np.uint32, "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_, "tensor(string)": np.object_,
}


LEVELS = {"none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL, "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL}


def open_session(path, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def seeded_inputs(session, seed, dim):
    random = np.random.default_rng(seed)
    feeds = {}
    for value in session.get_inputs():
        shape = [extent if isinstance(extent, int) and extent > 0 else dim for extent in value.shape]
        dtype = TYPES[value.type]
        if dtype is np.object_:
            feeds[value.name] = np.full(shape, "a", dtype=dtype)
        elif np.issubdtype(dtype, np.floating):
            feeds[value.name] = random.uniform(0, 1, shape).astype(dtype)
        else:
            feeds[value.name] = random.integers(0, 2, shape).astype(dtype)
    return feeds


def difference(before, after):
    """Relative to the largest magnitude; infinite where type, shape or the places of NaN and infinity differ."""
    if isinstance(before, (list, dict)) or before.dtype == np.object_:
        return 0.0 if str(before) == str(after) else np.inf
    if before.dtype != after.dtype or before.shape != after.shape:
        return np.inf
    if before.size == 0:
        return 0.0
    a, b = before.astype(np.float64), after.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    return np.abs(a - b)[finite].max() / max(np.abs(a[finite]).max(), 1e-12)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--level", choices=LEVELS, default="none")
    parser.add_argument("--dim", type=int, default=1, help="extent of dims that the file leaves open")
    arguments = parser.parse_args()
    feeds, results = None, []
    for path in (arguments.before, arguments.after):
        try:
            session = open_session(path, arguments.level)
            feeds = feeds or seeded_inputs(session, arguments.seed, arguments.dim)
            results.append((session.get_outputs(), session.run(None, feeds)))
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            print(f"{path} does not run: {str(error).splitlines()[0][:300]}", file=sys.stderr)
            return 3
    (outputs, expected), (_, actual) = results
    within = True
    for value, one, other in zip(outputs, expected, actual):
        found = difference(one, other)
        within = within and found <= arguments.tolerance
        print(f"{value.name}: {found:.3g}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
