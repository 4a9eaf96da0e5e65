"""Time and memory of the built-in runtime beside ONNX Runtime's: same files, same inputs, same number of threads.

    tools/bench runtime [--threads N] [--seconds S] [--rounds N] [--cpu-time] [--only TEXT] [--folder build/bench]

Both take turns, one stretch of runs after the other, so that what else the machine does meets both alike; the figures are
medians over all runs, the ratio is that of the medians (above 1: we are faster). Peak memory is what a process of its
own adds to itself by loading a model and running it once. Networks are made once and kept in the folder: shapes of
ResNet-50, MobileNetV2 and a BERT encoder with random weights, in float32 and in int8 (QDQ, made by ONNX Runtime's own
quantizer: uint8 activations, int8 weights for each channel), and the demo networks of this project (int8: by compress).
The table goes to stdout and, with all figures, to runtime.json in the folder.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import numpy_helper

import networks

RELEASE = pathlib.Path("build/release")
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
SIZES = {"resnet50": (1, 8), "mobilenetv2": (1, 8), "encoder384": (1, 8), "encoder768": (1, 8),
         "fashion_mnist_resnet": (1, 64), "fashion_mnist_mobilenetv2": (1, 64)}


def quantize(source, target, shape):
    import logging

    from onnxruntime import quantization

    logging.disable(logging.WARNING)

    class Samples(quantization.CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(2)
            self.left = [{"input": random.standard_normal(shape).astype(np.float32)} for _ in range(2)]

        def get_next(self):
            return self.left.pop() if self.left else None

    quantization.quantize_static(
        source, target, Samples(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)


def make(name, folder):
    """The files of a network: {"fp32": path, "int8": path}; None for what cannot be made here."""
    files = {form: folder / f"{name}-{form}.onnx" for form in ("fp32", "int8")}
    if name.startswith("fashion_mnist"):
        files["fp32"] = pathlib.Path("models") / f"{name}.onnx"
        if not FASHION.exists():
            print(f"{name}: no int8 without {FASHION}", file=sys.stderr)
            files["int8"] = None
        elif not files["int8"].exists():
            subprocess.run([RELEASE / "compress", "optimize", files["fp32"], "-o", files["int8"], "--quiet", "--fuse",
                            "--quantize", "int8", "--preprocess", "fashion-mnist", "--calibration",
                            FASHION / "train-images-idx3-ubyte.gz"], check=True)
        return files
    if not files["int8"].exists():
        model = networks.NETWORKS[name]()
        onnx.save(model, files["fp32"])
        dims = [d.dim_value or 1 for d in model.graph.input[0].type.tensor_type.shape.dim]
        quantize(files["fp32"], files["int8"], dims)
    return files


def input_of(path, batch):
    value = onnx.load(path, load_external_data=False).graph.input[0]
    shape = [d.dim_value or batch for d in value.type.tensor_type.shape.dim]
    return value.name, np.random.default_rng(1).standard_normal(shape).astype(np.float32)


class Ours:
    """run_model as a server: a line with a number of runs is answered with the milliseconds of each."""

    def __init__(self, path, array, threads, cpu_time):
        self.folder = tempfile.TemporaryDirectory()
        file = pathlib.Path(self.folder.name) / "input.pb"
        file.write_bytes(numpy_helper.from_array(array).SerializeToString())
        self.process = subprocess.Popen(
            [RELEASE / "run_model", path, self.folder.name, "--threads", str(threads), "--serve", *(["--cpu-time"] if cpu_time else []), file],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run(1)

    def run(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def close(self):
        """Ends the process; returns the bytes that it added to itself."""
        self.process.stdin.close()
        added = int(self.process.stdout.readline())
        self.process.wait()
        self.folder.cleanup()
        return added


class Theirs:
    def __init__(self, path, array, threads, cpu_time):
        self.process = subprocess.Popen([sys.executable, __file__, "--serve-onnxruntime", path, str(threads), str(int(cpu_time))],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(array.shape) + "\n")
        self.run(1)

    run = Ours.run

    def close(self):
        self.process.stdin.close()
        added = int(self.process.stdout.readline())
        self.process.wait()
        return added


def memory(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def serve_onnxruntime(path, threads, cpu_time):
    import onnxruntime

    shape = json.loads(sys.stdin.readline())
    array = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    clock = time.process_time if cpu_time else time.perf_counter
    before = memory("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: array}
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = clock()
            session.run(None, feeds)
            times.append((clock() - start) * 1e3)
        print(*times, flush=True)
    print(memory("VmHWM") - before, flush=True)


def compare(path, batch, options):
    """Medians (ms a run) and added peak memory (bytes) of both."""
    _, array = input_of(path, batch)
    runners = [kind(path, array, options.threads, options.cpu_time) for kind in (Ours, Theirs)]
    warm = [statistics.median(runner.run(3)) for runner in runners]
    stretch = [max(1, int(options.seconds * 1e3 / options.rounds / ms)) for ms in warm]
    times = [[], []]
    for turn in range(options.rounds):
        for which in ((0, 1), (1, 0))[turn % 2]:
            runners[which].run(1)  # wakes its threads
            times[which] += runners[which].run(stretch[which])
    return [statistics.median(ms) for ms in times], [runner.close() for runner in runners]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu-time", action="store_true",
                        help="CPU time instead of the wall clock: for one thread on a busy machine")
    parser.add_argument("--seconds", type=float, default=4, help="of each runtime for a row of the table")
    parser.add_argument("--rounds", type=int, default=8, help="turns that both take")
    parser.add_argument("--only", default="", help="rows whose name contains this, as 'resnet50 int8 batch 8'")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    clock = "CPU time" if options.cpu_time else "wall clock"
    print(f"{options.threads} threads; ms of {clock} an image (median); peak: MB that a process adds to itself")
    print("| network | form | batch | ours ms | ONNX Runtime ms | ratio | of our fp32 | ours MB | ONNX Runtime MB |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, batches in SIZES.items():
        wanted = [(form, batch) for form in ("fp32", "int8") for batch in batches
                  if options.only in f"{name} {form} batch {batch}"]
        if not wanted:
            continue
        files = make(name, options.folder)
        for form, batch in wanted:
            if files[form] is None:
                continue
            times, peaks = compare(files[form], batch, options)
            ours, theirs = (ms / batch for ms in times)
            rows.append({"network": name, "form": form, "batch": batch, "ours_ms": ours, "onnxruntime_ms": theirs,
                         "ours_bytes": peaks[0], "onnxruntime_bytes": peaks[1]})
            plain = [row for row in rows if row["network"] == name and row["batch"] == batch and row["form"] == "fp32"]
            gain = f"{plain[0]['ours_ms'] / ours:.2f} x" if form == "int8" and plain else ""
            print(f"| {name} | {form} | {batch} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f} | {gain} | "
                  f"{peaks[0] / 1e6:.0f} | {peaks[1] / 1e6:.0f} |", flush=True)
    (options.folder / "runtime.json").write_text(json.dumps({"threads": options.threads, "rows": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve-onnxruntime"]:
        serve_onnxruntime(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1")
    else:
        sys.exit(main())
