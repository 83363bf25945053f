"""Recurrences as they are composed: stacked, in both directions, of cells, with variable lengths, and trained twice."""

from __future__ import annotations

import numpy as np
import pytest
from samples.rnn import _sequence

import pylearn
from pylearn import ops

KINDS = ("simple_rnn", "lstm", "gru")
BATCH, STEPS, FEATURES, HIDDEN = 5, 7, 6, 9


def call(kind: str, features: int = FEATURES, seed: int = 0, hidden: int = HIDDEN) -> list:
    rng = np.random.default_rng(seed)
    return list(_sequence(rng, kind, (BATCH, STEPS, features, hidden), "float64"))


def loop(kind: str, x, w, u, b, *states, reverse: bool = False):
    """The sequence as a loop of single steps."""
    cell = getattr(ops, f"{kind}_cell")
    y = [None] * x.shape[1]
    for t in range(x.shape[1])[:: -1 if reverse else 1]:
        new = cell(x[:, t], *states, w, u, b)
        states = new if isinstance(new, tuple) else (new,)
        y[t] = states[0]
    return ops.stack(y, axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_two_layers_in_both_directions_equal_loops_of_cells(kind: str) -> None:
    x, *rest = call(kind)
    layers = [[call(kind, f, seed)[1:] for seed in (f, f + 1)] for f in (FEATURES, 2 * HIDDEN)]

    def network(run, x):
        for forward, backward in layers:
            x = ops.concatenate([run(x, forward, False), run(x, backward, True)], axis=-1)
        return x

    fused = lambda x, p, reverse: getattr(ops, kind)(x, *p, reverse=reverse)[0]
    steps = lambda x, p, reverse: loop(kind, x, *p, reverse=reverse)
    np.testing.assert_allclose(network(fused, x), network(steps, x), rtol=1e-13, atol=1e-14)
    loss = lambda run: pylearn.grad(lambda x: ops.sum(ops.square(network(run, x))))(pylearn.asarray(x))
    np.testing.assert_allclose(np.asarray(loss(fused)), np.asarray(loss(steps)), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_masked_ends_equal_shorter_sequences(kind: str, reverse: bool) -> None:
    """A row whose steps past its length are masked has the states and gradients of the row cut to that length."""
    x, *rest = call(kind)
    weights, states = rest[:3], rest[3:]
    lengths = [7, 1, 4, 0, 6]
    mask = np.arange(STEPS) < np.array(lengths)[:, None]
    op = getattr(ops, kind)

    def total(x, *weights, mask=None, states=states):
        _, *final = op(x, *weights, *states, mask=mask, reverse=reverse)
        return sum(ops.sum(ops.square(s)) for s in final)

    y, *final = op(x, *weights, *states, mask=mask, reverse=reverse)
    whole = pylearn.grad(lambda *a: total(*a, mask=mask), argnums=(0, 1, 2, 3))(x, *weights)
    summed = [np.zeros_like(w) for w in weights]
    for r, n in enumerate(lengths):
        own = [s[r : r + 1] for s in states]
        short, *end = op(x[r : r + 1, :n], *weights, *own, reverse=reverse)
        np.testing.assert_allclose(y[r : r + 1, :n], short, rtol=1e-13, atol=1e-15)
        for a, b in zip(final, end):
            np.testing.assert_allclose(a[r], b[0], rtol=1e-13, atol=1e-15)
        if n < STEPS:  # carried over: from the last step, or backwards from the initial state
            carried = own[0] if reverse or n == 0 else y[r : r + 1, n - 1]
            np.testing.assert_array_equal(y[r, n:], np.broadcast_to(carried, (STEPS - n, HIDDEN)))
        dx, *dw = pylearn.grad(lambda *a, own=own: total(*a, states=own), argnums=(0, 1, 2, 3))(
            x[r : r + 1, :n], *weights
        )
        np.testing.assert_allclose(np.asarray(whole[0])[r, :n], np.asarray(dx)[0], rtol=1e-12, atol=1e-14)
        assert not np.asarray(whole[0])[r, n:].any()
        summed = [s + np.asarray(d) for s, d in zip(summed, dw)]
    for a, b in zip(whole[1:], summed):
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_given_is_zeros_given(kind: str) -> None:
    x, w, u, b, *states = call(kind)
    zeros = [np.zeros_like(v) for v in (b, *states)]
    for a, c in zip(getattr(ops, kind)(x, w, u), getattr(ops, kind)(x, w, u, *zeros)):
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_and_plain_give_the_same_bits(kind: str) -> None:
    given = [pylearn.asarray(v) for v in call(kind, hidden=40)]
    plain = [np.asarray(v) for v in getattr(ops, kind)(*given)]
    recorded = []

    def f(x):
        result = getattr(ops, kind)(x, *given[1:])
        recorded.extend(np.asarray(v) for v in result)
        return ops.sum(result[0])

    pylearn.grad(f)(given[0])
    for a, b in zip(plain, recorded, strict=True):
        assert a.tobytes() == b.tobytes()
