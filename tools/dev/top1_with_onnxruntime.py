#!/usr/bin/env python3
"""Compares the top-1 and top-5 that `compress evaluate` reports with those that ONNX Runtime gives for the same files.

    compress evaluate *.onnx --images SET --preprocess PRESET --json report.json
    tools/dev/top1_with_onnxruntime.py report.json [--tolerance 0.1]

The image set is the one that the report names: an IDX file (plain or .gz, labels beside it), a CSV of filename,label, or a
folder with a sub-folder a class. Decoding and preprocessing are written here once more, with Pillow and NumPy. Counts the
integer operators of the graph that ONNX Runtime really runs. Exit codes: 0 all within the tolerance (points), 1 otherwise. Needs the
Python packages numpy, onnx, onnxruntime and pillow; for development only.
"""
import argparse
import collections
import csv
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


def prepared(image, description):
    """Pillow's image as [C,H,W] of 0 to 255, resized and cropped as the report's own words say."""
    from PIL import Image

    filters = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
    image = image.convert("RGB")
    if side := re.search(r"shorter side (\d+) (\w+)", description):
        pixels = int(side[1])
        width, height = image.size
        short, long = min(width, height), max(width, height)
        longer = int(pixels * long / short)
        image = image.resize((pixels, longer) if width <= height else (longer, pixels), filters[side[2]])
    elif size := re.search(r"resize (\d+)x(\d+) (\w+)", description):
        image = image.resize((int(size[2]), int(size[1])), filters[size[3]])
    if crop := re.search(r"crop (\d+)x(\d+)", description):
        height, width = int(crop[1]), int(crop[2])
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        image = image.crop((left, top, left + width, top + height))
    channels = np.asarray(image).transpose(2, 0, 1)
    return channels[::-1] if re.search(r"\bbgr\b", description) else channels


def read_samples(path, description):
    """Pixels [N,C,H,W] of 0 to 255 and labels [N]."""
    from PIL import Image, ImageOps

    if path.suffix == ".csv":
        with open(path, newline="") as file:
            files = [(path.parent / row["filename"], int(row["label"])) for row in csv.DictReader(file)]
    elif path.is_dir():
        files = [(file, label) for label, folder in enumerate(sorted(path.iterdir())) for file in sorted(folder.iterdir())]
    else:
        labels = Path(str(path).replace("images-idx3", "labels-idx1"))
        return read_idx(path)[:, None], read_idx(labels)
    pixels = np.stack([prepared(ImageOps.exif_transpose(Image.open(file)), description) for file, _ in files])
    return pixels, np.array([label for _, label in files])


def normalise(pixels, description):
    def numbers(name, fallback):
        found = re.search(rf"{name} \[?([-0-9.e, ]+)\]?", description)
        text = found[1].strip(" ,") if found else str(fallback)
        return np.array([float(number) for number in text.split(",")], np.float32).reshape(1, -1, 1, 1)

    values = (pixels.astype(np.float32) * numbers("scale", 1) - numbers("mean", 0)) / numbers("std", 1)
    values = values.astype(np.float32)
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)) if "nhwc" in description else values


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
    parser.add_argument("--tolerance", type=float, default=0.1, help="points of top-1 and top-5 (default: 0.1)")
    options = parser.parse_args()
    report = json.load(open(options.report))
    pixels, labels = read_samples(Path(report["images"]), report["preprocess"])
    inputs = normalise(pixels, report["preprocess"])

    worst = 0.0
    for model in report["models"]:
        session = ort.InferenceSession(model["name"], providers=["CPUExecutionProvider"])
        name, batch = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
        step = batch if isinstance(batch, int) else BATCH
        outputs = [session.run(None, {name: inputs[i:i + step]})[0] for i in range(0, len(inputs), step)]
        scores = np.concatenate(outputs).reshape(len(inputs), -1)
        best = np.argsort(-scores, axis=1, kind="stable")
        for k, key in ((1, "top1_count"), (5, "top5_count")):
            hits = int((best[:, :k] == labels[:, None]).any(1).sum())
            difference = hits - model[key]
            worst = max(worst, abs(100 * difference / len(inputs)))
            print(f"{Path(model['name']).name}: top-{k} of {len(inputs)} images: ours {model[key]}, ONNX Runtime {hits}, "
                  f"difference {difference:+d}")
        print(f"  {integer_operators(model['name'])}")
    return 0 if worst <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
