"""The benchmarks themselves: their cases verify, a quick run works, records and report survive a round trip."""

import importlib
import importlib.util
import json
import math
import os
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
from bench import (  # noqa: E402
    by_numpy,
    cases,
    checks,
    environment,
    kernels,
    memory,
    models,
    nets,
    onednn,
    peers,
    records,
    report,
    timing,
    train,
    worker,
)

CASES = {case.title: case for case in (*kernels.CASES, *train.CASES)}
LIGHT = [name for name, case in CASES.items() if not case.heavy]
CEILINGS = {"fma": 1e11, "bandwidth": 2e10, "stream_copy": 2e10}


@pytest.fixture(autouse=True)
def numpy_alone(monkeypatch):
    """The peers are tested by benchmarking; importing them takes seconds."""
    for library in ("torch", "jax"):
        monkeypatch.setattr(peers, library, None)
    for resident in ("openblas_worker", "onednn_worker"):
        monkeypatch.setattr(peers, resident, lambda: None)
    monkeypatch.setattr(peers, "absent", lambda: {"jax": "not installed"})
    monkeypatch.setattr(peers, "versions", dict)


def row(name="matmul", label="1024x1024x1024", family="gemm", ours=1.0, numpy=2.0, fractions=None, **other):
    times = {"pylearn": ours, "numpy": numpy}
    known = {"threads": 1, "seconds": times, "best": times, "errors": {"pylearn": 1e-7, "numpy": 0.0}}
    known |= {"fractions": fractions or {"fma": 0.5}, "ceilings": CEILINGS}
    return cases.Row(family, name, label, **(known | other))


def record(rows, when="2026-01-02T03:04:05Z", peaks=()):
    env = {**environment.describe(), "when": when, "commit": "0123456789abcdef", "machine": "test-2c"}
    return records.Record(env, {"1": CEILINGS}, rows, list(peaks), absent={"jax": "not installed"})


@pytest.mark.parametrize("name", LIGHT)
def test_case_verifies(name):
    try:
        found = cases.verified(CASES[name])
    except cases.Missing as e:
        pytest.skip(str(e))
    assert found.sides[0].name == "pylearn" and "pylearn" in found.errors


def test_case_names_are_their_own():
    assert len(CASES) == len(kernels.CASES) + len(train.CASES)


def test_a_wrong_side_is_not_timed():
    def build():
        wrong = cases.Side("pylearn", lambda: pytest.fail("timed"), lambda: [np.array([1.0, 2.1])])
        return [np.array([1.0, 2.0])], [wrong]

    with pytest.raises(cases.Mismatch, match="pylearn differs"):
        cases.measure(cases.Case("gemm", "x", "y", build), 1, timing.QUICK, {"fma": 1.0, "bandwidth": 1.0})


def test_a_peer_that_fails_or_differs_is_left_out_with_the_reason():
    def fail():
        raise RuntimeError("no compiler\nmore")

    good = cases.Side("pylearn", list, lambda: [np.ones(2)])
    peer_sides = [cases.Side("torch", list, lambda: [np.zeros(2)]), cases.Side("jax", list, fail)]
    build = lambda: ([np.ones(2)], [good, *peer_sides, cases.Absent("onednn", "why")])
    found = cases.verified(cases.Case("gemm", "x", "y", build))
    assert [side.name for side in found.sides] == ["pylearn"]
    assert "differs" in found.absent["torch"] and found.absent["jax"] == "RuntimeError: no compiler"
    missing = cases.Case("gemm", "x", "y", lambda: ([], [cases.Absent("pylearn", "no such op")]))
    with pytest.raises(cases.Missing, match="no such op"):
        cases.verified(missing)
    assert cases.verified(missing, pylearn_needed=False).absent == {"pylearn": "no such op"}


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
    sides = [timing.Local(lambda: order.append("a")), timing.Local(lambda: order.append("b"))]
    timing.alternate(sides, timing.Effort(2, 1e-9, 0.0, 2))
    assert "".join(order).endswith("abab")
    order.clear()
    assert all(seconds > 0 for seconds in timing.alternate_cold(sides, timing.Effort(2, 1e-9, 0.0, 2)))
    assert "".join(order) == "abab"


