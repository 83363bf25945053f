"""The benchmarks themselves: their cases verify, a quick run works, records and report survive a round trip."""

import importlib
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pylearn import _core

ROOT = Path(__file__).resolve().parents[1]


def load_bench() -> None:
    """The package beside tests/, whatever the path: it is not installed."""
    if "bench" not in sys.modules:
        folder = ROOT / "bench"
        spec = importlib.util.spec_from_file_location(
            "bench", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["bench"] = module
        spec.loader.exec_module(module)


load_bench()
main = importlib.import_module("bench.__main__")
from bench import cases, checks, environment, kernels, peers, records, report, timing, train  # noqa: E402

CASES = {f"{case.name} {case.label}": case for case in (*kernels.CASES, *train.CASES)}
LIGHT = [name for name, case in CASES.items() if not case.heavy]


@pytest.fixture(autouse=True)
def numpy_alone(monkeypatch):
    """The peers are tested by benchmarking; importing them takes seconds."""
    monkeypatch.setattr(peers, "torch", None)
    monkeypatch.setattr(peers, "jax", None)


def row(name="matmul", label="1024x1024x1024", threads=1, ours=1.0, numpy=2.0, fractions=None, flops=0):
    times = {"pylearn": ours, "numpy": numpy}
    errors = {"pylearn": 1e-7, "numpy": 0.0}
    return cases.Row(
        "kernel", name, label, threads, times, times, errors, flops, 0, fractions or {"fma": 0.5}
    )


def record(rows, when="2026-01-02T03:04:05Z"):
    env = {**environment.describe(), "when": when, "commit": "0123456789abcdef", "machine": "test-2c"}
    ceilings = {"fma": 1e11, "bandwidth": 2e10, "stream_copy": 2e10}
    return records.Record("kernels", env, {"1": ceilings}, rows, absent=["jax"])


@pytest.mark.parametrize("name", LIGHT)
def test_case_verifies(name):
    sides, errors = cases.verified(CASES[name])
    assert sides[0].name == "pylearn"
    assert {"pylearn", "numpy"} <= errors.keys()


def test_case_names_are_their_own():
    assert len(CASES) == len(kernels.CASES) + len(train.CASES)


def test_a_wrong_side_is_not_timed():
    def build():
        wrong = cases.Side("pylearn", lambda: pytest.fail("timed"), lambda: [np.array([1.0, 2.1])])
        return [np.array([1.0, 2.0])], [wrong]

    with pytest.raises(cases.Mismatch, match="pylearn differs"):
        cases.measure(cases.Case("kernel", "x", "y", build), 1, timing.QUICK, {"fma": 1.0, "bandwidth": 1.0})


@pytest.mark.parametrize("got", ([], [np.zeros(3)], [np.array([0.0, np.nan])]))
def test_error_is_infinite_for_what_cannot_be_compared(got):
    assert cases.error(got, [np.zeros(2)]) == math.inf


def test_measure_gives_times_ratios_and_fractions():
    case = CASES["matmul 64x64x64"]
    found = cases.measure(case, 1, timing.QUICK, {"fma": 1.0, "bandwidth": 1.0})
    assert found.seconds["pylearn"] > 0 and found.ratio("numpy") > 0 and math.isnan(found.ratio("absent"))
    assert 0 < found.fractions["fma"] < 1.5


def test_timing_alternates():
    order = []
    timing.alternate([lambda: order.append("a"), lambda: order.append("b")], timing.Effort(2, 1e-9, 0.0))
    assert "".join(order).endswith("abab")


def test_record_and_report_round_trip(tmp_path):
    first = record([row(fractions={"fma": 0.9}, flops=2e9), row("add", "16 elements")])
    path = tmp_path / first.file_name()
    assert path.name == "20260102T030405Z-01234567-test-2c.json"
    first.save(path)
    again = records.load_all(tmp_path)
    assert again == [first]
    text = report.markdown(again)
    assert "## Kernels, test-2c" in text and "| matmul 1024x1024x1024 | 1 |" in text and "(2.00×)" in text
    assert "not installed, so not measured: jax" in text and "0.90 of peak" in text


def test_report_shows_the_latest_run_of_a_machine():
    text = report.markdown([record([row()], "2026-01-01T00:00:00Z"), record([row()], "2026-02-01T00:00:00Z")])
    assert "2026-02-01" in text and "2026-01-01" not in text
    assert "No records yet" in report.markdown([])


def test_results_page_is_that_of_the_records():
    assert report.RESULTS_FILE.read_text(encoding="utf-8") == report.markdown(records.load_all()), (
        "run python -m bench report"
    )


@pytest.mark.parametrize(
    "content", ("", "{}", '{"schema": 0}', '{"schema": 1, "checks": [], "rows": [{}]}', "[1]")
)
def test_what_is_not_a_record_is_named(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"x\.json"):
        records.load(path)


def test_checks():
    rows = [row(fractions={"fma": 0.9}), row(label="64x64x64", numpy=0.8)]
    found = {check.what: check for check in checks.checks(rows)}
    assert found["matmul: geometric mean over NumPy"].holds
    assert not found["matmul: worst shape over NumPy"].holds
    assert found["matmul 1024³: of the multiply-add peak"].holds
    step, predict = CASES["step mlp 64-100-10 b32"], CASES["predict mlp 64-100-10, one row"]
    rows = [row(step.name, step.label, ours=61e-6), row(predict.name, predict.label, ours=14e-6)]
    assert [check.holds for check in checks.checks(rows)] == [False, True]
    assert "step mlp 784-100-10 b32" in CASES  # named in checks.py


def test_quick_run_of_one_kernel(tmp_path):
    path = tmp_path / "r.json"
    command = [sys.executable, "-m", "bench", "kernels", "add 16", "--quick", "--here", "--threads", "1"]
    done = subprocess.run(
        [*command, "--json", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "add 16 elements" in done.stdout and "GFLOP/s" in done.stdout
    assert [found["name"] for found in json.loads(path.read_text())["rows"]] == ["add"]


def test_unknown_case(capsys):
    assert main.main(["kernels", "matmull"]) == 2
    assert "matmull" in capsys.readouterr().err
    assert main.main(["train", "--list"]) == 0
    assert "step mlp 784-100-10 b32" in capsys.readouterr().out


def test_ceilings():
    before = _core.num_threads()
    try:
        _core.set_num_threads(1)
        assert 1e8 < _core.fma_peak(0.01) < 1e12
        rates = _core.stream(0.01, 1 << 20)
    finally:
        _core.set_num_threads(before)
    assert set(rates) == {"copy", "triad", "update"} and all(1e7 < rate < 1e13 for rate in rates.values())


@pytest.mark.parametrize("seconds", (0, -1, 61, math.nan, math.inf))
def test_ceilings_refuse_times(seconds):
    with pytest.raises(ValueError, match="seconds"):
        _core.fma_peak(seconds)
    with pytest.raises(ValueError, match="seconds"):
        _core.stream(seconds)


@pytest.mark.parametrize("nbytes", (0, -4, 4095, 2**62))
def test_ceilings_refuse_sizes(nbytes):
    with pytest.raises(ValueError, match="nbytes"):
        _core.stream(0.01, nbytes)


def test_a_wrong_case_does_not_end_the_run(capsys):
    bad = cases.Case("kernel", "x", "y", lambda: ([np.ones(2)], [cases.Side("pylearn", list, list)]))
    found = main.run_here("kernels", [bad, CASES["add 16 elements"]], 1, True)
    assert [row.name for row in found.rows] == ["add"] and len(found.wrong) == 1
    assert "NOT TIMED: x y: pylearn differs" in capsys.readouterr().out
