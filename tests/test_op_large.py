"""Results of 32 MB and more are stored past the caches: the same bits as in parts."""

import numpy as np
import pytest

from pylearn import ops

BYTES = 33 << 20


def in_parts(function, rows, *arrays):
    """The function of eighths of the rows, joined."""
    step = -(-rows // 8)
    parts = [function(*(a[i : i + step] for a in arrays)) for i in range(0, rows, step)]
    return np.concatenate(parts)


@pytest.mark.parametrize("columns", [1000, 1024, 37])
def test_cross_entropy_gradients(columns):
    rng = np.random.default_rng(0)
    rows = BYTES // 4 // columns
    x, weight = rng.random((rows, columns), "float32"), rng.random(rows, "float32")
    labels = rng.integers(0, columns, rows)
    whole = ops.softmax_cross_entropy_backward(weight, x, labels)
    assert np.array_equal(whole, in_parts(ops.softmax_cross_entropy_backward, rows, weight, x, labels))


@pytest.mark.parametrize("columns", [1024, 100])
def test_layer_norm(columns):
    rng = np.random.default_rng(0)
    rows = BYTES // 4 // columns
    x, gamma, beta = rng.random((rows, columns), "float32"), *rng.random((2, columns), "float32")

    def norm(x):
        return ops.layer_norm(x, gamma, beta)

    assert np.array_equal(norm(x), in_parts(norm, rows, x))


@pytest.mark.parametrize("channels", [64, 24])
def test_batch_norm_at_rest(channels):
    rng = np.random.default_rng(0)
    rows = BYTES // 4 // (64 * channels)
    x = rng.random((rows, 8, 8, channels), "float32")
    mean, gamma, beta = rng.random((3, channels), "float32")

    def norm(x):
        return ops.batch_norm_inference(x, mean, gamma + 1, gamma, beta)

    assert np.array_equal(norm(x), in_parts(norm, rows, x))