def test_a_side_in_another_process():
    process = worker.Worker({"OPENBLAS_CORETYPE": "Haswell"})
    x = np.arange(6.0).reshape(2, 3)
    remote = process.open("bench.by_numpy:matmul", x, x.T)
    assert np.array_equal(remote.result()[0], x @ x.T)
    assert remote.block(3) > 0 and remote.cold() > 0
    with pytest.raises(RuntimeError, match="no_such"):
        process.open("bench.by_numpy:no_such")
    other = process.open("bench.by_numpy:sigmoid", np.zeros(1))
    assert other.result()[0] == 0.5
    with pytest.raises(RuntimeError, match="another function"):
        remote.block(1)
    process.close()


@pytest.mark.skipif(onednn.library() is None, reason="oneDNN's library is not installed")
def test_onednn_multiplies_any_strides_and_bfloat16():
    process = worker.Worker({})
    a, b = np.ones((3, 5), np.float32), np.arange(10, dtype=np.float32).reshape(2, 5).T
    assert np.array_equal(process.open("bench.onednn:Matmul", a, b).result()[0], a @ b)
    rounded = [onednn.rounded(x) for x in (a, b)]
    assert np.array_equal(process.open("bench.onednn:Matmul", *rounded).result()[0], a @ b)
    process.close()


def test_bfloat16_rounds_to_the_nearest_even():
    x = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -3.140625], np.float32)
    back = (onednn.rounded(x).astype(np.uint32) << 16).view(np.float32)
    assert back.tolist() == [1.0, 1.0, 1 + 2**-6, -3.140625]


@pytest.mark.parametrize(
    ("name", "shapes", "options", "out"),
    (
        ("conv2d_both", ((2, 4, 5, 2), (3, 3, 2, 3), (3,)), (1,), (2, 4, 5, 3)),
        ("lstm_both", ((2, 4, 3), (3, 8), (2, 8), (8,)), (), (2, 4, 2)),
        ("attention_both", 3 * ((2, 4, 2, 3),), (True,), (2, 4, 2, 3)),
        ("layer_norm_both", ((4, 5), (5,), (5,)), (1e-5,), (4, 5)),
        ("batch_norm_both", ((2, 2, 3, 5), (5,), (5,)), (1e-5,), (2, 2, 3, 5)),
    ),
)
def test_gradients_written_in_numpy(name, shapes, options, out):
    """They are oracles: against differences of their own forward pass."""
    rng, function = np.random.default_rng(0), getattr(by_numpy, name)
    args, dy = [rng.standard_normal(shape) for shape in shapes], rng.standard_normal(out)
    _, *gradients = function(dy, *args, *options)
    for i, gradient in enumerate(gradients):
        direction, ends = rng.standard_normal(args[i].shape), []
        for h in (-1e-6, 1e-6):
            moved = [*args[:i], args[i] + h * direction, *args[i + 1 :]]
            ends.append((function(dy, *moved, *options)[0] * dy).sum())
        assert np.isclose((ends[1] - ends[0]) / 2e-6, (gradient * direction).sum(), rtol=1e-5)


def test_nets_count_their_arithmetic():
    steps = {name: net.flops / 400e3 for name, net in nets.NETS.items()}  # µs at 400 GFLOP/s
    assert 4_400 < steps["cnn mnist b128"] < 4_700 and 38_000 < steps["resnet20 cifar b64"] < 40_000
    assert nets.NETS["textcnn flat l300 b32"].count() == 18_713_251
    assert len(nets.NETS) == 12


@pytest.mark.parametrize("name", nets.NETS)
def test_models_hold_the_nets_weights(name):
    net = nets.NETS[name]
    try:
        model = models.build(net, plain=True)
    except cases.Missing as e:
        pytest.skip(str(e))
    assert sum(w.size for w in model.trainable_weights) == net.count()
    x, y = net.data()
    assert math.isfinite(model.evaluate(x[:2], y[:2], verbose=0))


