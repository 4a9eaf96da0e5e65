"""Accuracy against sparsity of pruned networks, measured in ONNX Runtime on labelled images, beside other tools.

    tools/bench pruning [--networks ResNet-20 ...] [--forms lamp ...] [--sparsities 50 70] [--shared DIR] [--results FILE]
        [--picture FILE] [--fresh]

Prints a Markdown table a network: top-1 in per cent of every form at every sparsity, on the full test set. Forms of channels and
patterns stand in rows of their own, with their multiply-accumulates, bytes, and the milliseconds of CPU time of one image in ONNX
Runtime (one thread, in turns with the dense network). Peers get the same images: the masks of torch.nn.utils.prune (global, L1) and
onnxsim's pruners (magnitude, Wanda, SparseGPT), as far as they are installed. Nobody sees a label; 1,024 images calibrate (of the
ImageNet samples: a fifth). Networks and images are read from DIR (or PRESS_SHARED_DIR). Results are kept in FILE, so that a run that
was stopped goes on.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from picture import lines
from quantization_data import NETWORKS, read
from results import load_rows, save_rows

BATCH = 100
ROUNDS = 30
COMMAND = "build/release/compress"
CALIBRATION = 1024
FORMS = {
    "magnitude, local, not recovered": ["--prune", "magnitude", "--scope", "local", "--recover", "none"],
    "magnitude, global, not recovered": ["--prune", "magnitude", "--recover", "none"],
    "magnitude, global": ["--prune", "magnitude"],
    "lamp, not recovered": ["--prune", "lamp", "--recover", "none"],
    "lamp": ["--prune", "lamp"],
    "wanda": ["--prune", "wanda"],
    "second-order, not recovered": ["--prune", "second-order", "--recover", "none"],
    "second-order": ["--prune", "second-order"],
}
SHAPES = {
    "2:4, magnitude, not recovered": ["--prune", "magnitude", "--structure", "2:4", "--recover", "none"],
    "2:4, second-order": ["--prune", "second-order", "--structure", "2:4"],
    "4:8, second-order": ["--prune", "second-order", "--structure", "4:8"],
    "70 % of the MACs, magnitude, not recovered": ["--prune", "magnitude", "--structure", "channels", "--macs", "0.7",
                                                   "--recover", "none"],
    "70 % of the MACs, second-order": ["--prune", "second-order", "--structure", "channels", "--macs", "0.7"],
    "50 % of the MACs, second-order": ["--prune", "second-order", "--structure", "channels", "--macs", "0.5"],
}


def torch_global(model, sparsity, _images):
    """torch.nn.utils.prune: one threshold for the weights of all layers, L1."""
    import torch
    from torch.nn.utils import prune

    weights = layer_weights(model)
    modules = []
    for tensor in weights:
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(torch.tensor(numpy_helper.to_array(tensor)))
        modules.append((module, "weight"))
    prune.global_unstructured(modules, pruning_method=prune.L1Unstructured, amount=sparsity)
    for tensor, (module, _) in zip(weights, modules):
        tensor.CopyFrom(numpy_helper.from_array(module.weight.detach().numpy(), tensor.name))
    return model


def onnxsim_magnitude(model, sparsity, _images):
    import onnxsim
    return onnxsim.apply_magnitude_pruning(model, sparsity=sparsity)


def onnxsim_wanda(model, sparsity, images):
    import onnxsim
    return onnxsim.apply_wanda_pruning(model, calibration_data=calibration_data(model, images), sparsity=sparsity)


def onnxsim_sparsegpt(model, sparsity, images):
    import onnxsim
    return onnxsim.apply_sparsegpt_pruning(model, calibration_data=calibration_data(model, images), sparsity=sparsity)


PEERS = {"torch.nn.utils.prune, global L1": torch_global, "onnxsim magnitude": onnxsim_magnitude,
         "onnxsim Wanda": onnxsim_wanda, "onnxsim SparseGPT": onnxsim_sparsegpt}


def calibration_data(model, images):
    name = model.graph.input[0].name
    step = 32 if not model.graph.input[0].type.tensor_type.shape.dim[0].dim_value else 1
    return [{name: images[i:i + step]} for i in range(0, min(len(images), 256), step)]


def layer_weights(model):
    wanted = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}
    return [tensor for tensor in model.graph.initializer if tensor.name in wanted]


def session_of(path, threads=0):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def top1(path, inputs, labels):
    session = session_of(path)
    node = session.get_inputs()[0]
    batch = node.shape[0] if isinstance(node.shape[0], int) else BATCH
    scores = [session.run(None, {node.name: inputs[i:i + batch]})[0].reshape(min(batch, len(inputs) - i), -1)
              for i in range(0, len(inputs), batch)]
    return 100 * float((np.concatenate(scores).argmax(1) == labels).mean())


def milliseconds(paths, image):
    """CPU time of one image, the least of many runs in turns."""
    sessions = [session_of(path, 1) for path in paths]
    least = [float("inf")] * len(paths)
    for _ in range(ROUNDS):
        for i, session in enumerate(sessions):
            name = session.get_inputs()[0].name
            start = time.process_time()
            for _ in range(5):
                session.run(None, {name: image})
            least[i] = min(least[i], (time.process_time() - start) * 200)
    return least


def ours(model, arguments, images, folder):
    target, report = folder / "ours.onnx", folder / "report.json"
    subprocess.run([COMMAND, "optimize", str(model), "-o", str(target), "-q", "--force", "--fuse", "--json", str(report),
                    "--calibration", str(images), "--limit", "0"] + arguments, check=True, stderr=subprocess.DEVNULL)
    return target, json.loads(report.read_text())


class Bench:
    def __init__(self, options):
        self.options = options
        self.path = options.results
        self.rows = load_rows(self.path, options.fresh)

    def keep(self, network, form, column, row):
        self.rows.setdefault(network, {}).setdefault(form, {})[column] = row
        save_rows(self.path, self.rows)

    def find(self, network, form, column):
        return self.rows.get(network, {}).get(form, {}).get(column)

    def run(self, name):
        network, shared = NETWORKS[name], Path(self.options.shared)
        model = network.file(shared)
        columns = [str(sparsity) for sparsity in self.options.sparsities]
        wanted = [("float32", "")] + [(form, "") for form in SHAPES if form in self.options.forms]
        wanted += [(form, column) for form in [*FORMS, *PEERS] if form in self.options.forms for column in columns]
        missing = [cell for cell in wanted if self.find(name, *cell) is None]
        if not missing:
            return
        inputs, labels = read(network, shared, "test")
        images, _ = read(network, shared, "calibration", CALIBRATION)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            np.save(folder / "images.npy", images[:CALIBRATION])
            dense = folder / "dense.onnx"
            subprocess.run([COMMAND, "optimize", str(model), "-o", str(dense), "-q", "--fuse"], check=True)
            for form, column in missing:
                self.keep(name, form, column, self.cell(form, column, model, dense, folder, inputs, labels, images))
                print(f"{name}, {form} {column}: {self.find(name, form, column)}", file=sys.stderr, flush=True)

    def cell(self, form, column, model, dense, folder, inputs, labels, images):
        start = time.perf_counter()
        if form == "float32":
            return {"top1": top1(model, inputs, labels), "bytes": model.stat().st_size}
        if form in PEERS:
            try:
                target = folder / "peer.onnx"
                onnx.save(PEERS[form](onnx.load(dense), int(column) / 100, images), target)
                return {"top1": top1(target, inputs, labels), "seconds": time.perf_counter() - start}
            except Exception as error:  # whatever a tool throws is its result
                return {"failed": f"{type(error).__name__}: {error}"[:200]}
        arguments = SHAPES[form] if form in SHAPES else FORMS[form] + ["--sparsity", str(int(column) / 100)]
        target, report = ours(model, arguments, folder / "images.npy", folder)
        row = {"seconds": time.perf_counter() - start, "top1": top1(target, inputs, labels)}
        if "channels" in arguments:
            before, after = milliseconds([dense, target], inputs[:1])
            macs = report["after"]["multiply_accumulates"] / report["before"]["multiply_accumulates"]
            row |= {"macs": macs, "bytes": target.stat().st_size / dense.stat().st_size, "time": after / before}
        return row

    def print(self, name):
        rows, columns = self.rows.get(name, {}), [str(sparsity) for sparsity in self.options.sparsities]
        if "float32" not in rows:
            return
        base = rows["float32"][""]["top1"]
        print(f"\n{name}: {base:.2f} % in float32\n\n| criterion | " + " | ".join(f"{c} %" for c in columns) + " |")
        print("|---|" + "---|" * len(columns))
        for form in [*FORMS, *PEERS]:
            cells = [rows.get(form, {}).get(column) for column in columns]
            if any(cells):
                print(f"| {form} | " + " | ".join("" if cell is None else f"{cell['top1']:.2f}" if "top1" in cell else "failed"
                                                  for cell in cells) + " |")
        shapes = [(form, rows[form][""]) for form in SHAPES if form in rows]
        if shapes:
            print("\n| structure | top-1 | to float32 | MACs | bytes | time in ONNX Runtime |\n|---|---|---|---|---|---|")
        for form, row in shapes:
            parts = [f"{row[key]:.2f}" if key in row else "" for key in ("macs", "bytes", "time")]
            print(f"| {form} | {row['top1']:.2f} | {row['top1'] - base:+.2f} | " + " | ".join(parts) + " |")

    def draw(self, name, path):
        forms = ["magnitude, global, not recovered", "lamp, not recovered", "magnitude, global", "lamp", "second-order", "onnxsim Wanda",
                 "onnxsim SparseGPT"]
        rows, columns = self.rows[name], [str(sparsity) for sparsity in self.options.sparsities]
        series = {form: [(int(column), rows[form][column]["top1"]) for column in columns if "top1" in rows[form].get(column, {})]
                  for form in forms if form in rows}
        path.write_text(lines(f"Accuracy against sparsity, {name}", "zeros among the weights, %", "top-1, %", series))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", default=[name for name, network in NETWORKS.items() if network.labels],
                        choices=list(NETWORKS))
    parser.add_argument("--forms", nargs="*", default=[*FORMS, *PEERS, *SHAPES], choices=[*FORMS, *PEERS, *SHAPES])
    parser.add_argument("--sparsities", nargs="*", type=int, default=[30, 50, 60, 70, 80, 90])
    parser.add_argument("--shared", default=os.environ.get("PRESS_SHARED_DIR"))
    parser.add_argument("--results", type=Path, default=Path("build/bench/pruning.json"))
    parser.add_argument("--picture", type=Path, help="draw top-1 against sparsity of the first network")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    options = parser.parse_args()
    if not options.shared:
        sys.exit("say where networks and images are: --shared DIR or PRESS_SHARED_DIR")
    bench = Bench(options)
    for name in options.networks:
        bench.run(name)
    for name in options.networks:
        bench.print(name)
    if options.picture:
        bench.draw(options.networks[0], options.picture)


if __name__ == "__main__":
    main()
