"""The command line, with the core, the ops and a lesson replaced where only the plumbing is of interest."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest

import pylearn
from pylearn import benchmark, cli, curriculum


@pytest.fixture
def core(monkeypatch):
    """A core that reports made-up facts."""
    module = types.ModuleType("pylearn._core")
    facts = {"version": "9.8.7", "isa": "v3", "isas": ["baseline", "v3"], "threads": 2, "cuda": "no driver"}
    module.info = lambda: dict(facts)
    module.cuda_info = lambda: {"library": "libpylearn_cuda.so", "missing": ["decomp.svd"]}
    monkeypatch.setitem(sys.modules, "pylearn._core", module)
    monkeypatch.setattr(pylearn, "_core", module, raising=False)
    monkeypatch.setattr(pylearn, "__version__", "9.8.7", raising=False)
    return facts


def test_version_and_help(core, capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "9.8.7\n"
    assert cli.main([]) == cli.EXIT_USAGE
    assert "exit codes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        cli.main(["nonsense"])
    assert caught.value.code == cli.EXIT_USAGE


def test_info(core, capsys):
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.items() >= core.items()
    assert facts["numpy"] == np.__version__
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "9.8.7",
        "v3  (of baseline, v3; PYLEARN_ISA",
        "2  (of ",
        "no driver",
        "libpylearn_cuda.so",
        "decomp.svd",
        "python",
    ):
        assert part in shown


# ---- run


@pytest.fixture
def lesson(monkeypatch):
    """A lesson that records how it was called."""
    calls = []
    module = types.ModuleType("pylearn.curriculum.networks.mlp")

    def main(epochs=3, verbose=1, plot=None):
        calls.append({"epochs": epochs, "verbose": verbose, "plot": plot})

    module.main = main
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return types.SimpleNamespace(calls=calls, module=module)


def test_run_lists_lessons(capsys):
    assert cli.main(["run"]) == 0
    shown = capsys.readouterr().out
    for name, lesson in curriculum.lessons().items():
        assert name in shown and lesson.summary in shown


def test_run_passes_options(lesson):
    assert cli.main(["run", "mlp"]) == 0
    assert cli.main(["run", "mlp", "--epochs", "7", "--quiet", "--no-plot"]) == 0
    assert cli.main(["run", "mlp", "--plot", "x.svg"]) == 0
    assert lesson.calls == [
        {"epochs": 3, "verbose": 1, "plot": "mlp.png"},
        {"epochs": 7, "verbose": 0, "plot": None},
        {"epochs": 3, "verbose": 1, "plot": "x.svg"},
    ]


def test_run_wrong_usage(lesson, capsys):
    assert cli.main(["run", "sotfmax"]) == cli.EXIT_USAGE
    assert "no lesson named 'sotfmax'; did you mean softmax?" in capsys.readouterr().err
    assert cli.main(["run", "zzzz"]) == cli.EXIT_USAGE
    assert "there are: least_squares, sgd, minibatch" in capsys.readouterr().err
    assert cli.main(["run", "mlp", "--seed", "3"]) == cli.EXIT_USAGE
    assert "has no --seed" in capsys.readouterr().err
    for epochs in ("0", "-1", "x"):
        with pytest.raises(SystemExit) as caught:
            cli.main(["run", "mlp", "--epochs", epochs])
        assert caught.value.code == cli.EXIT_USAGE
    assert not lesson.calls


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), cli.EXIT_INTERRUPTED, "interrupted"),
        (ImportError("needs x: pip install x"), cli.EXIT_FAILED, "needs x"),
        (ConnectionError("offline"), cli.EXIT_FAILED, "offline"),
    ],
)
def test_run_failures(lesson, capsys, error, code, message):
    def main(plot=None):
        raise error

    lesson.module.main = main
    assert cli.main(["run", "mlp"]) == code
    assert message in capsys.readouterr().err


def test_run_a_heading(lesson, capsys, monkeypatch):
    listed = {"mlp": curriculum.Lesson("networks", "mlp", "one")}
    monkeypatch.setattr(curriculum, "lessons", lambda: listed)
    assert cli.main(["run", "networks", "--quiet", "--seed", "3"]) == 0  # each takes the options it has
    assert lesson.calls == [{"epochs": 3, "verbose": 0, "plot": "mlp.png"}]
    assert "== mlp: one" in capsys.readouterr().out
    assert cli.main(["run", "networks", "--plot", "x.png"]) == cli.EXIT_USAGE
    assert "--plot names one file" in capsys.readouterr().err
    assert cli.main(["run", "bayes"]) == cli.EXIT_USAGE
    assert "bayes has no lessons yet" in capsys.readouterr().err
    assert len(lesson.calls) == 1


def test_run_asks_first_and_says_what_to_try_after(lesson, capsys):
    lesson.module.__doc__ = """Title.

    Question: is
    it?

    Try: (a) this. (b) That.
    """
    lesson.module.main = lambda plot=None: print("result")
    assert cli.main(["run", "mlp"]) == 0
    assert capsys.readouterr().out == "Question: is it?\nresult\nTry: (a) this. (b) That.\n"


# ---- bench


@pytest.fixture
def kernels(core, monkeypatch):
    """Two kernels whose twin is NumPy's, one in place."""

    def update(p, g, lr):
        p -= lr * g

    side = types.SimpleNamespace(sum=np.sum, sgd_update=update)
    for name in ("ops", "reference"):
        module = types.ModuleType(f"pylearn.{name}")
        module.__dict__.update(vars(side))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(pylearn, name, module, raising=False)
    build = lambda rng: ([rng.standard_normal(50, np.float32) for _ in range(2)], {"lr": 0.1})
    cases = (
        benchmark.Case("sum", "50", lambda rng: ([rng.standard_normal(50, np.float32)], {})),
        benchmark.Case("sgd_update", "50", build, updates=(0,)),
    )
    monkeypatch.setattr(benchmark, "CASES", cases)
    return pylearn


