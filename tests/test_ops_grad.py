"""Gradients and second derivatives: against central differences in float64, and against torch where it is installed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from op_checks import SEED, describe, run
from op_samples import RECORDS, Op, Sample, rng_for, samples_of
from tolerances import GRADIENT, SECOND, TORCH, check_close

import pylearn
from pylearn import ops

DIFFERENTIABLE = [op for op in RECORDS.values() if op.grad]
TWICE = [op for op in DIFFERENTIABLE if op.second]
TWINNED = [op for op in RECORDS.values() if op.torch]
STEP = 1e-5
PROBES = 12  # elements of a larger array that are looked at


def parts(op: Op, sample: Sample) -> tuple[list[np.ndarray], Callable]:
    """The differentiable arrays, and the arguments with others in their places."""
    places = [(i, None) for i in op.grad if i < len(sample.args) and isinstance(sample.args[i], np.ndarray)]
    for i in op.grad:
        if i < len(sample.args) and isinstance(sample.args[i], list):
            places += [(i, k) for k in range(len(sample.args[i]))]
    arrays = [sample.args[i] if k is None else sample.args[i][k] for i, k in places]

    def rebuild(new: tuple) -> list:
        args = [list(a) if isinstance(a, list) else a for a in sample.args]
        for (i, k), a in zip(places, new):
            if k is None:
                args[i] = a
            else:
                args[i][k] = a
        return args

    return arrays, rebuild


def mirrored(op: Op, args: list) -> list:
    """The arguments with their symmetric matrices made so: a single element of one cannot be moved."""
    for i in op.symmetric:
        n = args[i].ndim
        turned = ops.transpose(args[i], (*range(n - 2), n - 1, n - 2))
        args[i] = ops.multiply(ops.add(args[i], turned), 0.5)
    return args


def weighted(op: Op, sample: Sample, rebuild: Callable) -> Callable:
    """The sum of all outputs, weighted at random, as a function of the differentiable arrays."""

    def total(*arrays):
        if op.random:
            pylearn.random.seed(SEED)
        result = getattr(ops, op.name)(*mirrored(op, rebuild(arrays)), **sample.kwargs)
        outputs = result if isinstance(result, (tuple, list)) else [result]
        y = 0.0
        for k, out in enumerate(outputs):
            w = rng_for(op.name, "weights", k).uniform(0.5, 1.5, tuple(out.shape)).astype(out.dtype)
            y = y + ops.sum(ops.multiply(out, w))
        return y

    return total


def gradient(f: Callable, arrays: list) -> list:
    return list(pylearn.grad(f, argnums=tuple(range(len(arrays))))(*map(pylearn.asarray, arrays)))


def check_differences(
    f: Callable, arrays: list[np.ndarray], grads: list, tolerance: dict, where: str
) -> None:
    """Central differences of f, element by element."""
    rng = rng_for(where)
    for k, (x, g) in enumerate(zip(arrays, grads)):
        g = np.asarray(g)
        assert g.shape == x.shape and g.dtype == x.dtype, f"{where}: gradient {k} is {g.dtype}{g.shape}"
        places = list(np.ndindex(*x.shape))
        if len(places) > PROBES:
            places = [places[i] for i in rng.choice(len(places), PROBES, replace=False)]
        for i in places:
            values = []
            for sign in (1, -1):
                moved = x.copy()
                moved[i] += sign * STEP
                values.append(float(np.asarray(f(*arrays[:k], moved, *arrays[k + 1 :]))))
            difference = (values[0] - values[1]) / (2 * STEP)
            check_close(g[i], difference, **tolerance, where=f"{where} argument {k} at {i}")


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=[op.name for op in DIFFERENTIABLE])
def test_gradient(op: Op) -> None:
    checked = 0
    for sample in samples_of(op, "float64"):
        if not sample.smooth:
            continue
        arrays, rebuild = parts(op, sample)
        f = weighted(op, sample, rebuild)
        check_differences(f, arrays, gradient(f, arrays), GRADIENT, describe(op, sample))
        checked += 1
    assert checked >= 3


@pytest.mark.parametrize("op", TWICE, ids=[op.name for op in TWICE])
def test_second_derivative(op: Op) -> None:
    for n, sample in enumerate(samples_of(op, "float64")):
        arrays, rebuild = parts(op, sample)
        if not sample.smooth or sum(a.size for a in arrays) > 200:
            continue
        f = weighted(op, sample, rebuild)
        directions = [rng_for(op.name, n, k).uniform(-1, 1, a.shape) for k, a in enumerate(arrays)]

        def slope(*xs, f=f, directions=directions):
            grads = pylearn.grad(f, argnums=tuple(range(len(xs))))(*xs)
            y = 0.0
            for g, v in zip(grads, directions):
                y = y + ops.sum(ops.multiply(g, v))
            return y

        where = f"second derivative of {describe(op, sample)}"
        seconds = gradient(slope, arrays)
        numeric = lambda *xs, slope=slope: slope(*map(pylearn.asarray, xs))
        check_differences(numeric, arrays, seconds, SECOND, where)


@pytest.mark.filterwarnings("ignore:var")  # of one element, with ddof
@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("op", TWINNED, ids=[op.name for op in TWINNED])
def test_against_torch(op: Op, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tolerance = TORCH[dtype]
    for sample in samples_of(op, dtype):
        where = describe(op, sample)
        arrays, rebuild = parts(op, sample)
        leaves = [torch.tensor(a, requires_grad=sample.smooth) for a in arrays]
        other = lambda v: torch.tensor(v) if isinstance(v, (np.ndarray, np.generic)) else v
        args = [[*a] if isinstance(a, list) else other(a) for a in rebuild(tuple(leaves))]
        result = op.torch(torch, *args, **{k: other(v) for k, v in sample.kwargs.items()})
        theirs = list(result) if isinstance(result, (tuple, list)) else [result]
        ours = run(op, sample)
        for a, b in zip(ours, theirs, strict=True):
            check_close(a, b.detach().numpy(), tolerance, tolerance, where)
        if not (op.grad and sample.smooth and leaves):
            continue
        y = 0.0
        for k, out in enumerate(theirs):
            w = rng_for(op.name, "weights", k).uniform(0.5, 1.5, tuple(out.shape)).astype(dtype)
            y = y + (out * torch.tensor(w)).sum()
        y.backward()
        for a, leaf in zip(gradient(weighted(op, sample, rebuild), arrays), leaves):
            want = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
            check_close(np.asarray(a), want, tolerance, tolerance, f"gradient of {where}")


def test_subgradients_at_kinks() -> None:
    """Where a function has no derivative, what is documented: 0 at 0 for relu and abs, halves for ties."""
    zero = np.zeros(3)
    assert np.array_equal(pylearn.grad(lambda x: ops.sum(ops.relu(x)))(zero), zero)
    assert np.array_equal(pylearn.grad(lambda x: ops.sum(ops.abs(x)))(zero), zero)
    for f in (ops.maximum, ops.minimum):
        a, b = pylearn.grad(lambda x, y, f=f: ops.sum(f(x, y)), argnums=(0, 1))(np.ones(2), np.ones(2))
        assert np.array_equal(a, [0.5, 0.5]) and np.array_equal(b, [0.5, 0.5])
    assert np.array_equal(pylearn.grad(lambda x: ops.max(x))(np.array([1.0, 2.0, 2.0])), [0, 0.5, 0.5])
    assert np.array_equal(
        pylearn.grad(lambda x: ops.sum(ops.clip(x, 0.0, 1.0)))(np.array([-1.0, 0.5, 2.0])), [0, 1, 0]
    )


def test_powers_at_zero() -> None:
    x = np.array([0.0, 0.0, 2.0])
    assert np.array_equal(pylearn.grad(lambda x: ops.sum(x**2))(x), [0, 0, 4])
    assert np.array_equal(pylearn.grad(lambda x: ops.sum(x**1))(x), [1, 1, 1])
    assert np.array_equal(pylearn.grad(lambda x: ops.sum(x**0))(x), [0, 0, 0])


def test_products_with_zeros() -> None:
    x = np.array([[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 0.0, 4.0]])
    got = pylearn.grad(lambda x: ops.sum(ops.prod(x, axis=1)))(x)
    assert np.array_equal(got, [[12, 8, 6], [12, 0, 0], [0, 0, 0]])


def test_repeated_ids_add_up() -> None:
    got = pylearn.grad(lambda x: ops.sum(ops.take(x, np.array([1, 1, 0, -1]), axis=0)))(np.ones((4, 2)))
    assert np.array_equal(got, [[1, 1], [2, 2], [0, 0], [1, 1]])


def test_digamma_says_that_it_has_no_gradient() -> None:
    with pytest.raises(ValueError, match="digamma"):
        pylearn.grad(lambda x: ops.sum(ops.digamma(x)))(np.ones(3))
