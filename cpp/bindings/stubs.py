"""Writes pylearn/_core.pyi, the types of the compiled module, from the installed one.

python cpp/bindings/stubs.py
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parents[2] / "pylearn" / "_core.pyi"


def header() -> str:
    version = importlib.metadata.version("pybind11-stubgen")
    return f"# Written by cpp/bindings/stubs.py with pybind11-stubgen {version}: do not edit."


def generate() -> str:
    """The text of the stub. RuntimeError when a signature names a type that Python does not know."""
    with tempfile.TemporaryDirectory() as folder:
        # From a folder of its own, so that the installed package is found and not the source tree.
        command = [sys.executable, "-m", "pybind11_stubgen", "pylearn._core", "-o", folder, "--exit-code"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ})
        if done.returncode:
            raise RuntimeError(done.stderr)
        written = [p for p in Path(folder).rglob("*.pyi") if "_core" in p.parts or p.stem == "_core"]
        if len(written) != 1:
            raise RuntimeError(f"one stub expected, got {[str(p.relative_to(folder)) for p in written]}")
        return header() + "\n" + tidied(written[0].read_text(encoding="utf-8"))


def tidied(stub: str) -> str:
    """Ops return what they are given, NumPy or Tensor, which no annotation of the module says; NumPy goes by np,
    because inside the class Tensor its name is a method's; capsules, whose name differs by Python, are Any."""
    stub = re.sub(r"\b(?:types|typing_extensions)\.CapsuleType", "typing.Any", stub)
    stub = re.sub(r"^import (?:types|typing_extensions)\n", "", stub, flags=re.MULTILINE)
    stub = re.sub(r"^(def \w+\(.*\)):$", r"\1 -> typing.Any:", stub, flags=re.MULTILINE)
    stub = re.sub(r"^import numpy\n", "", stub, flags=re.MULTILINE)
    stub = stub.replace("import typing\n", "import numpy as np\nimport typing\n", 1)
    stub = re.sub(r"\bnumpy\.(?=dtype|ndarray)", "np.", stub)
    return re.sub(r"[ \t]+$", "", stub, flags=re.MULTILINE)


if __name__ == "__main__":
    STUB.write_text(generate(), encoding="utf-8")
