"""pylearn.capture: the second call is recorded, later ones replayed, with the bits of running eagerly."""

import gc
import warnings
import weakref

import numpy as np
import pytest
from op_checks import same_bits

import pylearn
from pylearn import capture, ops


def tensor(*values: float) -> pylearn.Tensor:
    return pylearn.asarray(np.array(values))


@pytest.fixture(autouse=True)
def _captures():
    """These tests are about recording, whatever the environment says."""
    from pylearn import replay

    before = replay.capture_enabled()
    replay.set_capture(True)
    yield
    replay.set_capture(before)


def test_counts() -> None:
    f = capture(lambda x: ops.exp(x) * 2.0)
    for n in range(6):
        assert f(tensor(n, 1.0)).tolist() == (ops.exp(tensor(n, 1.0)) * 2.0).tolist()
    assert f.stats["recorded"] == 1 and f.stats["replayed"] == 4 and f.stats["mismatches"] == 0
    f.reset()
    f(tensor(1.0, 2.0))
    assert f.stats["recorded"] == 1


def test_outputs_are_new_tensors() -> None:
    f = capture(lambda x: x * 2.0)
    results = [f(tensor(float(n))) for n in range(6)]
    assert [r.tolist() for r in results] == [[2.0 * n] for n in range(6)]


def test_nested_arguments_and_results() -> None:
    f = capture(
        lambda batch, scale, mode: {"y": [batch["x"] * scale, batch["z"][0]], "mode": mode, "none": None}
    )
    for n in range(5):
        got = f({"x": tensor(n), "z": (np.array([1.0 * n]),)}, tensor(2.0), mode="train")
        assert got["y"][0].tolist() == [2.0 * n] and got["y"][1].tolist() == [n]
        assert got["mode"] == "train" and got["none"] is None
    assert f.stats["replayed"] == 3


def test_shapes_and_dtypes_are_the_key() -> None:
    f = capture(lambda x: ops.sum(x * x))
    for _ in range(4):
        for shape, dtype in (
            ((3,), "float64"),
            ((4,), "float64"),
            ((3,), "float32"),
            ((0,), "float64"),
            ((1, 3), "float64"),
        ):
            x = np.full(shape, 2, dtype)
            got = f(x)
            assert got.dtype == dtype and float(got) == 4 * x.size
    assert f.stats["recorded"] == 5


def test_python_numbers_are_the_key() -> None:
    f = capture(lambda x, k, training: x * k if training else x)
    for _ in range(4):
        assert f(tensor(3.0), 2.0, True).tolist() == [6]
        assert f(tensor(3.0), 4.0, True).tolist() == [12]
        assert f(tensor(3.0), 4.0, False).tolist() == [3]
        assert f(tensor(3.0), 4, False).tolist() == [3]


def test_numpy_scalars_are_inputs() -> None:
    f = capture(lambda x, k: x * k)
    for n in range(5):
        assert f(tensor(3.0), np.float64(n)).tolist() == [3.0 * n]
    assert f.stats["recorded"] == 1


def test_too_many_shapes_stay_eager() -> None:
    f = capture(lambda x: x + 1.0)
    with pytest.warns(RuntimeWarning, match="combinations"):
        for n in range(40):
            for _ in range(2):
                assert f(np.zeros(n)).size == n
    assert f.stats["recorded"] <= 16


def test_closures_are_seen() -> None:
    """A tensor of outside is read anew in each replay; what is written to it stays."""
    total, w = tensor(0.0), tensor(2.0)
    f = capture(lambda x: ops.assign_add(total, x * w))
    for n in range(5):
        f(tensor(1.0))
        assert total.tolist() == [2.0 * (n + 1)]
    w[...] = 10.0
    f(tensor(1.0))
    assert total.tolist() == [20.0]


def test_a_changed_python_number_is_found() -> None:
    """It is compared with an eager run: the result is right, and a warning says what happened."""
    settings = {"scale": 1.0}
    f = capture(lambda x: x * settings["scale"])
    for _ in range(2):
        f(tensor(1.0))
    settings["scale"] = 5.0
    with pytest.warns(RuntimeWarning, match="differed"):
        assert f(tensor(1.0)).tolist() == [5.0]
    assert f.stats["mismatches"] == 1
    for _ in range(4):
        assert f(tensor(1.0)).tolist() == [5.0]


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.item(),
        float,
        bool,
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        repr,
        lambda x: x.tolist(),
        list,
    ],
    ids=["item", "float", "bool", "numpy", "asarray", "repr", "tolist", "list"],
)
def test_reading_a_value_abandons_the_recording(read) -> None:
    def step(x):
        y = x * 2.0
        read(y if read is not list else y.tolist())
        return y

    f = capture(step)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(5):
            assert f(tensor(float(n))).tolist() == [2.0 * n]
    assert (
        len(caught) == 1
        and "eager" in str(caught[0].message)
        and issubclass(caught[0].category, RuntimeWarning)
    )
    assert f.stats["recorded"] == 0 and f.stats["replayed"] == 0


