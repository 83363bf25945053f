"""grad and value_and_grad: structures, kinds, orders, what stops a gradient, threads, and long graphs."""

import math
import threading
from typing import NamedTuple

import numpy as np
import pytest

import pylearn
from pylearn import grad, no_grad, ops, stop_gradient, value_and_grad


def test_kinds() -> None:
    """NumPy in, NumPy out (float64 stays float64); Tensor in, Tensor out; float in, float out."""
    f = lambda x: ops.sum(x * x)
    for dtype in ("float32", "float64"):
        value, g = value_and_grad(f)(np.array([1.0, 2.0], dtype))
        assert isinstance(g, np.ndarray) and g.dtype == dtype and g.tolist() == [2, 4]
        assert value.dtype == dtype and float(value) == 5
    value, g = value_and_grad(f)(pylearn.asarray([1.0, 2.0]))
    assert isinstance(value, pylearn.Tensor) and isinstance(g, pylearn.Tensor) and g.tolist() == [2, 4]
    assert grad(lambda x: x * x * x)(2.0) == 12.0 and type(grad(lambda x: x * x)(2.0)) is float


def test_structures() -> None:
    class Pair(NamedTuple):
        a: np.ndarray
        b: np.ndarray

    def f(tree, scale):
        return (
            ops.sum(tree["w"][0] * 2.0)
            + ops.sum(tree["w"][1] * 3.0) * scale
            + ops.sum(tree["p"].a * tree["p"].b)
        )

    tree = {"w": [np.ones(2), np.ones((2, 2))], "p": Pair(np.ones(3), np.full(3, 5.0))}
    g = grad(f)(tree, 2.0)
    assert set(g) == {"w", "p"} and isinstance(g["w"], list) and isinstance(g["p"], Pair)
    assert (
        g["w"][0].tolist() == [2, 2]
        and g["w"][1].tolist() == [[6, 6], [6, 6]]
        and g["p"].a.tolist() == [5, 5, 5]
    )
    g0, g1 = grad(f, argnums=(0, 1))(tree, 2.0)
    assert g1 == 12.0 and g0["p"].b.tolist() == [1, 1, 1]
    assert grad(f, argnums=1)(tree, 2.0) == 12.0
    assert grad(f, argnums=-1)(tree, 2.0) == 12.0


def test_has_aux() -> None:
    f = lambda x: (ops.sum(x * x), {"y": x + 1.0, "n": 3})
    (value, aux), g = value_and_grad(f, has_aux=True)(np.ones(2))
    assert float(value) == 2 and aux["n"] == 3 and isinstance(aux["y"], np.ndarray) and g.tolist() == [2, 2]
    g, aux = grad(f, has_aux=True)(np.ones(2))
    assert aux["y"].tolist() == [2, 2]
    with pytest.raises(TypeError, match="has_aux"):
        grad(lambda x: ops.sum(x), has_aux=True)(np.ones(2))


def test_wrt() -> None:
    """Parameters outside the arguments; the gradients are a list."""
    w, b = pylearn.asarray(np.ones((3, 2))), pylearn.asarray(np.zeros(2))
    x = np.arange(6.0).reshape(2, 3)
    loss, grads = value_and_grad(lambda x: ops.sum(x @ w + b), wrt=[w, b])(x)
    assert isinstance(grads, list) and all(isinstance(g, pylearn.Tensor) for g in grads)
    assert np.array_equal(grads[0].numpy(), x.T @ np.ones((2, 2))) and grads[1].tolist() == [2, 2]
    assert float(loss) == 30
    unused = pylearn.asarray(np.ones(4))
    assert grad(lambda: ops.sum(w), wrt=[w, unused])()[1].tolist() == [0, 0, 0, 0]
    with pytest.raises(TypeError, match="wrt"):
        grad(lambda: ops.sum(w), wrt=[np.ones(2)])


