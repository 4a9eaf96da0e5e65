#!/usr/bin/env python3
"""For developers: the conformance tests of the installed onnx package, executed here.

    conformance.py PRESS_CONFORMANCE [--opsets FIRST LAST] [--keep FOLDER]

PRESS_CONFORMANCE is the program of tests/conformance. The package generates its node tests, each at the newest version of
its operator's set or at those it names; those outside of the opsets are left out. Prints what does not pass, and why.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import onnx
from onnx.backend.test import cmd_tools
from onnx.backend.test.case import node


def opset_of(path):
    model = onnx.load(path / "model.onnx", load_external_data=False)
    return max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("press_conformance")
    parser.add_argument("--opsets", type=int, nargs=2, default=(18, 25))
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or pathlib.Path(scratch)
        try:
            cases = node.collect_testcases(None)
        except TypeError:  # newer packages take no operator
            cases = node.collect_testcases()
        cmd_tools.model_test.collect_testcases = lambda: cases
        cmd_tools.generate_data(argparse.Namespace(output=str(folder)))
        first, last = options.opsets
        for path in sorted((folder / "node").iterdir()):
            if not first <= opset_of(path) <= last:
                shutil.rmtree(path)
        return subprocess.run([options.press_conformance, folder]).returncode


if __name__ == "__main__":
    sys.exit(main())