def test_a_tensor_that_escapes_is_never_overwritten() -> None:
    kept = []

    def step(x):
        y = x * 2.0
        kept.append(y)
        return y + 1.0

    f = capture(step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(6):
            f(tensor(float(n)))
    assert [k.tolist() for k in kept] == [[2.0 * n] for n in range(len(kept))]


def test_exceptions_pass_through() -> None:
    calls = []

    def step(x):
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("while recording")
        return x * 2.0

    f = capture(step)
    f(tensor(1.0))
    with pytest.raises(KeyError):
        f(tensor(1.0))
    for n in range(4):
        assert f(tensor(float(n))).tolist() == [2.0 * n]
    assert not pylearn._core.is_recording()


def test_nested_captures() -> None:
    inner = capture(lambda x: ops.tanh(x))
    outer = capture(lambda x: inner(x) * 3.0)
    for n in range(5):
        assert outer(tensor(n / 4)).tolist() == (ops.tanh(tensor(n / 4)) * 3.0).tolist()


def test_inside_grad_it_runs_eagerly() -> None:
    f = capture(lambda x: ops.sum(x * x))
    for _ in range(4):
        f(tensor(1.0, 2.0))
        assert pylearn.grad(f)(np.array([1.0, 2.0])).tolist() == [2, 4]


def test_memory_is_freed_with_the_function() -> None:
    gc.collect()
    before = pylearn._core.memory()["used"]
    for _ in range(3):
        f = capture(lambda x: ops.sum(ops.exp(x) * ops.sin(x)))
        for _ in range(4):
            f(np.ones(200_000))
        assert pylearn._core.memory()["used"] > before
        del f
        gc.collect()
    assert pylearn._core.memory()["used"] <= before + 4096


def test_a_cache_keeps_no_object_alive() -> None:
    class Model:
        scale = 2.0

    f = capture(lambda model, x: x * model.scale)
    model = Model()
    for _ in range(4):
        assert f(model, tensor(1.0)).tolist() == [2]
    watcher = weakref.ref(model)
    del model
    gc.collect()
    assert watcher() is None
    other = Model()
    other.scale = 7.0
    for _ in range(4):
        assert f(other, tensor(1.0)).tolist() == [7]


def test_environment_turns_it_off() -> None:
    import os
    import subprocess
    import sys

    code = "import pylearn; f = pylearn.capture(lambda x: x * 2.0)\n"
    code += "for _ in range(4): f(pylearn.asarray(1.0))\nprint(f.stats)"
    env = {
        **os.environ,
        "PYLEARN_CAPTURE": "0",
        "PYTHONPATH": os.path.dirname(os.path.dirname(pylearn.__file__)),
    }
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert "'recorded': 0" in done.stdout, done.stderr


def test_random_numbers_go_on_in_replays() -> None:
    x = pylearn.asarray(np.ones(64))

    def draws(f, n: int) -> list[np.ndarray]:
        pylearn.random.seed(5)
        return [np.asarray(f(x)) for _ in range(n)]

    eager = draws(lambda x: ops.dropout(x, 0.5), 6)
    captured = draws(capture(lambda x: ops.dropout(x, 0.5)), 6)
    same_bits(captured, eager, "dropout")
    assert len({d.tobytes() for d in eager}) == 6


def training(steps: int, captured: bool) -> list[np.ndarray]:
    """An MLP with dropout, trained by the fused Adam at a rate that changes."""
    rng = np.random.default_rng(0)
    shapes = ((20, 30), (30,), (30, 5), (5,))
    weights = [pylearn.asarray((rng.standard_normal(s) * 0.1).astype(np.float32)) for s in shapes]
    update = pylearn._core.Update("adam", weights, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})
    x = rng.standard_normal((64, 20)).astype(np.float32)
    labels = rng.integers(0, 5, 64)

    def loss(x, y):
        w1, b1, w2, b2 = weights
        h = ops.dropout(ops.linear(x, w1, b1, "relu"), 0.3)
        return ops.mean(ops.softmax_cross_entropy(ops.linear(h, w2, b2), y))

    def step(x, y):
        with pylearn._core.grad_scope():
            value = loss(x, y)
        pylearn._core.gradients(value, weights, out=update.grads)
        update.apply(value)
        return value

    for w in weights:
        pylearn._core.watch_parameter(w)
    pylearn.random.seed(3)
    run = capture(step) if captured else step
    losses = []
    for n in range(steps):
        update.rate = 0.01 / (1 + n / 10)
        rows = np.arange(n, n + 16) % 64
        losses.append(float(run(pylearn.asarray(x[rows]), pylearn.asarray(labels[rows]))))
    if captured:
        assert run.stats["replayed"] == steps - 2
    return [np.array(losses), *(np.asarray(w).copy() for w in weights)]