def test_parameters_work_outside_too() -> None:
    """Being differentiated by once does not make a Tensor record for ever."""
    w = pylearn.asarray(np.ones(3))
    grad(lambda: ops.sum(w), wrt=[w])()
    y = w * 2.0
    assert not pylearn._core.grad_enabled() and y.tolist() == [2, 2, 2]
    w[...] = 5.0
    assert grad(lambda: ops.sum(w * w), wrt=[w])()[0].tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("f", "derivatives"),
    [
        (
            lambda x: x * x * x * x,
            [lambda x: 4 * x**3, lambda x: 12 * x**2, lambda x: 24 * x, lambda x: 24.0],
        ),
        (lambda x: ops.sin(x), [math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x), math.sin]),
        (lambda x: ops.exp(2.0 * x), [lambda x, k=k: 2**k * math.exp(2 * x) for k in range(1, 5)]),
        (
            lambda x: 1.0 / x,
            [lambda x: -(x**-2), lambda x: 2 * x**-3, lambda x: -6 * x**-4, lambda x: 24 * x**-5],
        ),
    ],
)
def test_higher_orders(f, derivatives) -> None:
    x, g = 0.7, f
    for want in derivatives:
        g = grad(g)
        assert g(x) == pytest.approx(want(x), rel=1e-12)


def test_hessian_of_a_quadratic_form() -> None:
    a = np.arange(9.0).reshape(3, 3)
    f = lambda x: ops.sum(x * (a @ x))
    x = np.array([1.0, -2.0, 0.5])
    rows = [grad(lambda x, i=i: grad(f)(x)[i])(x) for i in range(3)]
    np.testing.assert_allclose(rows, a + a.T, rtol=1e-14)


def test_broadcasting_is_summed_back() -> None:
    f = lambda a, b: ops.sum(a * b)
    a, b = np.ones((3, 1)), np.arange(8.0).reshape(2, 1, 4)
    ga, gb = grad(f, argnums=(0, 1))(a, b)
    assert ga.shape == a.shape and ga.ravel().tolist() == [28, 28, 28]
    assert gb.shape == b.shape and set(gb.ravel()) == {3.0}


def test_reuse_adds_up() -> None:
    def f(x):
        y = x * 2.0
        return ops.sum(y * y + y * x + x)

    assert grad(f)(np.array([3.0])).tolist() == [8 * 3 + 4 * 3 + 1]


def test_mixed_dtypes() -> None:
    a, b = grad(lambda a, b: ops.sum(a * b), argnums=(0, 1))(np.ones(2, np.float32), np.full(2, 3.0))
    assert a.dtype == np.float32 and b.dtype == np.float64 and a.tolist() == [3, 3]


def test_stop_gradient_and_no_grad() -> None:
    x = np.array([3.0])
    assert grad(lambda x: ops.sum(stop_gradient(x) * x))(x).tolist() == [3]

    def f(x):
        with no_grad():
            assert not pylearn._core.grad_enabled()
            y = x * x
        return ops.sum(y * x)

    assert grad(f)(x).tolist() == [9]


def test_non_differentiable_paths_give_zeros() -> None:
    x = np.array([1.0, 2.0])
    assert grad(lambda x: ops.sum(ops.floor(x)))(x).tolist() == [0, 0]
    assert grad(lambda x: ops.sum(ops.cast(x > 1.5, "float64")))(x).tolist() == [0, 0]
    assert grad(lambda x: ops.sum(ops.cast(ops.cast(x, "int64"), "float64") * x))(x).tolist() == [1, 2]


def test_indexing_and_views() -> None:
    x = np.arange(6.0).reshape(2, 3)
    g = grad(lambda x: ops.sum(x[0, 1:] * 2.0) + x[1, 2] + ops.sum(x.T[::-1][0]))(x)
    assert np.array_equal(g, [[0, 2, 3], [0, 0, 2]])


def test_views_of_a_watched_array_that_is_written() -> None:
    def f(x):
        y = x * 1.0
        y[0] = 5.0
        return ops.sum(y * y)

    with pytest.raises((ValueError, RuntimeError), match=r"in place|changed"):
        grad(f)(np.ones(3))


