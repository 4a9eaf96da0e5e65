#!/usr/bin/env python3
"""Graph optimization beside onnxsim, onnxslim and onnxoptimizer: nodes, bytes, time, memory, and what ONNX Runtime makes
of the results. Prints a table in Markdown, and below it every model where another tool leaves fewer nodes or the result
is slower in ONNX Runtime.

    tools/bench graph MODEL... [--runs 20] [--budget 1.0]

Time of a tool is processor time: of the whole command for compress, of a fork of a process that has imported the tool
already for the others, so that starting Python and loading packages does not count. Memory is the process's peak.
Latency is processor time of one thread of ONNX Runtime at its defaults, the least of --runs runs taken in turns (at
most --budget seconds a model). Processor times hold on a busy machine too. Tools that are not installed are left out.
Needs the command `time`.
"""
import argparse
import importlib
import os
import pathlib
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
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
         "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
DIMS = (1, 32, 64, 512)  # tried for dims that a file leaves open


def measured(command):
    """Processor seconds and peak bytes of a command; None where it fails."""
    with tempfile.NamedTemporaryFile("r") as report:
        process = subprocess.run(["time", "-q", "-f", "%U %S %M", "-o", report.name, *command], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        user, system, kilobytes = report.read().split()[-3:]
    return None if process.returncode else (float(user) + float(system), int(kilobytes) * 1024)


def forked(tool, module, source, target):
    """The same of another tool, in a fork of this process."""
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            onnx.save(TOOLS[tool](module, onnx.load(source)), target)
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status, usage = os.wait4(child, 0)
    return None if status else (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


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


def mega(size):
    return f"{size / 1e6:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--budget", type=float, default=1.0, help="seconds of latency runs a model")
    arguments = parser.parse_args()

    modules = {}
    for tool in TOOLS:
        try:
            modules[tool] = importlib.import_module(tool)
        except ImportError:
            print(f"{tool} is not installed", file=sys.stderr)
    columns = ["compress", *modules]
    print("| model | " + " | ".join(f"{head} before, {', '.join(columns)}" for head in ("nodes", "MB")) +
          " | ms in ONNX Runtime before, after | seconds " + ", ".join(columns) + " | MB of memory " + ", ".join(columns) + " |")
    print("|" + "---|" * 6)
    fewer, slower, speed_ups = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.models:
            results, costs = {"before": facts(path)}, {}
            target = pathlib.Path(folder) / "compress.onnx"
            costs["compress"] = measured([COMPRESS, "optimize", path, "-o", target, "--fuse", "--force", "--quiet"])
            if costs["compress"]:
                results["compress"] = facts(target)
            for tool, module in modules.items():
                other = pathlib.Path(folder) / f"{tool}.onnx"
                other.unlink(missing_ok=True)
                costs[tool] = forked(tool, module, path, other)
                if costs[tool] and other.exists():
                    results[tool] = facts(other)
            try:
                speed = latencies(path, target, arguments.runs, arguments.budget)
            except Exception:
                speed = None
            def cells(index, form):
                return ", ".join(form(results[tool][index]) if tool in results else "-" for tool in ["before", *columns])
            def cost_cells(index, form):
                return ", ".join(form(costs[tool][index]) if costs.get(tool) and tool in results else "-" for tool in columns)
            latency = f"{speed[0]:.3g}, {speed[1]:.3g}" if speed else "-"
            print(f"| {path.stem} | {cells(0, str)} | {cells(1, mega)} | {latency} | {cost_cells(0, '{:.3f}'.format)} | "
                  f"{cost_cells(1, lambda size: str(round(size / 1e6)))} |", flush=True)
            others = {tool: results[tool][0] for tool in modules if tool in results}
            if others and "compress" in results and min(others.values()) < results["compress"][0]:
                fewer.append(f"{path.stem}: {results['compress'][0]} instead of {min(others.values())} ({min(others, key=others.get)})")
            if speed and speed[1] > 1.02 * speed[0]:
                slower.append(f"{path.stem}: {speed[1]:.3g} ms instead of {speed[0]:.3g} ms")
            fastest = min((costs[tool][0] for tool in modules if tool in results), default=None)
            if fastest and costs["compress"] and results["before"][1] > 1e6:
                speed_ups.append((fastest / max(costs["compress"][0], 0.005), path.stem))
    print("\nAnother tool leaves fewer nodes:\n" + ("\n".join(f"- {line}" for line in fewer) or "- nowhere"))
    print("\nSlower in ONNX Runtime by more than 2 %:\n" + ("\n".join(f"- {line}" for line in slower) or "- nowhere"))
    if speed_ups:
        least = min(speed_ups)
        print(f"\nOf files over 1 MB compress takes at most 1/{least[0]:.1f} of the fastest other tool's time ({least[1]}).")


if __name__ == "__main__":
    main()
