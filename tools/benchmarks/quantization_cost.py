"""Time and memory of static int8 quantization, whole processes in turns, beside quantize_static of onnxruntime.quantization.

    tools/bench quantization_cost IMAGES [--model FILE] [--samples N] [--peer-samples N] [--threads N] [--observers min-max entropy]

IMAGES is a folder with pictures of at least 224 x 224; the model is a ResNet-50 of random weights unless given. Both sides decode the same
files, cut out the centre and quantize with a scale a channel. The histograms of the peer keep every activation of every image: --peer-samples
lets it see fewer, twice, and what N samples would take is told from the difference (marked with ~).
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PICTURES = """
import sys
import numpy as np
from PIL import Image
mean, std = (np.array(x, np.float32).reshape(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
def read(file):
    image = Image.open(file).convert("RGB")
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32).transpose(2, 0, 1) / 255
    return ((pixels - mean) / std)[None].astype(np.float32)
"""
# A network of random weights gets the labels that it gives, so that nobody doubts the pictures.
PREPARE = PICTURES + """
import onnx
import onnxruntime
from networks import NETWORKS
model, make, labels, *files = sys.argv[1:]
if make:
    onnx.save(NETWORKS[make](), model)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
with open(labels, "w") as table:
    for file in files:
        print(file, session.run(None, {name: read(file)})[0].argmax(), sep=",", file=table)
"""
PEER = PICTURES + """
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
model, target, method, *files = sys.argv[1:]
class Reader(CalibrationDataReader):
    def __init__(self):
        self.files = iter(files)
    def get_next(self):
        file = next(self.files, None)
        return None if file is None else {"input": read(file)}
quantize_static(model, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[method])
"""


def measured(command):
    """Wall seconds, CPU seconds and peak MB of a process. (A child counts the memory of its parent before it became another program, so
    that this one has to stay small.)"""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(command[:6])} ...")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--peer-samples", type=int, help="default: as many; 16 for entropy")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--observers", nargs="*", default=["min-max", "entropy"], choices=["min-max", "entropy"])
    options = parser.parse_args()
    files = [str(file.resolve()) for file in sorted(options.images.iterdir()) if file.suffix.lower() in (".jpg", ".jpeg", ".png")]
    files = files[:options.samples]
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    print(f"{len(files)} images\n\n| observer | tool | wall s | CPU s | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = options.model or str(folder / "resnet50.onnx")
        make = "resnet50" if options.model is None else ""
        subprocess.run([sys.executable, "-c", PREPARE, model, make, str(folder / "images.csv")] + files, check=True,
                       cwd=Path(__file__).parent)
        for observer in options.observers:
            row = measured(["build/release/compress", "quantize", model, "-o", str(folder / "ours.onnx"), "--force", "-q",
                            "--observer", observer, "--calibration", str(folder / "images.csv"), "--limit", "0",
                            "--preprocess", "imagenet", "--threads", str(options.threads)])
            print(f"| {observer} | compress | {row[0]:.1f} | {row[1]:.1f} | {row[2]:.0f} |", flush=True)
            method = {"min-max": "MinMax", "entropy": "Entropy"}[observer]
            count = options.peer_samples or (len(files) if observer == "min-max" else 16)

            def peer(number):
                return measured([sys.executable, "-c", PEER, model, str(folder / "peer.onnx"), method] + files[:number])

            row, told = peer(count), ""
            if count < len(files):
                half = peer(count // 2)
                row = [a + (a - b) * (len(files) - count) / (count - count // 2) for a, b in zip(row, half)]
                told = "~"
            print(f"| {observer} | onnxruntime.quantization | {told}{row[0]:.1f} | {told}{row[1]:.1f} | {told}{row[2]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
