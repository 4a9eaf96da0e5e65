"""Accuracy and size of quantized networks, measured in ONNX Runtime on labelled images, beside onnxruntime.quantization.

    tools/bench quantization [--networks ResNet-20 ...] [--forms int8 w4 ...] [--shared DIR] [--samples N]

Prints one Markdown table: top-1 (or agreement with the float network) of every form, its bytes, how many integer operators
ONNX Runtime really runs, and the seconds that making it took. The peer is quantize_static in QDQ form with a scale a channel,
the best of its min-max, entropy and percentile calibrations. Both sides see the same calibration images. Networks and images are
read from DIR (or PRESS_SHARED_DIR).
"""
import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

BATCH = 100
CIFAR = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "scale": 1 / 255}
NETWORKS = {
    "ResNet-20": ("models/accuracy/akamaster_resnet20_cifar10_op17_bn.onnx", "data/cifar10", CIFAR),
    "ResNet-32": ("models/accuracy/akamaster_resnet32_cifar10_op13_bn.onnx", "data/cifar10", CIFAR),
    "ResNet-56": ("models/accuracy/akamaster_resnet56_cifar10_op13_bn.onnx", "data/cifar10", CIFAR),
}
FORMS = {
    "int8": ["--type", "int8"],
    "int8, not recovered": ["--type", "int8", "--recover", "none"],
    "W4A8": ["--type", "int8", "--weight-bits", "4"],
    "w8": ["--type", "w8"],
    "w4": ["--type", "w4"],
    "w4, full": ["--type", "w4", "--recover", "full"],
    "w3": ["--type", "w3"],
    "w3, full": ["--type", "w3", "--recover", "full"],
    "w2": ["--type", "w2"],
    "w2, full": ["--type", "w2", "--recover", "full"],
    "w4, not recovered": ["--type", "w4", "--recover", "none"],
}


def read_images(folder, steps, limit=None):
    from PIL import Image

    classes = sorted(folder.iterdir())
    each = None if limit is None else -(-limit // len(classes))
    files = [(file, label) for label, kind in enumerate(classes) for file in sorted(kind.iterdir())[:each]]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file, _ in files]).transpose(0, 3, 1, 2)
    shape = (1, 3, 1, 1)
    mean, std = (np.array(steps[key], np.float32).reshape(shape) for key in ("mean", "std"))
    return ((pixels * np.float32(steps["scale"]) - mean) / std).astype(np.float32), np.array([label for _, label in files])


def classes_of(path, inputs):
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: inputs[i:i + BATCH]})[0] for i in range(0, len(inputs), BATCH)]).argmax(1)


def integer_operators(path, folder):
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    counts = collections.Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    return sum(count for kind, count in counts.items() if kind.startswith("QLinear") or kind in ("QGemm", "MatMulIntegerToFloat"))


def peer_forms(model, images, folder):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, name):
            self.batches = iter([{name: images[i:i + 1]} for i in range(len(images))])

        def get_next(self):
            return next(self.batches, None)

    prepared = str(folder / "prepared.onnx")
    quant_pre_process(str(model), prepared)
    name = onnx.load(prepared).graph.input[0].name
    for method in (CalibrationMethod.MinMax, CalibrationMethod.Entropy, CalibrationMethod.Percentile):
        target = str(folder / f"peer_{method.name}.onnx")
        start = time.perf_counter()
        quantize_static(prepared, target, Reader(name), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=method)
        yield method.name, target, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--shared", default=os.environ.get("PRESS_SHARED_DIR"))
    parser.add_argument("--samples", type=int, default=1000, help="calibration images of weights alone; a fifth for int8")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    if not options.shared:
        sys.exit("say where networks and images are: --shared DIR or PRESS_SHARED_DIR")
    shared = Path(options.shared)
    print("| network | form | top-1 % | to float | agree % | bytes | ratio | integer operators | seconds |\n|---|---|---|---|---|---|---|---|---|")
    for network in options.networks:
        path, data, steps = NETWORKS[network]
        model = shared / path
        inputs, labels = read_images(shared / data / "test", steps)
        reference = classes_of(str(model), inputs)
        base, size = 100 * (reference == labels).mean(), model.stat().st_size

        def row(form, file, seconds):
            found = classes_of(str(file), inputs)
            top1 = 100 * (found == labels).mean()
            bytes_ = Path(file).stat().st_size
            print(f"| {network} | {form} | {top1:.2f} | {top1 - base:+.2f} | {100 * (found == reference).mean():.2f} | {bytes_} | "
                  f"{bytes_ / size:.3f} | {integer_operators(str(file), folder)} | {seconds:.1f} |", flush=True)

        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            row("float32", model, 0)
            for form in options.forms:
                target = folder / "ours.onnx"
                target.unlink(missing_ok=True)
                count = options.samples // 5 if "int8" in FORMS[form] else options.samples
                command = ["build/release/compress", "quantize", str(model), "-o", str(target), "-q", "--calibration",
                           str(shared / data / "calibration"), "--limit", str(count)]
                command += ["--scale", str(steps["scale"])]
                for key in ("mean", "std"):
                    command += [f"--{key}", ",".join(map(str, steps[key]))]
                start = time.perf_counter()
                subprocess.run(command + FORMS[form], check=True)
                row(form, target, time.perf_counter() - start)
            if options.no_peer:
                continue
            images, _ = read_images(shared / data / "calibration", steps, options.samples // 5)
            for method, target, seconds in peer_forms(model, images, folder):
                row(f"onnxruntime.quantization {method}", target, seconds)


if __name__ == "__main__":
    main()
