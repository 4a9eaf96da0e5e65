#!/usr/bin/env python3
"""Graph optimization beside onnxsim, onnxslim and onnxoptimizer: nodes, bytes, time, memory, and what ONNX Runtime makes
of the results. Prints tables in Markdown, and below them every model where another tool leaves fewer nodes, the result
is slower in ONNX Runtime, or compress is less than 10 times faster (files over 1 MB).

    tools/bench graph MODEL... [--repeats 3] [--runs 20] [--budget 1.0]

Time is what a user waits for: wall time of a process from start to end, Python and its imports included, the median of
--repeats runs of all tools in turn. Beside it, so that nobody is misled, the call alone: load, optimize and save in a
fork of a process that has imported the tool already, where compress is still measured as a whole command. Memory is the
process's peak. Latency is processor time of one thread of ONNX Runtime at its defaults, the least of --runs runs taken
in turns (at most --budget seconds a model). Tools that are not installed are left out. Needs the command `time`.
"""
import argparse
import importlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort

COMPRESS = pathlib.Path(os.environ.get("PRESS_COMPRESS") or pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "compress")
TOOLS = {
    "onnxsim": lambda module, model: module.simplify(model)[0],
    "onnxslim": lambda module, model: module.slim(model),
    "onnxoptimizer": lambda module, model: module.optimize(model),
}
WHOLE = {  # what the tools' users run
    "onnxsim": "import sys, onnx, onnxsim\nonnx.save(onnxsim.simplify(onnx.load(sys.argv[1]))[0], sys.argv[2])",
    "onnxslim": "import sys, onnx, onnxslim\nonnx.save(onnxslim.slim(onnx.load(sys.argv[1])), sys.argv[2])",
    "onnxoptimizer": "import sys, onnx, onnxoptimizer\nonnx.save(onnxoptimizer.optimize(onnx.load(sys.argv[1])), sys.argv[2])",
}
# Why another tool may leave fewer nodes; by a part of the model's name.
REASONS = {
    "test_model_0_no_opt": "its shapes contradict each other, so that it runs nowhere, and nothing that needs them is done",
    "light_": "the weights are made by ConstantOfShape: folded, the file would grow from kilobytes to hundreds of megabytes",
    "Autoencoder1D": "the file lists its weights as inputs, which callers may override (--freeze-initializers folds them)",
    "Transformer_DeepQuant": "the file lists its constants as inputs, which callers may override (--freeze-initializers folds them)",
}
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
         "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
DIMS = (1, 32, 64, 512)  # tried for dims that a file leaves open


def measured(command):
    """Processor seconds and peak bytes of a command; None where it fails."""
    cost = cost_of(command)
    return cost and (cost[1], cost[2])