def test_record_and_report_round_trip(tmp_path):
    profiled = row("step", "cnn", "step", flops=1e9, profile=[("gemm", 0.6), ("relu", 0.1), ("gemm", 0.1)])
    peak = memory.Peak(
        "cnn", 2, {"pylearn": 2.0**21, "torch": 2.0**22}, {"pylearn": 2.0**20, "torch": 2.0**21}, {}
    )
    first = record(
        [row(fractions={"fma": 0.9}, flops=2e9), row("add", "16 elements"), profiled], peaks=[peak]
    )
    path = tmp_path / first.file_name()
    assert path.name == "20260102T030405Z-01234567-test-2c.json"
    first.save(path)
    again = records.load_all(tmp_path)
    assert again == [first]
    text = report.markdown(again)
    assert "## test-2c" in text and "| matmul 1024x1024x1024 | 1 |" in text and "(2.00×)" in text
    assert "not measured: JAX, not installed" in text and "0.90 of fma" in text
    assert "gemm 70%, relu 10%, outside 20%" in text and "| cnn | 1.0 / 2.0 | 2.0 / 4.0 (2.00×) |" in text
    assert "matmul 1024" not in report.markdown(again, ["add 16 elements"])


def test_report_takes_of_each_row_the_latest():
    old = record([row(), row("add", "16 elements", ours=3e-6)], "2026-01-01T00:00:00Z")
    new = record([row(ours=4e-6)], "2026-02-01T00:00:00Z")
    text = report.markdown([old, new])
    assert "| 4.00 |" in text and "| 3.00 |" in text and "2026-02-01" in text and "2026-01-01" in text
    assert "2026-01-01" not in report.markdown([record([row()], "2026-01-01T00:00:00Z"), new])
    assert "No records yet" in report.markdown([])


def test_disturbed_rows_count_in_no_mean():
    disturbed = row(label="64x64x64", numpy=100.0, best={"pylearn": 1.0, "numpy": 2.0})
    assert disturbed.disturbed and not row().disturbed
    assert "| 2.00× |" in "\n".join(report.means([row(), disturbed]))


def test_results_page_is_that_of_the_records():
    assert report.RESULTS_FILE.read_text(encoding="utf-8") == main.results_page(), (
        "run python -m bench report"
    )


@pytest.mark.parametrize(
    "content", ("", "{}", '{"schema": 1}', '{"schema": 2, "checks": [], "peaks": [], "rows": [{}]}', "[1]")
)
def test_what_is_not_a_record_is_named(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"x\.json"):
        records.load(path)


def test_checks():
    rows = [row(fractions={"fma": 0.9}), row(label="64x64x64", numpy=0.8)]
    found = {check.what: check for check in checks.checks(rows)}
    assert found["matmul over the best library: geometric mean"].verdict == "goal"
    assert found["matmul over the best library: worst cell"].verdict == "MISSED"
    assert found["matmul 1024x1024x1024: of the multiply-add peak"].verdict == "ok"
    small = [
        row("step", "mlp 64-100-10 b32", "step", 61e-6),
        row("predict", "mlp 64-100-10, one row", "small", 14e-6),
    ]
    assert [check.holds for check in checks.checks(small)] == [False, True]
    titles = CASES.keys()
    assert {"step mlp 64-100-10 b32", "predict mlp 64-100-10, one row"} <= titles  # named in checks.py
    peak = memory.Peak("cnn", 2, {}, {"pylearn": 2e8, "torch": 1e8}, {})
    assert [check.holds for check in checks.checks([], [peak])] == [False]


def test_quick_run_of_one_kernel(tmp_path):
    path = tmp_path / "r.json"
    command = [sys.executable, "-m", "bench", "kernels", "add 16", "--quick", "--here", "--threads", "1"]
    done = subprocess.run(
        [*command, "--json", str(path)], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "BENCH_PEERS": "none"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "add 16 elements" in done.stdout and "GFLOP/s" in done.stdout
    assert [found["name"] for found in json.loads(path.read_text())["rows"]] == ["add"]


def test_unknown_case(capsys):
    assert main.main(["kernels", "matmull"]) == 2
    assert "matmull" in capsys.readouterr().err
    assert main.main(["kernels", "--only", "gem"]) == 2
    assert main.main(["kernels", "--quick", "--record"]) == 2
    capsys.readouterr()
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
    bad = cases.Case("gemm", "x", "y", lambda: ([np.ones(2)], [cases.Side("pylearn", list, list)]))
    found = main.run_here("kernels", [bad, CASES["add 16 elements"]], 1, True)
    assert [row.name for row in found.rows] == ["add"] and len(found.wrong) == 1
    assert "NOT TIMED: x y: pylearn differs" in capsys.readouterr().out
