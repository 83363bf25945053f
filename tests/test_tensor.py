"""The Tensor: memory shared both ways, NumPy's protocols, indexing as NumPy, and what it refuses."""

import copy
import operator
import pickle

import numpy as np
import pytest
from op_samples import rng_for

import pylearn
from pylearn import ops

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")


def address(a) -> int:
    return np.asarray(a).__array_interface__["data"][0]


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_asarray_and_numpy_copy_nothing(dtype: str) -> None:
    a = np.arange(12).reshape(3, 4).astype(dtype)
    t = pylearn.asarray(a)
    assert address(t) == a.__array_interface__["data"][0]
    assert t.dtype == a.dtype and t.shape == (3, 4) and t.ndim == 2 and t.size == 12
    assert t.nbytes == a.nbytes and t.strides == a.strides
    a[1, 2] = 1
    assert t.numpy()[1, 2] == 1
    t.numpy()[0, 0] = 1
    assert a[0, 0] == 1


def test_strided_memory_is_shared() -> None:
    a = np.arange(24.0).reshape(4, 6)
    for view in (a[::2], a[:, ::-1], a.T, a[1:3, 2:5], np.broadcast_to(a[0], (3, 6))):
        t = pylearn.asarray(view)
        assert address(t) == address(view) and t.strides == view.strides
        assert np.array_equal(t.numpy(), view)


def test_what_kernels_cannot_use_is_copied() -> None:
    a = np.arange(5.0)
    assert address(pylearn.asarray(a.astype(">f8"))) != address(a)
    assert np.array_equal(pylearn.asarray(a.astype(">f8")).numpy(), a)
    memory = np.zeros(41, np.uint8)
    odd = memory[1:].view(np.float64)
    odd[:] = a
    assert np.array_equal(pylearn.asarray(odd).numpy(), a)


def test_asarray_copy_and_dtype() -> None:
    a = np.arange(3.0)
    assert address(pylearn.asarray(a, copy=True)) != address(a)
    assert pylearn.asarray(a, dtype="float32").dtype == np.float32
    t = pylearn.asarray(a)
    assert address(pylearn.asarray(t)) == address(a)
    for wrong in ("float16", "nonsense", "complex64"):
        with pytest.raises(TypeError, match="dtype"):
            pylearn.asarray(a, dtype=wrong)


def test_memory_outlives_its_owner() -> None:
    t = pylearn.asarray(np.arange(1000.0))
    view = t[10:20]
    kept = view.numpy()
    del t, view
    for _ in range(10):
        np.ones(1000)
        pylearn.asarray(np.ones(1000)).copy()
    assert np.array_equal(kept, np.arange(10.0, 20))


def test_views_share_memory() -> None:
    t = pylearn.asarray(np.zeros((3, 4)))
    views = (
        t[1],
        t[:, 1],
        t.T,
        t.reshape(12),
        t.reshape(2, 6),
        t[None],
        t[::-1, ::2],
        t.squeeze(),
        t.ravel(),
        t.mT,
    )
    for n, view in enumerate(views):
        before = float(t.numpy().sum())
        view[...] = n + 1.0
        assert float(t.numpy().sum()) != before
    assert np.array_equal(t.copy().numpy(), t.numpy()) and address(t.copy()) != address(t)
    assert address(t.flatten()) != address(t)


def test_readonly() -> None:
    a = np.arange(3.0)
    a.flags.writeable = False
    t = pylearn.asarray(a)
    assert t.readonly and not t.numpy().flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        t[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        ops.assign(t, 1.0)
    assert not pylearn.asarray(np.arange(3.0)).readonly
    assert not t.copy().readonly


def test_alignment_of_results() -> None:
    for n in (1, 7, 100):
        assert address(ops.exp(pylearn.asarray(np.ones(n)))) % 64 == 0


# -- conversions -------------------------------------------------------------------------------------------------------


def test_item_and_numbers() -> None:
    assert pylearn.asarray(2.5).item() == 2.5 and type(pylearn.asarray(2.5).item()) is float
    assert pylearn.asarray([[3]]).item() == 3 and type(pylearn.asarray(3).item()) is int
    assert pylearn.asarray(True).item() is True
    assert float(pylearn.asarray(2.5)) == 2.5 and int(pylearn.asarray(2.5)) == 2
    assert bool(pylearn.asarray(0.0)) is False and bool(pylearn.asarray([1])) is True
    assert [10, 20, 30][pylearn.asarray(1)] == 20
    assert f"{pylearn.asarray(2.5):.2f}" == "2.50"
    assert pylearn.asarray([[1, 2]]).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="exactly one"):
        pylearn.asarray([1.0, 2.0]).item()
    with pytest.raises(ValueError, match="ambiguous"):
        bool(pylearn.asarray([1.0, 2.0]))
    with pytest.raises(TypeError):
        operator.index(pylearn.asarray(1.0))


