#!/usr/bin/env python3
"""For developers: every form of quantization on networks, in our runtime and in ONNX Runtime.

    compare_forms.py COMPRESS RUN_MODEL MODEL... [--forms REGEX] [--tolerance 0.05] [--samples 8]

COMPRESS is the command, RUN_MODEL the program of tools/dev/run_model.cpp. Calibrates each network (of one input) on seeded
images, writes each form, runs the file in both runtimes on an input of the same kind and prints one line: the ratio of the
file sizes, the signal to noise against the float32 network (of random images: a rough guide), the largest difference between
both runtimes relative to the largest output, and the integer operators in the graph that ONNX Runtime really runs. Exit code
1 where a file does not load or run, or the runtimes differ by more than the tolerance. Needs numpy, onnx and onnxruntime.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

FORMS = {
    "int8": [], "int8 signed": ["--activations", "int8"], "int8 per tensor": ["--no-per-channel"],
    "int8 w4": ["--weight-bits", "4", "--recover", "fast"], "int8 7 bits": ["--target", "onnxruntime-x86-avx2"],
    "int8 qlinear": ["--format", "qlinear"], "int8-dynamic": [], "int8-dynamic all": ["--operators", "Conv", "--operators",
    "Gemm", "--operators", "MatMul"], "int16x8": [], "int16x8 signed": ["--activations", "signed"],
    "w8": [], "w4": [], "w3": [], "w2": [], "w4 palette": ["--store", "palette"], "w4 auto": ["--store", "auto"],
    "w2 auto": ["--store", "auto"], "w8 blocks": ["--block-size", "32"], "w4 blocks": ["--block-size", "32"],
    "w2 blocks": ["--block-size", "16"], "w4 n-bits": ["--block-size", "32", "--target", "onnxruntime-x86"],
    "w8 n-bits": ["--block-size", "32", "--target", "onnxruntime-x86"], "fp16": [], "bf16": [],
}
INTEGER = re.compile("Integer|QLinear|QGemm|NBits|DynamicQuantize|QAttention|^QuantizeLinear|^DequantizeLinear")


def images(info, count, seed):
    shape = [d if isinstance(d, int) and d > 0 else 1 for d in info.shape]
    return np.random.default_rng(seed).standard_normal([count * shape[0], *shape[1:]]).astype(np.float32)


def in_onnxruntime(path, feed, optimized):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = str(optimized)
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    result = session.run(None, {session.get_inputs()[0].name: feed})[0]
    graph = onnx.load(optimized, load_external_data=False).graph
    kinds = collections.Counter(node.op_type for node in graph.node if INTEGER.search(node.op_type))
    return result, " ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "-"


def in_ours(run_model, path, feed, folder):
    file = pathlib.Path(folder, "in.pb")
    file.write_bytes(numpy_helper.from_array(feed).SerializeToString())
    done = subprocess.run([run_model, str(path), folder, "--threads", "1", str(file)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("our runtime: " + done.stderr.strip()[-200:])
    return np.load(f"{folder}/0.npy")


def try_form(form, options, model, folder, feed, reference):
    path = pathlib.Path(folder, "form.onnx")
    path.unlink(missing_ok=True)
    flags = FORMS[form] if "--recover" in FORMS[form] else ["--recover", "none", *FORMS[form]]
    done = subprocess.run([options.compress, "quantize", str(model), "-o", str(path), "--type", form.split()[0],
                           "--calibration", f"{folder}/calibration.npy", "--threads", "1", *flags],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("compress: " + done.stderr.strip()[-200:])
    theirs, kinds = in_onnxruntime(path, feed, pathlib.Path(folder, "optimized.onnx"))
    ours = in_ours(options.run_model, path, feed, folder)
    difference = np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)
    noise = np.square(theirs - reference).sum()
    decibels = 10 * np.log10(np.square(reference).sum() / noise) if noise > 0 else np.inf
    ratio = path.stat().st_size / pathlib.Path(model).stat().st_size
    print(f"  {form:18} {ratio:6.3f} {decibels:7.1f} dB {difference:9.1e}  {kinds}")
    return difference <= options.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compress")
    parser.add_argument("run_model")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--forms", default="")
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("--samples", type=int, default=8)
    options = parser.parse_args()
    failures = 0
    for model in options.models:
        print(pathlib.Path(model).name)
        with tempfile.TemporaryDirectory() as folder:
            try:
                session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
                np.save(f"{folder}/calibration.npy", images(session.get_inputs()[0], options.samples, 1))
                feed = images(session.get_inputs()[0], 1, 2)
                reference, _ = in_onnxruntime(model, feed, pathlib.Path(folder, "optimized.onnx"))
            except Exception as error:  # what does not run as it is cannot be compared
                print(f"  skipped: {str(error).splitlines()[0][:160]}")
                continue
            for form in FORMS:
                if not re.search(options.forms, form):
                    continue
                try:
                    good = try_form(form, options, model, folder, feed, reference)
                except Exception as error:
                    print(f"  {form:18} {str(error).splitlines()[0][:200]}")
                    good = False
                failures += not good
                if not good:
                    print(f"  {form:18} FAILED")
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
