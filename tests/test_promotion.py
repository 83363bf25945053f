"""One promotion table, NumPy 2's: every pair of dtypes, and Python numbers, which are weak."""

import itertools
import operator as op

import numpy as np
import pytest

import pylearn
from pylearn import ops

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
PAIRS = list(itertools.product(DTYPES, DTYPES))
SHAPES = [((3,), (3,)), ((), ()), ((3,), ())]


def want(a: str, b: str) -> np.dtype:
    return np.promote_types(a, b)


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_pairs(a: str, b: str, shapes: tuple) -> None:
    x, y = np.ones(shapes[0], a), np.ones(shapes[1], b)
    assert ops.add(x, y).dtype == want(a, b)
    assert ops.multiply(pylearn.asarray(x), y).dtype == want(a, b)
    assert ops.maximum(x, pylearn.asarray(y)).dtype == want(a, b)
    assert ops.where(np.ones(3, bool), x, y).dtype == want(a, b)
    assert ops.equal(x, y).dtype == bool
    wide = want(a, b) if want(a, b).kind == "f" else np.dtype("float64")
    assert ops.divide(x, y).dtype == wide
    assert ops.arctan2(x, y).dtype == wide


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_joining(a: str, b: str) -> None:
    x, y = np.ones((2, 3), a), np.ones((3, 2), b)
    assert ops.matmul(x, y).dtype == want(a, b)
    assert ops.concatenate([x, y.T]).dtype == want(a, b)
    assert ops.stack([x, y.T]).dtype == want(a, b)


@pytest.mark.skipif(not NUMPY_2, reason="NumPy 1 promotes by value")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [True, 2, 2.5])
@pytest.mark.parametrize("shape", [(3,), ()], ids=str)
def test_python_numbers_are_weak(dtype: str, number: float, shape: tuple) -> None:
    x = np.ones(shape, dtype)
    t = pylearn.asarray(x)
    for f in (op.add, op.mul, op.truediv, op.sub, op.floordiv, op.mod, op.pow):
        if dtype == "bool" and number is True and f in (op.sub, op.floordiv, op.mod, op.pow):
            continue  # NumPy's int8, which pylearn has not, or an error in both
        for a, b, c, d in ((t, number, x, number), (number, t, number, x)):
            wanted = f(c, d).dtype
            if wanted in DTYPES:  # pylearn has no int8
                assert f(a, b).dtype == wanted, f"{f.__name__} {dtype} {number}"


@pytest.mark.parametrize(
    "scalar", [np.float32(2), np.float64(2), np.int32(2), np.int64(2), np.uint8(2), np.bool_(True)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_scalars_are_not(scalar: np.generic, dtype: str) -> None:
    t = pylearn.asarray(np.ones(3, dtype))
    assert ops.add(t, scalar).dtype == want(dtype, str(scalar.dtype))
    assert ops.add(scalar, t).dtype == want(dtype, str(scalar.dtype))


@pytest.mark.parametrize(
    ("dtype", "number"), [("uint8", 256), ("uint8", -1), ("int32", 2**31), ("int32", -(2**31) - 1)]
)
def test_python_integers_must_fit(dtype: str, number: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        ops.add(np.ones(3, dtype), number)


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_cast_between_all(a: str, b: str) -> None:
    got = ops.cast(np.array([0, 1, 1, 0]).astype(a), b)
    assert got.dtype == b and np.array_equal(got.astype(float), [0, 1, 1, 0])


def test_near_types_are_widened() -> None:
    pairs = {"float16": "float32", "int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}
    for given, held in pairs.items():
        assert pylearn.asarray(np.ones(2, given)).dtype == held
    for refused in ("uint64", "complex64", "complex128", "longdouble"):
        with pytest.raises(TypeError, match="dtype"):
            pylearn.asarray(np.ones(2, refused))


def test_asarray_of_python_numbers() -> None:
    assert pylearn.asarray(1).dtype == "int64"
    assert pylearn.asarray(1.5).dtype == "float64"
    assert pylearn.asarray(True).dtype == bool
    assert pylearn.asarray([1, 2.5]).dtype == "float64"
    assert pylearn.asarray([1, 2], dtype="float32").dtype == "float32"