def test_lists_of_tensors_are_stacked() -> None:
    rows = [pylearn.asarray(np.ones(3)), pylearn.asarray(np.zeros(3))]
    assert pylearn.asarray(rows).shape == (2, 3)


def test_array_protocol() -> None:
    t = pylearn.asarray(np.arange(3.0))
    assert np.asarray(t, dtype="float32").dtype == np.float32
    assert address(np.array(t, copy=True)) != address(t)
    assert address(np.asarray(t)) == address(t)
    assert np.concatenate([t, t]).shape == (6,)
    assert np.allclose(t, [0, 1, 2])
    assert np.sum(t) == 3 and np.mean(t) == 1 and np.max(t, axis=0) == 2


def test_ufuncs_become_ops() -> None:
    t = pylearn.asarray(np.array([0.5, -1.0, 2.0]))
    a = t.numpy()
    for f in (np.exp, np.tanh, np.absolute, np.negative, np.square, np.sign, np.floor, np.rint, np.isnan):
        assert isinstance(f(t), pylearn.Tensor)
        np.testing.assert_allclose(np.asarray(f(t)), f(a), rtol=1e-14)
    for f in (np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.arctan2, np.less, np.power):
        for x, y in ((t, np.abs(a)), (np.abs(a), t), (t, 2.0), (2.0, t)):
            got = f(x, y)
            assert isinstance(got, pylearn.Tensor)
            with np.errstate(all="ignore"):
                np.testing.assert_allclose(np.asarray(got), f(np.asarray(x), np.asarray(y)), rtol=1e-14)
    out = np.zeros(3)
    assert np.exp(t, out=out) is out and np.allclose(out, np.exp(a))
    with pytest.raises(TypeError, match=r"spacing.*numpy\(\)"):
        np.spacing(t)
    with pytest.raises(TypeError, match="reduce"):
        np.add.reduce(t)
    with pytest.raises(TypeError, match="where"):
        np.exp(t, where=[True, False, True])


def test_ndarray_on_the_left_keeps_the_gradient() -> None:
    a = np.arange(6.0).reshape(2, 3)
    w = np.arange(3.0)
    assert isinstance(a @ pylearn.asarray(w), pylearn.Tensor)
    got = pylearn.grad(lambda w: (a @ w).sum())(w)
    assert np.array_equal(got, a.sum(axis=0))
    for f in (
        lambda w: a - w,
        lambda w: a * w,
        lambda w: a / (w + 1),
        lambda w: np.float64(2) * w,
        lambda w: 2 - w,
    ):
        got = pylearn.grad(lambda w, f=f: f(w).sum())(w)
        h = 1e-6
        want = [(f(w + h * e).sum() - f(w - h * e).sum()) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_logistic_function_as_written_in_numpy() -> None:
    z = np.linspace(-2, 2, 5)
    got = pylearn.grad(lambda z: (1 / (1 + np.exp(-z))).sum())(z)
    s = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(got, s * (1 - s), rtol=1e-12)


# -- operators ---------------------------------------------------------------------------------------------------------

OPERATORS = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
)  # fmt: skip


@pytest.mark.parametrize("f", OPERATORS, ids=lambda f: f.__name__)
def test_operators(f) -> None:
    a, b = np.array([[1.5, 2.0, 3.0]]), np.array([[2.0], [0.5]])
    for x, y in ((a, b), (a, 2), (2, b), (a, 2.5), (a, [1.0, 2.0, 3.0]), (a, np.float32(2))):
        want = f(np.asarray(x), np.asarray(y))
        for left, right in (
            (pylearn.asarray(x), y),
            (x, pylearn.asarray(y)),
            (pylearn.asarray(x), pylearn.asarray(y)),
        ):
            if isinstance(left, list):
                continue
            got = f(left, right)
            assert isinstance(got, pylearn.Tensor)
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-15)