def test_two_hundred_steps_have_the_same_bits() -> None:
    eager = training(200, captured=False)
    assert eager[0][-20:].mean() < eager[0][:20].mean()
    same_bits(training(200, captured=True), eager, "captured training")


def test_ids_out_of_range_in_a_replay() -> None:
    f = capture(lambda x, i: ops.take(x, i, 0))
    table = np.arange(12.0).reshape(4, 3)
    for _ in range(4):
        f(table, np.array([0, 3]))
    for wrong in ([0, 4], [-5, 0], [2**40, 1]):
        with pytest.raises(IndexError, match="indices"):
            f(table, np.array(wrong))
    assert f(table, np.array([1, -1])).tolist() == [[3, 4, 5], [9, 10, 11]]


# -- the plan beneath --------------------------------------------------------------------------------------------------


def test_plan_rows() -> None:
    """Batches are gathered straight into the input places, cast on the way."""
    images = np.arange(40, dtype=np.uint8).reshape(10, 4)
    labels = np.arange(10)
    plan = pylearn._core.Plan()
    x, y = plan.begin([pylearn.asarray(np.zeros((3, 4), np.float32)), pylearn.asarray(np.zeros(3, np.int64))])
    out = ops.sum(x, axis=1) * 2.0 + ops.cast(y, "float32")
    assert plan.end([out]) == ""
    assert plan.launches
    del x, y, out
    (got,) = plan.run_rows([images, labels], None, 2, 5)
    assert got.tolist() == (images[2:5].sum(1) * 2.0 + labels[2:5]).tolist()
    order = np.array([9, 1, 4, 0])
    (got,) = plan.run_rows([images, labels], pylearn.asarray(order), 1, 4)
    assert got.tolist() == (images[order[1:4]].sum(1) * 2.0 + labels[order[1:4]]).tolist()
    for index, begin, end in (
        (None, 8, 11),
        (None, -1, 2),
        (order, 2, 5),
        (np.array([0, 1, 99]), 0, 3),
        (None, 0, 2),
    ):
        with pytest.raises((IndexError, ValueError)):
            plan.run_rows([images, labels], index, begin, end)
    with pytest.raises((ValueError, TypeError)):
        plan.run_rows([images], None, 0, 3)


def test_plan_state() -> None:
    count = tensor(0.0)
    plan = pylearn._core.Plan()
    (x,) = plan.begin([tensor(1.0)])
    ops.assign_add(count, x)
    assert plan.end([]) == ""
    plan.run([tensor(1.0)])
    before = plan.save_state()
    plan.run([tensor(1.0)])
    after = count.tolist()
    plan.restore_state(before)
    assert count.tolist() == [after[0] - 1]


def test_plan_profile_times_launches_and_undoes_them() -> None:
    from pylearn import _core

    total = pylearn.asarray(np.zeros(3))

    def step(x: pylearn.Tensor) -> pylearn.Tensor:
        ops.assign_add(total, ops.exp(x))
        return ops.sum(total)

    plan = _core.Plan()
    places = plan.begin([tensor(0.0, 1.0, 2.0)])
    result = _core.detach(step(places[0]))
    del places
    assert plan.end([result]) == ""
    before = total.tolist()
    for rounds in (1, 4):
        found = plan.profile(rounds)
        assert [name for name, _ in found] == plan.launches
        assert all(0 <= seconds < 1 for _, seconds in found)
    assert total.tolist() == before
    for rounds in (0, -1, 1001):
        with pytest.raises(ValueError, match="rounds"):
            plan.profile(rounds)
    with pytest.raises(RuntimeError, match="nothing has been recorded"):
        _core.Plan().profile()