def cost_of(command):
    """Wall seconds, processor seconds and peak bytes of a command; None where it fails."""
    # `time` keeps the memory of this process, which a child has until it starts the command, out of the peak; its own
    # seconds are in steps of 10 ms, those of wait4() are not.
    with tempfile.NamedTemporaryFile("r") as report:
        start = time.perf_counter()
        process = subprocess.Popen(["time", "-q", "-f", "%M", "-o", report.name, *command], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        kilobytes = report.read().split()[-1]
    return None if process.returncode else (wall, usage.ru_utime + usage.ru_stime, int(kilobytes) * 1024)


def forked(tool, module, source, target):
    """Wall seconds of another tool's call, in a fork of this process; None where it fails."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            onnx.save(TOOLS[tool](module, onnx.load(source)), target)
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status, _ = os.wait4(child, 0)
    return None if status else time.perf_counter() - start


def node_count(graph):
    inner = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return len(graph.node) + sum(node_count(one) for one in inner)


def facts(path):
    return node_count(onnx.load(path, load_external_data=False).graph), path.stat().st_size


def feeds_for(session, dim):
    random = np.random.default_rng(1)
    feeds = {}
    for value in session.get_inputs():
        shape = [extent if isinstance(extent, int) and extent > 0 else dim for extent in value.shape]
        dtype = TYPES[value.type]
        feeds[value.name] = (random.uniform(0, 1, shape) if np.issubdtype(dtype, np.floating)
                             else random.integers(0, 2, shape)).astype(dtype)
    return feeds


def open_session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def latencies(before, after, runs, budget):
    """The least milliseconds of a run of both; None where ONNX Runtime does not run them."""
    sessions = [open_session(before), open_session(after)]
    for dim in DIMS:
        try:
            feeds = feeds_for(sessions[0], dim)
            for session in sessions:
                session.run(None, feeds)
            break
        except Exception:  # ONNX Runtime's exceptions have no common base
            continue
    else:
        return None
    best, start = [float("inf")] * 2, time.process_time()
    for run in range(runs):
        for which in ((0, 1) if run % 2 else (1, 0)):
            begin = time.process_time()
            sessions[which].run(None, feeds)
            best[which] = min(best[which], time.process_time() - begin)
        if time.process_time() - start > budget and run >= 3:
            break
    return [seconds * 1e3 for seconds in best]


def short(path):
    """The model's own name, without that of the place it was published at."""
    return path.stem.split("__")[-1]


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def listed(title, lines):
    print(f"\n{title}\n\n" + ("\n".join(f"- {line}" for line in lines) or "- nowhere"))


class Measured:
    """What one model became, and what that took."""

    def __init__(self, path, modules, folder, arguments):
        self.name, self.before = short(path), facts(path)
        self.after, self.whole, self.call, self.memory = {}, {}, {}, {}
        ours = folder / "compress.onnx"
        commands = {"compress": [COMPRESS, "optimize", path, "-o", ours, "--fuse", "--force", "--quiet"]}
        for tool in modules:
            commands[tool] = [sys.executable, "-c", WHOLE[tool], path, folder / f"{tool}.onnx"]
        costs = {tool: [] for tool in commands}
        for target in folder.iterdir():
            target.unlink()
        for _ in range(arguments.repeats):
            for tool, command in commands.items():
                costs[tool].append(cost_of(command))
        for tool, runs in costs.items():
            target = folder / f"{tool}.onnx"
            if None in runs or not target.exists():
                continue
            self.after[tool] = facts(target)
            self.whole[tool] = statistics.median(run[0] for run in runs)
            self.memory[tool] = max(run[2] for run in runs)
        for tool in self.after:
            if tool in modules:
                calls = [forked(tool, modules[tool], path, folder / "call.onnx") for _ in range(arguments.repeats)]
                self.call[tool] = None if None in calls else statistics.median(calls)
        try:
            self.latency = latencies(path, ours, arguments.runs, arguments.budget)
        except Exception:
            self.latency = None

    def others(self):
        return [tool for tool in self.after if tool != "compress"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each tool")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--budget", type=float, default=1.0, help="seconds of latency runs a model")
    arguments = parser.parse_args()

    modules = {}
    for tool in TOOLS:
        try:
            modules[tool] = importlib.import_module(tool)
        except ImportError:
            print(f"{tool} is not installed", file=sys.stderr)
    tools = ["compress", *modules]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.models:
            print(short(path), file=sys.stderr, flush=True)
            results.append(Measured(path, modules, pathlib.Path(folder), arguments))

    def cells(of, form):
        return [form(of[tool]) if of.get(tool) is not None else "-" for tool in tools]
    def mega(size):
        return f"{size / 1e6:.2f}"
    print("Nodes and megabytes:\n")
    table(["model", "nodes", *tools, "MB", *tools],
          [[one.name, str(one.before[0]), *cells(one.after, lambda fact: str(fact[0])), mega(one.before[1]),
            *cells(one.after, lambda fact: mega(fact[1]))] for one in results])
    print("\nMilliseconds of the whole process (in brackets: of the call alone), megabytes of memory at the peak, and milliseconds "
          "in ONNX Runtime before and after:\n")
    def times(one):
        return [cell + (f" ({one.call[tool] * 1e3:.0f})" if one.call.get(tool) else "")
                for tool, cell in zip(tools, cells(one.whole, lambda seconds: f"{seconds * 1e3:.0f}"))]
    def speeds(one):
        return [f"{one.latency[0]:.3g}", f"{one.latency[1]:.3g}"] if one.latency else ["-", "-"]
    table(["model", *(f"ms, {tool}" for tool in tools), *(f"MB, {tool}" for tool in tools), "before", "after"],
          [[one.name, *times(one), *cells(one.memory, lambda size: f"{size / 1e6:.0f}"), *speeds(one)] for one in results])

    fewer, slower, ratios = [], [], []
    for one in results:
        if "compress" not in one.after or not one.others():
            continue
        best = min(one.others(), key=lambda tool: one.after[tool][0])
        if one.after[best][0] < one.after["compress"][0]:
            reason = next((reason for part, reason in REASONS.items() if part in one.name), "no reason is known")
            fewer.append(f"{one.name}: {one.after['compress'][0]} instead of {one.after[best][0]} ({best}): {reason}")
        if one.latency and one.latency[1] > 1.02 * one.latency[0]:
            slower.append(f"{one.name}: {one.latency[1]:.3g} ms instead of {one.latency[0]:.3g} ms")
        if one.before[1] > 1e6:
            fastest = min(one.whole[tool] for tool in one.others())
            calls = [one.call[tool] for tool in one.others() if one.call.get(tool)]
            ratios.append((fastest / one.whole["compress"], min(calls) / one.whole["compress"] if calls else None, one.name))
    listed("Another tool leaves fewer nodes:", fewer)
    listed("Slower in ONNX Runtime by more than 2 %:", slower)
    if ratios:
        listed("Whole process less than 10 times as fast as the fastest other one, files over 1 MB:",
               [f"{name}: {ratio:.1f} times" for ratio, _, name in ratios if ratio < 10])
        whole, call = [ratio[0] for ratio in ratios], [ratio[1] for ratio in ratios if ratio[1]]
        print(f"\nOf {len(ratios)} files over 1 MB, the fastest other process takes {min(whole):.1f} to {max(whole):.0f} times as "
              f"long as compress (median {statistics.median(whole):.0f}); the fastest other call alone, imports left out, "
              f"{min(call):.1f} to {max(call):.0f} times (median {statistics.median(call):.1f}).")


if __name__ == "__main__":
    main()