def test_other_operators() -> None:
    t, b = pylearn.asarray(np.array([1.0, -2.0])), pylearn.asarray(np.array([True, False]))
    assert (-t).tolist() == [-1, 2] and abs(t).tolist() == [1, 2] and (+t).tolist() == [1, -2]
    assert (~b).tolist() == [False, True]
    assert (
        (b & True).tolist() == [True, False]
        and (b | b).tolist() == [True, False]
        and (b ^ b).tolist() == [False] * 2
    )
    t += 1.0
    assert t.tolist() == [2, -1]
    with pytest.raises(TypeError):
        _ = t + "text"
    with pytest.raises(TypeError):
        operator.invert(t)
    assert (t == None) is False  # noqa: E711
    assert len({t, t, b}) == 2


def test_methods() -> None:
    a = rng_for("methods").standard_normal((3, 4))
    t = pylearn.asarray(a)
    for name in ("sum", "mean", "max", "min", "prod", "var", "std", "argmax", "argmin"):
        for kwargs in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
            want = getattr(a, name)(**kwargs)
            np.testing.assert_allclose(np.asarray(getattr(t, name)(**kwargs)), want, rtol=1e-13)
    assert (
        t.transpose().shape == (4, 3)
        and t.transpose(1, 0).shape == (4, 3)
        and t.transpose((0, 1)).shape == (3, 4)
    )
    assert t.reshape(4, -1).shape == (4, 3) and t.reshape((2, 6)).shape == (2, 6)
    assert t.astype("float32").dtype == np.float32 and t.to("cpu").device == "cpu"
    t.name = "dense/kernel"
    assert t.name == "dense/kernel" and "dense/kernel" in repr(t)
    for device in ("gpu", "cuda:0"):
        with pytest.raises(ValueError, match="device"):
            t.to(device)


# -- other libraries ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_with_numpy(dtype: str) -> None:
    a = np.arange(12).reshape(3, 4).astype(dtype)
    t = pylearn.from_dlpack(a)
    assert address(t) == address(a) and t.dtype == a.dtype and np.array_equal(t.numpy(), a)
    back = np.from_dlpack(t)
    assert address(back) == address(a) and np.array_equal(back, a)
    view = pylearn.asarray(a)[::2, 1:]
    assert np.array_equal(np.from_dlpack(view), a[::2, 1:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_with_torch(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    theirs = torch.arange(12).reshape(3, 4).to(getattr(torch, dtype))
    t = pylearn.from_dlpack(theirs)
    assert address(t) == theirs.data_ptr() and np.array_equal(t.numpy(), theirs.numpy())
    ours = pylearn.asarray(np.arange(6).astype(dtype))
    back = torch.from_dlpack(ours)
    assert back.data_ptr() == address(ours)
    del ours
    assert np.array_equal(back.numpy(), np.arange(6).astype(dtype))
    assert pylearn.from_dlpack(theirs.T).shape == (4, 3)


def test_dlpack_errors() -> None:
    with pytest.raises((TypeError, AttributeError)):
        pylearn.from_dlpack(3)
    with pytest.raises(TypeError, match="from_dlpack"):
        pylearn.from_dlpack(np.ones(2, np.complex64))
    assert pylearn.asarray(np.ones(2)).__dlpack_device__()[0] == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_and_copies(dtype: str) -> None:
    a = np.arange(6).reshape(2, 3).astype(dtype)
    t = pylearn.asarray(a)
    t.name = "w"
    for other in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy(t), copy.deepcopy([t])[0]):
        assert isinstance(other, pylearn.Tensor)
        assert other.dtype == t.dtype and np.array_equal(other.numpy(), a) and address(other) != address(t)
    assert pickle.loads(pickle.dumps(t)).name == "w"
    assert pickle.loads(pickle.dumps(t[:, ::2])).tolist() == a[:, ::2].tolist()


def test_repr() -> None:
    assert repr(pylearn.asarray([1.5, 2.0])) == "Tensor([1.5, 2. ], shape=(2,), dtype=float64)"
    assert "shape=(0,)" in repr(pylearn.asarray(np.zeros(0)))
    assert len(repr(pylearn.asarray(np.zeros((1000, 1000))))) < 2000


# -- indexing ----------------------------------------------------------------------------------------------------------


def random_index(rng: np.random.Generator, shape: tuple[int, ...]):
    """An index expression that NumPy may or may not take."""
    items: list = []
    ids = False
    for n in shape[: rng.integers(len(shape) + 1)]:
        way = rng.integers(7)
        if way == 0:
            items.append(int(rng.integers(-n - 1, n + 1)))
        elif way in (1, 2):
            ends = [None, *range(-n - 2, n + 3)]
            step = [None, 1, 2, -1, -2, 3][rng.integers(6)]
            items.append(slice(ends[rng.integers(len(ends))], ends[rng.integers(len(ends))], step))
        elif way == 3:
            items.append(slice(None))
        elif way == 4:
            items.append(None)
        elif way == 5 and not any(i is Ellipsis for i in items):
            items.append(Ellipsis)
        elif not ids:
            ids = True
            items.append(rng.integers(-n, n, rng.integers(0, 4)))
    return items[0] if len(items) == 1 and rng.random() < 0.5 else tuple(items)


def test_indexing_against_numpy() -> None:
    rng = rng_for("indexing")
    taken = 0
    for _ in range(3000):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(0, 4)))
        a = np.arange(int(np.prod(shape))).reshape(shape) * 1.0
        key = random_index(rng, shape)
        try:
            want = a[key]
        except IndexError:
            with pytest.raises(IndexError):
                pylearn.asarray(a)[key]
            continue
        got = pylearn.asarray(a)[key]
        assert isinstance(got, pylearn.Tensor)
        assert got.shape == np.shape(want) and np.array_equal(got.numpy(), want), (
            f"shape {shape}, key {key!r}"
        )
        taken += 1
    assert taken > 1000


