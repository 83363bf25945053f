"""Joined launches of a recorded step: the unfused bits, whatever is computed, kept or overwritten."""

import numpy as np
import pytest
from op_checks import same_bits

import pylearn
from pylearn import _core, layers, ops

N = 5000  # several blocks, and a tail


@pytest.fixture(autouse=True)
def _restore():
    before = _core.set_fusion(True)
    yield
    _core.set_fusion(before)


def record(f, arrays, fuse):
    """Outputs of two replays of f, and the launches."""
    _core.set_fusion(fuse)
    pylearn.random.seed(3)
    plan = _core.Plan()
    places = plan.begin([pylearn.asarray(a) for a in arrays])
    out = f(*places)
    out = out if isinstance(out, list) else [out]
    assert plan.end(out) == ""
    del places, out
    pylearn.random.seed(3)
    results = []
    for scale in (1.0, 0.5):
        results += [t.numpy().copy() for t in plan.run([a * a.dtype.type(scale) for a in arrays])]
    return results, plan.launches


def check(f, arrays, fused=None):
    plain, _ = record(f, arrays, False)
    joined, launches = record(f, arrays, True)
    same_bits(joined, plain, str(launches))
    if fused is not None:
        assert fused in launches, launches
    return launches


def normal(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_residual_and_activation():
    check(lambda a, b: ops.relu(a + b), [normal(8, N // 8), normal(8, N // 8, seed=1)], "add+relu")


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_product_and_activation(name):
    w, b = pylearn.asarray(normal(30, 20, seed=1)), pylearn.asarray(normal(20, seed=2))
    f = lambda x: getattr(ops, name)(ops.linear(x, w, b)) + 0.0
    check(f, [normal(40, 30)], f"gemm+{name}")
    both = lambda x: [ops.relu(z := ops.linear(x, w, b)) + 1.0, z]  # the product is wanted itself
    assert "gemm+relu" not in check(both, [normal(40, 30)])


def test_scalars_casts_choices_and_dropout():
    def f(x, y):
        z = ops.where(x > y, x * 2.0, y - 1.0)
        z = ops.cast(ops.cast(z, "float64") * 3.0, "float32")
        loss = lambda v: ops.sum(ops.dropout(ops.tanh(v * 2.0), 0.4))
        return [z, pylearn.grad(loss)(z), ops.mean(z) * 2.0 + 1.0]

    check(f, [normal(N), normal(N, seed=1)])


def test_what_is_written_outside_is_written():
    total = pylearn.asarray(np.zeros(N, "float32"))

    def f(x):
        ops.assign_add(total, x * 2.0)
        return ops.exp(x) + total

    values = []
    for fuse in (False, True):
        ops.assign(total, np.zeros(N, "float32"))
        out, _ = record(f, [normal(N)], fuse)
        values.append([*out, total.numpy().copy()])
    same_bits(values[1], values[0], "state")


def test_views_that_overlap_are_not_walked_together():
    buffer = pylearn.asarray(normal(N + 1))

    def f(x):
        ops.assign(buffer[1:], buffer[:-1] + x)  # each element from its neighbour
        ops.assign(buffer[:-1], buffer[1:] * 0.5)
        return buffer + 0.0

    values = []
    for fuse in (False, True):
        ops.assign(buffer, normal(N + 1))
        values.append(record(f, [normal(N, seed=1)], fuse)[0])
    same_bits(values[1], values[0], "overlap")


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed):
    """Chains in which arrays are born, reused and forgotten at random."""
    rng = np.random.default_rng(seed)
    shapes = [(N,), (N,), (), (50, N // 50)] if seed % 2 else [(N,), (7,), ()]
    arrays = [rng.standard_normal(s).astype("float32") for s in shapes]
    through64 = lambda v: ops.cast(ops.cast(v, "float64"), "float32")
    unary = [ops.relu, ops.tanh, ops.square, ops.negative, ops.softsign, through64]
    binary = [ops.add, ops.subtract, ops.multiply, ops.maximum]
    plan = [(rng.random(), rng.integers(99, size=3)) for _ in range(25)]
    kept = set(rng.integers(len(plan), size=4))

    def f(*inputs):
        live, out = list(inputs), []
        for step, (kind, (i, j, k)) in enumerate(plan):
            a = live[i % len(live)]
            if kind < 0.5:
                y = unary[k % len(unary)](a)
            else:
                same = [v for v in live if v.shape == a.shape or v.ndim == 0]
                y = binary[k % len(binary)](a, same[j % len(same)])
            if step in kept:
                out.append(y)
            if len(live) > 5:
                live[j % len(live)] = y  # an array is forgotten, and its memory used again
            else:
                live.append(y)
        return [*out, live[-1]]

    check(f, arrays)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_gives_the_unfused_bits(optimizer):
    weights = []
    for fuse in (False, True):
        _core.set_fusion(fuse)
        pylearn.utils.set_random_seed(0)
        x = layers.Input((20,))
        h = layers.Activation("relu")(layers.Dense(32)(x))
        h = layers.Activation("relu")(
            layers.Add()([h, layers.Dense(32, activation="tanh")(layers.Dropout(0.3)(h))])
        )
        model = pylearn.Model(inputs=x, outputs=layers.Dense(3, activation="softmax")(h))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(normal(200, 20), np.arange(200) % 3, epochs=3, verbose=0)
        weights.append(model.get_weights())
    same_bits(weights[1], weights[0], optimizer)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_norm_and_activation(activation):
    """Both ways, with the running averages kept in between."""
    weights = []
    for fuse in (False, True):
        _core.set_fusion(fuse)
        pylearn.utils.set_random_seed(0)
        model = pylearn.Sequential([
            layers.Conv2D(8, 3, use_bias=False, input_shape=(9, 8, 2)), layers.BatchNormalization(),
            layers.Activation(activation), layers.Conv2D(8, 3), layers.BatchNormalization(),
            layers.Activation(activation), layers.Flatten(), layers.Dense(3, activation="softmax"),
        ])  # fmt: skip
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(normal(50, 9, 8, 2), np.arange(50) % 3, batch_size=16, epochs=3, verbose=0)
        weights.append(model.get_weights())
        launches = [name for _, step in model._steps for name in step.plan.launches]
        assert (f"batch_norm+{activation}" in launches) == fuse
        assert ("relu_grad+batch_norm_backward" in launches) == (fuse and activation == "relu")
    same_bits(weights[1], weights[0], activation)
