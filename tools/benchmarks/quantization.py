"""Accuracy, size and latency of quantized networks, measured in ONNX Runtime on labelled images, beside other tools.

    tools/bench quantization [--networks ResNet-20 ...] [--forms int8 w4 ...] [--shared DIR] [--results FILE] [--fresh]

Prints one Markdown table: top-1 of every form, how often it agrees with the float network, its bytes, how many integer
operators ONNX Runtime really runs, the milliseconds of CPU time of one image (one thread, in turns with all other forms of the
network), and the seconds that making it took. The peers are quantize_static of ONNX Runtime in QDQ form with a scale a channel
(min-max, entropy, percentile), and NNCF where it is installed; of transformers also its quantize_dynamic and MatMulNBits. All get the same inputs to calibrate on, as arrays. Networks and images
are read from DIR (or PRESS_SHARED_DIR). Results are kept in FILE, so that a run that was stopped goes on; a new build of the
command measures its own rows again.
"""
import argparse
import collections
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from quantization_data import NETWORKS, read
from quantization_peers import PEERS, TRANSFORMER_PEERS
from results import load_rows, save_rows

BATCH = 100
ROUNDS = 30  # of latency
COMMAND = "build/release/compress"
FORMS = {
    "int8": ["--type", "int8"],
    "int8, recovered": ["--type", "int8", "--recover", "fast"],
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
TRANSFORMER_FORMS = {
    "int8-dynamic": ["--type", "int8-dynamic"],
    "w4 in blocks of 32": ["--type", "w4", "--block-size", "32"],
}
OURS = FORMS | TRANSFORMER_FORMS
THEIRS = PEERS | TRANSFORMER_PEERS
FLOAT = "float32"


def session_of(path, threads=0):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def classes_of(path, inputs):
    session = session_of(path)
    node = session.get_inputs()[0]
    batch = node.shape[0] if isinstance(node.shape[0], int) else BATCH
    return np.concatenate([session.run(None, {node.name: inputs[i:i + batch]})[0].reshape(min(batch, len(inputs) - i), -1)
                           for i in range(0, len(inputs), batch)]).argmax(1)


def integer_operators(path, folder):
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    counts = collections.Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    return sum(count for kind, count in counts.items() if kind.startswith("QLinear") or kind in ("QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"))


def latencies(paths, image):
    """ms of CPU time of one image, the best of all rounds: files in turns."""
    runs = []
    for path in paths:
        session = session_of(path, 1)
        feed = {session.get_inputs()[0].name: image}
        session.run(None, feed)
        start = time.process_time()
        session.run(None, feed)
        repeat = max(1, int(0.005 / max(time.process_time() - start, 1e-6)))
        runs.append((session, feed, repeat))
    best = [float("inf")] * len(paths)
    for _ in range(ROUNDS):
        for at, (session, feed, repeat) in enumerate(runs):
            start = time.process_time()
            for _ in range(repeat):
                session.run(None, feed)
            best[at] = min(best[at], 1e3 * (time.process_time() - start) / repeat)
    return best


class Results:
    """Rows by network and form, kept in a file."""

    def __init__(self, path, fresh):
        self.path = path
        self.rows = load_rows(path, fresh)
        self.command = hashlib.sha256(Path(COMMAND).read_bytes()).hexdigest()[:16]

    def find(self, network, form):
        row = self.rows.get(network, {}).get(form)
        stale = row is not None and ("failed" in row or (form in OURS and row["command"] != self.command))
        return None if stale else row

    def keep(self, network, form, row):
        self.rows.setdefault(network, {})[form] = {**row, "command": self.command}
        save_rows(self.path, self.rows)


def ours(model, images, folder, arguments):
    np.save(folder / "images.npy", images)
    target = folder / "ours.onnx"
    subprocess.run([COMMAND, "quantize", str(model), "-o", str(target), "-q", "--force", "--calibration",
                    str(folder / "images.npy"), "--limit", "0"] + arguments, check=True)
    return target


def measure(name, network, model, forms, options, results):
    """Fills in what is missing of one network."""
    missing = [form for form in forms if results.find(name, form) is None]
    if not missing:
        return
    shared = Path(options.shared)
    inputs, labels = read(network, shared, "test")
    reference = classes_of(model, inputs)
    with tempfile.TemporaryDirectory() as place:
        folder, files, made = Path(place), {}, {}
        for form in missing:
            start = time.perf_counter()
            try:
                if form == FLOAT:
                    file = model
                else:
                    alone = form in OURS and "int8" not in OURS[form]
                    images, _ = read(network, shared, "calibration", options.samples if alone else options.samples // 10)
                    start = time.perf_counter()
                    file = (ours(model, images, folder, OURS[form]) if form in OURS else THEIRS[form](model, images, folder))
                seconds = time.perf_counter() - start
                kept = folder / f"{len(files)}.onnx"
                kept.write_bytes(Path(file).read_bytes())
                found = classes_of(kept, inputs)
                files[form] = kept
                made[form] = {
                    "top1": 100 * float((found == labels).mean()) if network.labels else None,
                    "agreement": 100 * float((found == reference).mean()), "images": len(inputs),
                    "bytes": kept.stat().st_size, "integer": integer_operators(kept, folder), "seconds": seconds,
                }
            except Exception as error:  # a peer that fails is a result, too
                if form not in THEIRS:
                    raise
                made[form] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
            print(f"{name}: {form}: {made[form]}", file=sys.stderr, flush=True)
        for form, milliseconds in zip(files, latencies(list(files.values()), inputs[:1])):
            made[form]["milliseconds"] = milliseconds
        for form, row in made.items():
            results.keep(name, form, row)


def table(results, networks, forms):
    print("| network | form | top-1 % | to float | agree % | bytes | ratio | integer operators | ms | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for network in networks:
        if network not in results.rows:
            continue
        base = results.rows[network][FLOAT]
        for form in forms:
            row = results.find(network, form)
            if row is None:
                continue
            if "failed" in row:
                print(f"| {network} | {form} | {row['failed']} | | | | | | | |")
                continue
            top1 = f"{row['top1']:.2f} | {row['top1'] - base['top1']:+.2f}" if row["top1"] is not None else "| "
            print(f"| {network} | {form} | {top1} | {row['agreement']:.2f} | {row['bytes']} | {row['bytes'] / base['bytes']:.3f} | "
                  f"{row['integer']} | {row['milliseconds']:.3f} | {row['seconds']:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    every = [FLOAT] + list(OURS) + list(THEIRS)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--forms", nargs="*", default=every, choices=every)
    parser.add_argument("--shared", default=os.environ.get("PRESS_SHARED_DIR"))
    parser.add_argument("--samples", type=int, default=2000, help="calibration images of weights alone; a tenth for int8")
    parser.add_argument("--results", type=Path, default=Path("build/bench/quantization.json"))
    parser.add_argument("--fresh", action="store_true", help="measure again what the results hold")
    options = parser.parse_args()
    if not options.shared:
        sys.exit("say where networks and images are: --shared DIR or PRESS_SHARED_DIR")
    results = Results(options.results, options.fresh)
    forms = list(dict.fromkeys([FLOAT] + options.forms))
    for name in options.networks:
        network = NETWORKS[name]
        model = network.file(options.shared)
        if not model.exists():
            print(f"{name}: there is no {network.path}", file=sys.stderr)
            continue
        wanted = [form for form in forms if network.transformer or form not in TRANSFORMER_FORMS | TRANSFORMER_PEERS]
        measure(name, network, model, wanted, options, results)
    table(results, options.networks, forms)


if __name__ == "__main__":
    main()