def test_assignment_against_numpy() -> None:
    rng = rng_for("assignment")
    for _ in range(1500):
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
        a = np.zeros(shape)
        b = a.copy()
        key = random_index(rng, shape)
        try:
            place = np.shape(a[key])
        except IndexError:
            with pytest.raises(IndexError):
                pylearn.asarray(b)[key] = 1.0
            continue
        value = rng.standard_normal(place) if rng.random() < 0.7 else 2.5
        a[key] = value
        pylearn.asarray(b)[key] = value
        assert np.array_equal(a, b), f"shape {shape}, key {key!r}"


def test_boolean_index() -> None:
    a = np.arange(12.0).reshape(3, 4)
    t = pylearn.asarray(a)
    assert np.array_equal(t[a > 4].numpy(), a[a > 4])
    assert np.array_equal(t[pylearn.asarray(a > 4)].numpy(), a[a > 4])
    assert np.array_equal(t[np.array([True, False, True])].numpy(), a[[0, 2]])
    t[a > 4] = 0.0
    assert a.max() == 4
    with pytest.raises(IndexError):
        t[np.array([True, False])]


def test_index_errors() -> None:
    t = pylearn.asarray(np.zeros((3, 4)))
    for key in (
        3,
        -4,
        (0, 4),
        (0, 0, 0),
        "0",
        1.5,
        (Ellipsis, Ellipsis),
        np.array([5]),
        np.array([0.5]),
        2**62,
        2**80,
    ):
        with pytest.raises((IndexError, TypeError, ValueError)):
            t[key]
    with pytest.raises(ValueError):
        t[::0]
    with pytest.raises((ValueError, TypeError)):
        t[0] = np.zeros(5)
    with pytest.raises(TypeError):
        t[0] = "text"
    with pytest.raises(TypeError, match="cast"):
        pylearn.asarray(np.zeros(3, np.int64))[:] = np.full(3, 1.5)


def test_iteration_and_length() -> None:
    t = pylearn.asarray(np.arange(6).reshape(3, 2))
    assert len(t) == 3 and [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    _, b, _ = t
    assert b.tolist() == [2, 3]
    for f in (len, list):
        with pytest.raises(TypeError, match="without dimensions"):
            f(pylearn.asarray(1.0))


def test_too_many_dimensions() -> None:
    with pytest.raises(ValueError, match="dimensions"):
        pylearn.asarray(np.zeros((1,) * 9))
    with pytest.raises(ValueError, match="dimensions"):
        pylearn.asarray(np.zeros((1,) * 8))[None]


def test_backward_points_to_value_and_grad() -> None:
    with pytest.raises(RuntimeError, match="value_and_grad"):
        pylearn.asarray(1.0).backward()
