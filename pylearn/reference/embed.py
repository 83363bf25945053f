"""Rows of a table by id."""

import numpy as np

from .elementwise import real

__all__ = ["embedding", "embedding_backward", "embedding_backward_sparse"]


def embedding(ids, table):
    """ids (...), table (rows, D) -> y (..., D): y[i] = table[ids[i]], 0 <= ids < rows"""
    return np.take(real(table), ids, axis=0)


def embedding_backward(dy, ids, num_embeddings):
    """dy (..., D), ids (...) -> dtable (num_embeddings, D): the sum of dy[i] over the i of each id"""
    table = np.zeros((num_embeddings, np.shape(dy)[-1]))
    np.add.at(table, ids, real(dy))
    return table


def embedding_backward_sparse(dy, ids):
    """The rows of embedding_backward that have an id: (unique (n), sums (n, D)) for n = ids.size

    unique holds the distinct ids, growing, then -1; sums the row of each, then zeros.
    """
    dy, ids = real(dy).reshape(np.size(ids), np.shape(dy)[-1]), np.ravel(ids)
    unique, sums = np.full(ids.size, -1), np.zeros(dy.shape)
    found, row = np.unique(ids, return_inverse=True)
    unique[: found.size] = found
    np.add.at(sums, row, dy)
    return unique.astype(np.int32 if ids.dtype == np.uint8 else ids.dtype), sums
