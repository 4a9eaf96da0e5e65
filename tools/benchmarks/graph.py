#!/usr/bin/env python3
"""Graph optimization beside onnxsim, onnxslim and onnxoptimizer: nodes, bytes, time, memory, and what ONNX Runtime makes
of the results. Prints a table in Markdown, and below it every model where another tool leaves fewer nodes or the result
is slower in ONNX Runtime.

    tools/bench graph MODEL... [--runs 20] [--budget 1.0]

Time of a tool is processor time of the whole process less that of a process that only imports it, so that starting
Python and loading its packages does not count; memory is the process's peak. Latency is processor time of one thread
of ONNX Runtime at its defaults, the least of --runs runs taken in turns (at most --budget seconds a model). Processor
times hold on a busy machine too. Tools that are not installed are left out.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime as ort

COMPRESS = pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "compress"
TOOLS = {
    "onnxsim": "import onnx, onnxsim\nif len(sys.argv) > 1: onnx.save(onnxsim.simplify(onnx.load(sys.argv[1]))[0], sys.argv[2])",
    "onnxslim": "import onnx, onnxslim\nif len(sys.argv) > 1: onnx.save(onnxslim.slim(onnx.load(sys.argv[1])), sys.argv[2])",
    "onnxoptimizer": "import onnx, onnxoptimizer\nif len(sys.argv) > 1: onnx.save(onnxoptimizer.optimize(onnx.load(sys.argv[1])), sys.argv[2])",
}
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
         "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
DIMS = (1, 32, 64, 512)  # tried for dims that a file leaves open


def measured(command):
    """Processor seconds and peak bytes of a process; None where it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        return None
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


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


def best_of(command, times=3):
    results = [measured(command) for _ in range(times)]
    return min(results) if all(results) else None


def mega(size):
    return f"{size / 1e6:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--budget", type=float, default=1.0, help="seconds of latency runs a model")
    arguments = parser.parse_args()

    start_up = {}
    for tool, code in TOOLS.items():
        cost = best_of([sys.executable, "-c", "import sys\n" + code])
        if cost:
            start_up[tool] = cost[0]
    columns = ["compress", *start_up]
    print("| model | " + " | ".join(f"{head} before, {', '.join(columns)}" for head in ("nodes", "MB")) +
          " | ms in ONNX Runtime before, after | seconds " + ", ".join(columns) + " | MB of memory " + ", ".join(columns) + " |")
    print("|" + "---|" * 6)
    fewer, slower, speed_ups = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.models:
            results, costs = {"before": facts(path)}, {}
            target = pathlib.Path(folder) / "compress.onnx"
            costs["compress"] = best_of([COMPRESS, "optimize", path, "-o", target, "--fuse", "--force", "--quiet"])
            if costs["compress"]:
                results["compress"] = facts(target)
            for tool in start_up:
                other = pathlib.Path(folder) / f"{tool}.onnx"
                other.unlink(missing_ok=True)
                costs[tool] = best_of([sys.executable, "-c", "import sys\n" + TOOLS[tool], path, other], 1)
                if costs[tool] and other.exists():
                    costs[tool] = (max(costs[tool][0] - start_up[tool], 1e-3), costs[tool][1])
                    results[tool] = facts(other)
            try:
                speed = latencies(path, target, arguments.runs, arguments.budget)
            except Exception:
                speed = None
            def cells(index, form):
                return ", ".join(form(results[tool][index]) if tool in results else "-" for tool in ["before", *columns])
            def cost_cells(index, form):
                return ", ".join(form(costs[tool][index]) if costs.get(tool) else "-" for tool in columns)
            latency = f"{speed[0]:.3g}, {speed[1]:.3g}" if speed else "-"
            print(f"| {path.stem} | {cells(0, str)} | {cells(1, mega)} | {latency} | {cost_cells(0, '{:.3f}'.format)} | "
                  f"{cost_cells(1, lambda size: str(round(size / 1e6)))} |", flush=True)
            others = {tool: results[tool][0] for tool in start_up if tool in results}
            if others and "compress" in results and min(others.values()) < results["compress"][0]:
                fewer.append(f"{path.stem}: {results['compress'][0]} instead of {min(others.values())} ({min(others, key=others.get)})")
            if speed and speed[1] > 1.02 * speed[0]:
                slower.append(f"{path.stem}: {speed[1]:.3g} ms instead of {speed[0]:.3g} ms")
            fastest = min((costs[tool][0] for tool in start_up if tool in results), default=None)
            if fastest and costs["compress"] and results["before"][1] > 1e6:
                speed_ups.append((fastest / costs["compress"][0], path.stem))
    print("\nAnother tool leaves fewer nodes:\n" + ("\n".join(f"- {line}" for line in fewer) or "- nowhere"))
    print("\nSlower in ONNX Runtime by more than 2 %:\n" + ("\n".join(f"- {line}" for line in slower) or "- nowhere"))
    if speed_ups:
        least = min(speed_ups)
        print(f"\nOf files over 1 MB compress takes at most 1/{least[0]:.1f} of the fastest other tool's time ({least[1]}).")


if __name__ == "__main__":
    main()
