"""Sparse matrices in CSR form."""

import numpy as np
import pytest
from op_samples import rng_for

import pylearn
from pylearn import CSR, ops


def example(rows: int, cols: int, density: float, dtype: str = "float64") -> tuple[CSR, np.ndarray]:
    rng = rng_for("csr", rows, cols, density)
    dense = np.where(rng.random((rows, cols)) < density, rng.standard_normal((rows, cols)), 0).astype(dtype)
    row, col = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
    return CSR(indptr, col, dense[row, col], dense.shape), dense


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (67, 33), (5, 0), (0, 5), (300, 200)])
@pytest.mark.parametrize("columns", [1, 3, 16, 17])
def test_products(shape: tuple[int, int], columns: int, dtype: str) -> None:
    a, dense = example(*shape, 0.2, dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    x = rng_for("x").standard_normal((shape[1], columns)).astype(dtype)
    got = a @ x
    assert isinstance(got, np.ndarray) and got.dtype == dtype
    np.testing.assert_allclose(got, dense @ x, atol=tolerance)
    y = rng_for("y").standard_normal((shape[0], columns)).astype(dtype)
    np.testing.assert_allclose(a.matmul(y, transpose=True), dense.T @ y, atol=tolerance)
    assert isinstance(a @ pylearn.asarray(x), pylearn.Tensor)


def test_gradient() -> None:
    a, dense = example(9, 6, 0.3)
    w = rng_for("w").standard_normal((6, 2))
    g = pylearn.grad(lambda w: ops.sum(ops.square(a @ w)))(w)
    np.testing.assert_allclose(g, 2 * dense.T @ (dense @ w), rtol=1e-12)
    twice = pylearn.grad(lambda w: ops.sum(pylearn.grad(lambda w: ops.sum(ops.square(a @ w)))(w)))(w)
    np.testing.assert_allclose(twice, 2 * dense.T @ dense @ np.ones((6, 2)), rtol=1e-12)


def test_what_it_says_of_itself() -> None:
    a, dense = example(7, 5, 0.3)
    assert a.shape == (7, 5) and len(a) == 7 and a.nnz == np.count_nonzero(dense) and a.dtype == np.float64
    assert np.array_equal(a.toarray(), dense)
    assert repr(a) == f"CSR(shape=(7, 5), nnz={a.nnz}, dtype=float64)"
    for index in ([2, 0, 2], slice(1, 6, 2), np.array([], int)):
        assert np.array_equal(a.rows(index).toarray(), dense[index])
    assert CSR([0, 1], [0], [3], shape=(1, 2)).dtype == np.float32


def test_threads() -> None:
    a, _ = example(3000, 500, 0.05)
    x = rng_for("x").standard_normal((500, 8))
    y = rng_for("y").standard_normal((3000, 8))
    before = pylearn.num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            pylearn.set_num_threads(n)
            results.append(((a @ x).tobytes(), a.matmul(y, transpose=True).tobytes()))
        assert results[0] == results[1] == results[2]
    finally:
        pylearn.set_num_threads(before)


def test_from_scipy() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    _, dense = example(6, 8, 0.3)
    for kind in (sparse.csr_matrix, sparse.coo_matrix, sparse.csc_array):
        assert np.array_equal(CSR.from_scipy(kind(dense)).toarray(), dense)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (([0, 1], [0], [1.0], (2, 2)), "indptr"),
        (([1, 1, 1], [0], [1.0], (2, 2)), "indptr"),
        (([0, 2, 1], [0, 1], [1.0, 2.0], (2, 2)), "indptr"),
        (([0, 1, 2], [0], [1.0, 2.0], (2, 2)), "indices"),
        (([0, 1, 2], [0, 1], [1.0], (2, 2)), "values"),
        (([0, 1, 2], [0, 2], [1.0, 2.0], (2, 2)), "indices"),
        (([0, 1, 2], [0, -1], [1.0, 2.0], (2, 2)), "indices"),
        (([0, 1, 2], [0, 1], [1.0, 2.0], (2,)), "shape"),
        (([0, 1, 2], [0, 1], [1.0, 2.0], (-2, 2)), "shape"),
        (([0, 1, 2**62], [0, 1], [1.0, 2.0], (2, 2)), "indices"),
    ],
)
def test_errors(arguments: tuple, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        CSR(*arguments)


def test_product_errors() -> None:
    a, _ = example(7, 5, 0.3)
    for x in (np.ones((7, 2)), np.ones((5, 2, 2)), np.float64(1)):
        with pytest.raises(ValueError, match="'x'"):
            a @ x
    with pytest.raises(TypeError, match="'x'"):
        a @ "text"
