"""The value battery once more under every instruction set this machine can run, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pylearn

HERE = Path(__file__).parent
ISAS = pylearn._core.info()["isas"]


@pytest.mark.parametrize("isa", ISAS)
def test_values(isa: str) -> None:
    if isa == pylearn._core.info()["isa"]:
        pytest.skip("the ISA in use: test_ops_value.py checks it")
    env = {**os.environ, "PYLEARN_ISA": isa, "PYTHONPATH": str(Path(pylearn.__file__).parents[1])}
    command = [sys.executable, str(HERE / "op_checks.py"), "--quick"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"isa {isa}:" in done.stdout


def test_an_unknown_isa_is_refused() -> None:
    env = {**os.environ, "PYLEARN_ISA": "nonsense", "PYTHONPATH": str(Path(pylearn.__file__).parents[1])}
    command = [sys.executable, "-c", "import pylearn; pylearn._core"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, cwd=HERE)
    assert done.returncode != 0 and "nonsense" in done.stderr and ISAS[0] in done.stderr
