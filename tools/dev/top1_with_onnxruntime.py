#!/usr/bin/env python3
"""Compares the top-1 that `compress evaluate` reports with the one that ONNX Runtime gives for the same files.

    compress evaluate *.onnx --images SET --preprocess PRESET --json report.json
    tools/dev/top1_with_onnxruntime.py report.json [--tolerance 0.1]

The image set is the one that the report names: an IDX file (plain or .gz, labels beside it) or a folder with a sub-folder
a class. Decoding and preprocessing are written here once more, with Pillow and NumPy. Counts the integer operators of the
graph that ONNX Runtime really runs. Exit codes: 0 all within the tolerance (points of top-1), 1 otherwise. Needs the
Python packages numpy, onnx, onnxruntime and pillow; for development only.
"""
import argparse
import collections
import gzip
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

BATCH = 100


def read_idx(path):
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    rank = data[3]
    dims = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(dims)


def read_samples(path):
    """Pixels [N,C,H,W] of 0 to 255 and labels [N]."""
    if path.is_dir():
        from PIL import Image

        files = [(file, label) for label, folder in enumerate(sorted(path.iterdir())) for file in sorted(folder.iterdir())]
        pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in files]).transpose(0, 3, 1, 2)
        return pixels, np.array([label for _, label in files])
    labels = Path(str(path).replace("images-idx3", "labels-idx1"))
    return read_idx(path)[:, None], read_idx(labels)


def normalise(pixels, description):
    """The report's own words say scale, mean and std; other steps than these are none of this script's."""
    if "resize" in description or "crop" in description:
        sys.exit(f"images that are resized or cropped are not supported here: {description}")

    def numbers(name):
        found = re.search(rf"{name} \[?([-0-9.e, ]+)\]?", description)
        return np.array([float(number) for number in found[1].strip(" ,").split(",")], np.float32).reshape(1, -1, 1, 1)

    return ((pixels.astype(np.float32) * numbers("scale") - numbers("mean")) / numbers("std")).astype(np.float32)


def integer_operators(path):
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.optimized_model_filepath = f"{folder}/optimized.onnx"
        options.log_severity_level = 4
        ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    counts = collections.Counter(node.op_type for node in nodes)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if "Q" in name and "Linear" in name
                     or name in ("QGemm", "Conv", "FusedConv", "Gemm"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("report")
    parser.add_argument("--tolerance", type=float, default=0.1, help="points of top-1 (default: 0.1)")
    options = parser.parse_args()
    report = json.load(open(options.report))
    pixels, labels = read_samples(Path(report["images"]))
    inputs = normalise(pixels, report["preprocess"])

    worst = 0.0
    for model in report["models"]:
        session = ort.InferenceSession(model["name"], providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        outputs = [session.run(None, {name: inputs[i:i + BATCH]})[0] for i in range(0, len(inputs), BATCH)]
        top1 = 100 * float((np.concatenate(outputs).argmax(1) == labels).mean())
        difference = top1 - model["top1_percent"]
        worst = max(worst, abs(difference))
        print(f"{Path(model['name']).name}: ours {model['top1_percent']:.2f} %, ONNX Runtime {top1:.2f} %, "
              f"difference {difference:+.2f}; {integer_operators(model['name'])}")
    return 0 if worst <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