def test_changing_a_saved_tensor_raises() -> None:
    """Through the tensor itself, and through a view of it: never a wrong gradient."""
    c = pylearn.asarray(np.array([1.0, 2.0]))

    def f(x, write):
        y = x * c
        write()
        return ops.sum(y)

    assert grad(f)(np.ones(2), lambda: None).tolist() == [1, 2]

    def through_view():
        c[:1][...] = 7.0

    for write in (lambda: ops.assign(c, 3.0), through_view, lambda: ops.assign_add(c, 1.0)):
        with pytest.raises(RuntimeError, match="changed"):
            grad(f)(np.ones(2), write)


def test_errors() -> None:
    with pytest.raises(TypeError, match="one number"):
        grad(lambda x: 3.0)(1.0)
    with pytest.raises(ValueError):
        grad(lambda x: x * 2.0)(np.ones(3))
    with pytest.raises(TypeError, match="argument 0"):
        grad(lambda x: x)("text")
    with pytest.raises(TypeError, match="argument 0"):
        grad(lambda x: x)({"a": [None]})
    with pytest.raises(TypeError):
        grad(lambda x: ops.sum(x))(np.ones(3, np.int64))
    with pytest.raises(ValueError, match="argnums"):
        grad(lambda x: x, argnums=2)(1.0)
    with pytest.raises(ZeroDivisionError):
        grad(lambda x: 1 / 0)(1.0)
    assert not pylearn._core.grad_enabled()


def test_an_exception_closes_the_scope() -> None:
    def f(x):
        raise KeyError("x")

    for _ in range(3):
        with pytest.raises(KeyError):
            grad(f)(1.0)
    assert not pylearn._core.grad_enabled()


def test_threads_have_tapes_of_their_own() -> None:
    a = np.random.default_rng(0).standard_normal((40, 40))
    want = grad(lambda x: ops.sum(ops.tanh(a @ x)))(a)
    wrong: list = []

    def work(k: int) -> None:
        try:
            for _ in range(30):
                got = grad(lambda x: ops.sum(ops.tanh(a @ x)) * float(k))(a)
                if not np.allclose(got, k * want, rtol=1e-12):
                    wrong.append(k)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong and not any(t.is_alive() for t in threads)


def test_no_grad_is_of_its_thread() -> None:
    seen: list = []

    def f(x):
        with no_grad():
            t = threading.Thread(target=lambda: seen.append(grad(lambda y: y * y)(3.0)))
            t.start()
            t.join()
        return x * 2.0

    assert grad(f)(1.0) == 2 and seen == [6.0]


def test_long_chains_do_not_exhaust_the_stack() -> None:
    def f(x):
        for _ in range(100_000):
            x = x + 1.0
        return ops.sum(x)

    assert grad(f)(np.ones(2)).tolist() == [1, 1]


def test_a_graph_that_is_dropped_is_freed() -> None:
    import gc

    def once() -> None:
        x = pylearn.asarray(np.ones(100_000))
        value_and_grad(lambda x: ops.sum(ops.exp(ops.sin(x))))(x)

    once()
    gc.collect()
    before = pylearn._core.memory()["used"]
    for _ in range(5):
        once()
    gc.collect()
    assert pylearn._core.memory()["used"] <= before + 4096


def test_extremes_of_softmax_heads() -> None:
    """Cross-entropy from logits stays finite where probabilities would be 0."""
    z = np.array([[1000.0, 0.0], [0.0, 1000.0]])
    value, g = value_and_grad(lambda z: ops.mean(ops.softmax_cross_entropy(z, np.array([1, 1]))))(z)
    assert float(value) == 500 and np.array_equal(g, [[0.5, -0.5], [0, 0]])


def test_softmax_and_sigmoid_remember_their_logits() -> None:
    x = pylearn.asarray(np.array([[1.0, 2.0]]))
    for f, head in ((ops.softmax, "softmax"), (ops.sigmoid, "sigmoid")):
        logits, name = pylearn._core.logits_of(f(x))
        assert name == head and np.array_equal(logits.numpy(), x.numpy())
        for changed in (f(x) * 1.0, f(x)[0], f(x).astype("float32"), f(x).copy()):
            assert pylearn._core.logits_of(changed) is None
    assert pylearn._core.logits_of(ops.softmax(pylearn.asarray(np.ones((2, 2))), axis=0)) is None