def test_bench_has_a_numpy_side_for_every_kernel():
    assert set(benchmark.NUMPY) == set(benchmark.kernels())


def test_bench_verifies_and_times(kernels, capsys):
    assert cli.main(["bench", "--seconds", "0.001"]) == 0
    shown = capsys.readouterr().out
    assert "isa v3" in shown and "threads 2" in shown
    assert "2 cases, all equal to their references" in shown
    assert cli.main(["bench", "sum", "--seconds", "0.001", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["kernel"] == "sum" and row["verified"]
    assert row["ratio"] == pytest.approx(row["numpy"] / row["pylearn"])
    assert cli.main(["bench", "--list"]) == 0
    assert capsys.readouterr().out == "sum\nsgd_update\n"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: np.sum(x) * 1.001,
        lambda x: np.float32(np.nan),
        lambda x: np.zeros(2),
        lambda x: (1.0, 2.0),
        lambda x: (),
    ],
)
def test_bench_refuses_to_time_a_wrong_result(kernels, capsys, monkeypatch, wrong):
    monkeypatch.setattr(kernels.ops, "sum", wrong)
    assert cli.main(["bench", "sum"]) == cli.EXIT_FAILED
    assert "1 DIFFER from their references" in capsys.readouterr().out


def test_bench_checks_updates_in_place(kernels, capsys, monkeypatch):
    monkeypatch.setattr(kernels.ops, "sgd_update", lambda p, g, lr: p - lr * g)
    assert cli.main(["bench", "sgd_update"]) == cli.EXIT_FAILED
    capsys.readouterr()


def test_bench_wrong_usage(kernels, capsys):
    assert cli.main(["bench", "summ"]) == cli.EXIT_USAGE
    assert "did you mean sum?" in capsys.readouterr().err
    for seconds in ("0", "-1", "1e9", "x"):
        with pytest.raises(SystemExit):
            cli.main(["bench", "--seconds", seconds])
    capsys.readouterr()


def test_a_closed_pipe_is_no_traceback(tmp_path):
    script = "import sys; from pylearn.cli import main; sys.exit(main(['run']))"
    command = [sys.executable, "-c", script]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    error = child.stderr.read()
    child.wait()
    child.stderr.close()
    assert b"Traceback" not in error
