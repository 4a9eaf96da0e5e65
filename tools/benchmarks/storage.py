"""Bytes against accuracy of packed files, measured in ONNX Runtime on labelled images.

    tools/bench storage [--networks ResNet-20 ...] [--forms "3 bits" ...] [--shared DIR] [--results FILE] [--picture FILE] [--fresh]

Prints a Markdown table: bytes, how many times smaller than the float32 file, top-1 on the full test set, the time of creating a
session beside that of the expanded file (`compress expand`), the ratio of run times of the two (one image, one thread, in turns,
median), and the largest difference of their outputs. The smallest file within one point of a network's accuracy is bold. Nobody sees a
label; 2,000 images calibrate (of the ImageNet samples: a fifth). Networks and images are read from DIR (or PRESS_SHARED_DIR). Results
are kept in FILE, so that a run that was stopped goes on; --picture draws top-1 against size from them.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from picture import lines
from pruning import COMMAND, session_of, top1
from quantization_data import NETWORKS, read
from results import load_rows, save_rows

CALIBRATION = 2000  # images, as smallest.toml takes
COMPARED = 64  # images whose outputs are compared
LOADS = 7
ROUNDS = 60
PACKED = ["--fuse", "--store", "auto", "--strip"]
FORMS = {
    "2 bits (smallest.toml)": ["--recipe", "tools/recipes/smallest.toml"],
    "3 bits": [*PACKED, "--quantize", "w3", "--recover", "full"],
    "4 bits": [*PACKED, "--quantize", "w4"],
    "65 % pruned, 3 bits": [*PACKED, "--prune", "second-order", "--sparsity", "0.65", "--quantize", "w3", "--recover", "full"],
    "50 % pruned, 4 bits": [*PACKED, "--prune", "second-order", "--sparsity", "0.5", "--quantize", "w4"],
    "int8": [*PACKED, "--quantize", "int8"],
    "30 % pruned, int8": [*PACKED, "--prune", "second-order", "--sparsity", "0.3", "--quantize", "int8"],
    "80 % pruned, int8": [*PACKED, "--prune", "second-order", "--sparsity", "0.8", "--quantize", "int8"],
    "8 shared values": [*PACKED, "--cluster", "8"],
    "50 % pruned, 16 shared values": [*PACKED, "--prune", "second-order", "--sparsity", "0.5", "--cluster", "16"],
}


def outputs(session, images):
    name, batch = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
    step = batch if isinstance(batch, int) else len(images)
    return np.concatenate([session.run(None, {name: images[i:i + step]})[0] for i in range(0, len(images), step)])


def load_milliseconds(paths):
    """Of each file the least of several loads, in turns."""
    least = [float("inf")] * len(paths)
    for _ in range(LOADS):
        for i, path in enumerate(paths):
            start = time.process_time()
            session_of(path, 1)
            least[i] = min(least[i], (time.process_time() - start) * 1000)
    return least


def run_ratio(paths, image):
    """CPU time of one image of the first file in parts of the second's: the median of runs in turns."""
    sessions, ratios = [session_of(path, 1) for path in paths], []
    for _ in range(ROUNDS):
        times = []
        for session in sessions:
            name = session.get_inputs()[0].name
            start = time.process_time()
            for _ in range(5):
                session.run(None, {name: image})
            times.append(time.process_time() - start)
        ratios.append(times[0] / times[1])
    return float(np.median(ratios))


def measure(form, model, folder, inputs, labels):
    packed, plain = folder / "packed.onnx", folder / "plain.onnx"
    start = time.perf_counter()
    subprocess.run([COMMAND, "optimize", str(model), "-o", str(packed), "-q", "--force", "--calibration", str(folder / "images.npy"),
                    "--limit", "0", *FORMS[form]], check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    subprocess.run([COMMAND, "expand", str(packed), "-o", str(plain), "-q", "--force"], check=True)
    sessions = [session_of(packed), session_of(plain)]
    few = [outputs(session, inputs[:COMPARED]) for session in sessions]
    loads = load_milliseconds([packed, plain])
    return {"bytes": packed.stat().st_size, "seconds": seconds, "top1": top1(packed, inputs, labels), "load": loads[0],
            "dense load": loads[1], "time": run_ratio([packed, plain], inputs[:1]),
            "difference": float(np.abs(few[0] - few[1]).max())}


class Bench:
    def __init__(self, options):
        self.options = options
        self.path = options.results
        self.rows = load_rows(self.path, options.fresh)

    def run(self, name):
        network, shared = NETWORKS[name], Path(self.options.shared)
        model = network.file(shared)
        rows = self.rows.setdefault(name, {})
        missing = [form for form in ["float32", *self.options.forms] if form not in rows]
        if not missing:
            return
        inputs, labels = read(network, shared, "test")
        images, _ = read(network, shared, "calibration", CALIBRATION)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            np.save(folder / "images.npy", images[:CALIBRATION])
            for form in missing:
                rows[form] = ({"bytes": model.stat().st_size, "top1": top1(model, inputs, labels)} if form == "float32"
                              else measure(form, model, folder, inputs, labels))
                save_rows(self.path, self.rows)
                print(f"{name}, {form}: {rows[form]}", file=sys.stderr, flush=True)

    def print(self):
        print("| network | form | kB | smaller by | top-1 | load, ms | plain, ms | run time | outputs differ by |")
        print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
        for name in self.options.networks:
            rows = self.rows.get(name, {})
            if "float32" not in rows:
                continue
            base = rows["float32"]
            within = [form for form, row in rows.items() if form != "float32" and row["top1"] >= base["top1"] - 1]
            best = min(within, key=lambda form: rows[form]["bytes"], default=None)
            print(f"| {name} | float32 | {base['bytes'] / 1000:.0f} | | {base['top1']:.2f} | | | | |")
            for form in FORMS:
                if form not in rows:
                    continue
                row, mark = rows[form], "**" if form == best else ""
                print(f"| | {mark}{form}{mark} | {mark}{row['bytes'] / 1000:.1f}{mark} | {base['bytes'] / row['bytes']:.1f} | "
                      f"{mark}{row['top1']:.2f} ({row['top1'] - base['top1']:+.2f}){mark} | {row['load']:.1f} | "
                      f"{row['dense load']:.1f} | {row['time']:.2f} | {row['difference']:.1g} |")

    def draw(self, path):
        """Each network's packed files by size, in parts of float32; those are left out that a smaller one beats."""
        series = {}
        for name in self.options.networks:
            rows = self.rows.get(name, {})
            points = [(100 * row["bytes"] / rows["float32"]["bytes"], row["top1"] - rows["float32"]["top1"])
                      for form, row in rows.items() if form != "float32"]
            if points:
                series[name] = [point for point in points if all(other[0] >= point[0] or other[1] < point[1] for other in points)]
                series[name].sort()
        path.write_text(lines("Accuracy against size", "bytes, % of the float32 file", "top-1, points to float32", series, -12))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", default=[name for name, network in NETWORKS.items() if network.labels],
                        choices=list(NETWORKS))
    parser.add_argument("--forms", nargs="*", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--shared", default=os.environ.get("PRESS_SHARED_DIR"))
    parser.add_argument("--results", type=Path, default=Path("build/bench/storage.json"))
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    options = parser.parse_args()
    if not options.shared:
        sys.exit("say where networks and images are: --shared DIR or PRESS_SHARED_DIR")
    bench = Bench(options)
    for name in options.networks:
        bench.run(name)
    bench.print()
    if options.picture:
        bench.draw(options.picture)


if __name__ == "__main__":
    main()
