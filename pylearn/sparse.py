"""Sparse matrices in CSR form, for bag-of-words input: never densified.

>>> import numpy as np
>>> a = CSR([0, 1, 2], [0, 2], [1.0, 2.0], shape=(2, 3))
>>> a @ np.eye(3)
array([[1., 0., 0.],
       [0., 0., 2.]])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import _core
from pylearn._core import Tensor
from pylearn._lazy import optional

__all__ = ["CSR"]


class CSR:
    """A sparse matrix of ``shape`` (rows, cols): row r holds ``values[k]`` at column ``indices[k]`` for k in
    ``indptr[r]:indptr[r+1]``.

    Args:
        indptr: (rows + 1,) integers, not decreasing, from 0 to the number of values.
        indices: (nnz,) integers in [0, cols).
        values: (nnz,) floats; integers and bool become float32.
        shape: (rows, cols).

    Raises:
        ValueError: the arrays do not describe a matrix of that shape.
    """

    __array_priority__ = 1001
    __array_ufunc__ = None  # NumPy must not take the matrix apart

    def __init__(self, indptr: Any, indices: Any, values: Any, shape: tuple[int, int]) -> None:
        if len(shape) != 2 or min(shape) < 0:
            raise ValueError(f"[CSR] argument 'shape' must be (rows, cols), not {shape}")
        rows, cols = (int(s) for s in shape)
        ptr = np.ascontiguousarray(indptr, dtype=np.int64)
        ids = np.ascontiguousarray(indices, dtype=np.int64)
        val = values if isinstance(values, Tensor) else np.asarray(values)
        if val.dtype not in (np.float32, np.float64):
            val = val.astype(np.float32)
        if ptr.shape != (rows + 1,) or ptr[0] != 0 or (np.diff(ptr) < 0).any():
            raise ValueError(f"[CSR] argument 'indptr' must rise from 0 in {rows + 1} steps")
        if ids.shape != (ptr[-1],) or val.shape != (ptr[-1],):
            raise ValueError(
                f"[CSR] arguments 'indices' {ids.shape} and 'values' {val.shape} must hold "
                f"indptr[-1] = {ptr[-1]} entries"
            )
        if ids.size and (ids.min() < 0 or ids.max() >= cols):
            raise ValueError(f"[CSR] argument 'indices' has a column outside 0 to {cols - 1}")
        self.shape = (rows, cols)
        self.indptr = _core.asarray(ptr)
        self.indices = _core.asarray(ids)
        self.values = _core.asarray(val)

    @classmethod
    def from_scipy(cls, matrix: Any) -> CSR:
        """From any SciPy sparse matrix (converted to CSR when it is another kind)."""
        m = matrix.tocsr()
        return cls(m.indptr, m.indices, m.data, m.shape)

    def to_scipy(self) -> Any:
        """The same as ``scipy.sparse.csr_matrix``, over the same memory.

        Raises:
            ImportError: SciPy is absent.
        """
        scipy = optional("scipy.sparse", "sklearn", "CSR.to_scipy")
        arrays = (self.values.numpy(), self.indices.numpy(), self.indptr.numpy())
        return scipy.csr_matrix(arrays, self.shape)

    @property
    def nnz(self) -> int:
        """Number of stored values."""
        return self.values.size

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, index: Any) -> CSR:
        """The rows at ``index`` (integers or a slice), in that order."""
        index = np.arange(self.shape[0])[index]
        ptr, ids, val = self.indptr.numpy(), self.indices.numpy(), self.values.numpy()
        sizes = ptr[index + 1] - ptr[index]
        new_ptr = np.concatenate([[0], np.cumsum(sizes)])
        take = np.arange(new_ptr[-1]) + np.repeat(ptr[index] - new_ptr[:-1], sizes)
        return CSR(new_ptr, ids[take], val[take], (len(index), self.shape[1]))

    def matmul(self, x: Any, transpose: bool = False) -> Any:
        """``self @ x``, or ``self.T @ x`` with ``transpose``; x (n, k) dense. Gradients flow to x."""
        p = (self.indptr.numpy(), self.indices.numpy(), self.values.numpy())
        return _core.csr_matmul(*p, *self.shape, x, transpose)

    def __matmul__(self, x: Any) -> Any:
        return self.matmul(x)

    def toarray(self) -> np.ndarray:
        """The dense matrix."""
        out = np.zeros(self.shape, self.dtype)
        row = np.repeat(np.arange(self.shape[0]), np.diff(self.indptr.numpy()))
        np.add.at(out, (row, self.indices.numpy()), self.values.numpy())
        return out

    def __repr__(self) -> str:
        return f"CSR(shape={self.shape}, nnz={self.nnz}, dtype={self.dtype})"
