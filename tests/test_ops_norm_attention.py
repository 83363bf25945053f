"""What the records of the normalisations and of attention do not say: large means, caches, masks, draws, memory."""

from __future__ import annotations

import numpy as np
import pytest

import pylearn
from pylearn import ops

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("shape", [(64, 8), (3000, 9), (40, 9, 130)])
def test_variance_beside_a_large_mean(shape: tuple[int, ...]) -> None:
    """Float32 with mean 1e4 and deviation 1 keeps three digits of the variance, in every normalisation."""
    x = (RNG.standard_normal(shape) + 1e4).astype(np.float32)
    wide = x.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    _, mean, var = ops.batch_norm(x)
    np.testing.assert_allclose(mean, wide.mean(axes), rtol=1e-6)
    np.testing.assert_allclose(var, wide.var(axes), rtol=1e-3)
    for y in (
        ops.layer_norm(x, axis=tuple(range(1, x.ndim)), epsilon=0.0),
        ops.group_norm(x, 1, epsilon=0.0),
    ):
        np.testing.assert_allclose(np.var(y.reshape(len(y), -1), axis=1), 1, atol=3e-3)


def test_a_first_position_far_from_the_others() -> None:
    """The shift that sums are taken about is a position of x: the worst choice costs digits, not the result."""
    x = RNG.standard_normal((5000, 20)).astype(np.float32)
    x[0] = 1e4
    np.testing.assert_allclose(ops.batch_norm(x)[2], x.astype(np.float64).var(0), rtol=1e-3)
    rows = np.ascontiguousarray(x.T[:, :500])
    y = ops.layer_norm(rows, epsilon=0.0)
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(y.var(1), 1, rtol=1e-3)


def test_statistics_that_are_used_pass_their_gradient() -> None:
    """mean and var are outputs like any other: what is computed from them reaches x."""
    x = RNG.standard_normal((6, 3))
    mean, var = (
        pylearn.grad(lambda x, k=k: ops.sum(ops.batch_norm(x)[k] * np.arange(1.0, 4)))(x) for k in (1, 2)
    )
    np.testing.assert_allclose(mean, np.broadcast_to(np.arange(1.0, 4) / 6, x.shape))
    np.testing.assert_allclose(var, 2 / 6 * (x - x.mean(0)) * np.arange(1.0, 4))


def qkv(t: int, s: int, heads: int = 2, depth: int = 8) -> list[np.ndarray]:
    return [RNG.standard_normal((2, n, heads, depth)).astype(np.float32) for n in (t, s, s)]


def test_decoding_with_a_cache() -> None:
    """One query beside all earlier keys needs no mask; a block of them takes the last rows of the triangle."""
    q, k, v = qkv(40, 40)
    whole = ops.scaled_dot_product_attention(q, k, v, is_causal=True)
    last = ops.scaled_dot_product_attention(q[:, -1:], k, v)
    np.testing.assert_allclose(last, whole[:, -1:], atol=1e-6)
    mask = np.tri(40, dtype=bool)[30:]
    np.testing.assert_allclose(
        ops.scaled_dot_product_attention(q[:, 30:], k, v, mask), whole[:, 30:], atol=1e-6
    )


def test_rows_that_see_nothing_are_zero_and_pass_no_gradient() -> None:
    q, k, v = qkv(5, 7)
    mask = np.ones((5, 7), bool)
    mask[2] = False
    for m in (mask, np.where(mask, 0, -np.inf).astype(np.float32)):
        y = ops.scaled_dot_product_attention(q, k, v, m)
        assert not y[:, 2].any() and np.isfinite(y).all()
        dq, dk, dv = ops.scaled_dot_product_attention_backward(np.ones_like(y), q, k, v, m)
        assert not dq[:, 2].any() and np.isfinite(dk).all() and np.isfinite(dv).all()


def test_an_additive_mask_is_differentiable() -> None:
    """A bias of the scores can be learned: by the composite form, whose memory is that of the scores."""
    q, k, v = (a.astype(np.float64) for a in qkv(4, 6))
    bias, weight = RNG.standard_normal((4, 6)), RNG.standard_normal((2, 4, 2, 8))
    f = lambda m: ops.sum(ops.scaled_dot_product_attention(q, k, v, m) * weight)
    g = np.asarray(pylearn.grad(f)(bias))
    step = np.zeros_like(bias)
    step[1, 2] = 1e-5
    slope = (float(np.asarray(f(bias + step))) - float(np.asarray(f(bias - step)))) / 2e-5
    np.testing.assert_allclose(g[1, 2], slope, rtol=1e-6)


def test_dropout_keeps_what_dropout_of_the_probabilities_keeps() -> None:
    """The same words of the same draw, forward and backward, fused or not."""
    q, k, v = qkv(9, 9)
    v = np.broadcast_to(np.eye(9, dtype=np.float32)[None, :, None], (2, 9, 2, 9)).copy()  # out is p itself
    pylearn.random.seed(3)
    p = ops.scaled_dot_product_attention(q, k, v, dropout=0.5)
    pylearn.random.seed(3)
    plain = ops.scaled_dot_product_attention(q, k, v).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(p.transpose(0, 2, 1, 3), ops.dropout(plain, 0.5), atol=1e-6)


def test_memory_is_linear_in_the_length() -> None:
    """Nothing of the size of the scores is ever held, forward or backward."""
    length = 4096
    q, k, v = (pylearn.asarray(a) for a in qkv(length, length, heads=1, depth=4))
    pylearn._core.trim_memory()
    before = pylearn._core.memory()["held"]
    f = lambda q, k, v: ops.sum(ops.scaled_dot_product_attention(q, k, v, is_causal=True, dropout=0.1))
    pylearn.grad(f, argnums=(0, 1, 2))(q, k, v)
    assert (
        pylearn._core.memory()["held"] - before < 2 * length * length
    )  # bytes: an eighth of one head's scores
