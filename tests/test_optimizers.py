"""Optimizers over many parameters: the rules against their references, and what is around a rule: limits, accumulation,
averages, decay, numbers that are not finite."""

import itertools

import numpy as np
import pytest

import pylearn
from pylearn import ops, optimizers, reference
from pylearn.callbacks import Callback, SwapEMAWeights
from pylearn.layers import LSTM, Dense
from pylearn.models import Sequential, load_model
from pylearn.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop
from pylearn.utils import set_random_seed

SHAPES = [(3, 5), (17,), (), (40, 70), (0,), (1,)]
# The optimizer, and the reference: from (weight, gradient, slots, step).
RULES = {
    "sgd": (SGD(0.1), lambda p, g, s, t: reference.sgd_update(p, g, 0.1)),
    "momentum": (SGD(0.1, 0.9), lambda p, g, s, t: reference.sgd_update(p, g, 0.1, 0.9, s[0])),
    "nesterov": (SGD(0.1, 0.9, True), lambda p, g, s, t: reference.sgd_update(p, g, 0.1, 0.9, s[0], True)),
    "adam": (Adam(0.1), lambda p, g, s, t: reference.adam_update(p, g, s[0], s[1], t, 0.1)),
    "adamw": (AdamW(0.1), lambda p, g, s, t: reference.adam_update(p, g, s[0], s[1], t, 0.1, weight_decay=0.004,
                                                                  decoupled=True)),
    "amsgrad": (Adam(0.1, amsgrad=True), lambda p, g, s, t: reference.adam_update(p, g, s[0], s[1], t, 0.1,
                                                                                 vhat=s[2])),
    "adagrad": (Adagrad(0.1), lambda p, g, s, t: reference.adagrad_update(p, g, s[3], 0.1)),
    "adadelta": (Adadelta(1.0), lambda p, g, s, t: reference.adadelta_update(p, g, s[0], s[1], 1.0)),
    "rmsprop": (RMSprop(0.1), lambda p, g, s, t: reference.rmsprop_update(p, g, s[0], 0.1)),
    "rmsprop with all": (
        RMSprop(0.1, 0.8, 0.7, centered=True),
        lambda p, g, s, t: reference.rmsprop_update(p, g, s[0], 0.1, 0.8, 0.7, velocity=s[1], average=s[2]),
    ),
    "adamax": (Adamax(0.1), lambda p, g, s, t: reference.adamax_update(p, g, s[0], s[1], t, 0.1)),
    "nadam": (Nadam(0.1), lambda p, g, s, t: reference.nadam_update(p, g, s[0], s[1], t, 0.1)),
    "lion": (Lion(0.1), lambda p, g, s, t: reference.lion_update(p, g, s[0], 0.1)),
}  # fmt: skip


def weights_and_gradients(steps=1, dtype="float64", shapes=SHAPES, seed=0):
    rng = np.random.default_rng(seed)
    weights = [np.asarray(rng.standard_normal(s), dtype) for s in shapes]
    return weights, [[np.asarray(rng.standard_normal(s), dtype) for s in shapes] for _ in range(steps)]


def tensors(arrays):
    return [pylearn.asarray(np.array(a)) for a in arrays]


def bits(weights):
    return [w.numpy().tobytes() for w in weights]


@pytest.mark.parametrize("rule", RULES)
def test_rules_equal_their_references(rule):
    made, formula = RULES[rule]
    arrays, gradients = weights_and_gradients(steps=40)
    weights, optimizer = tensors(arrays), made.copy()
    want = [a.copy() for a in arrays]
    slots = [[np.zeros(a.shape) for _ in range(3)] + [np.full(a.shape, 0.1)] for a in arrays]
    for t, grads in enumerate(gradients, 1):
        optimizer.apply(grads, weights)
        for p, g, s in zip(want, grads, slots):
            formula(p, g, s, t)
    assert optimizer.iterations == 40
    for got, p in zip(weights, want):
        np.testing.assert_allclose(got.numpy(), p, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step", [999, 1000, 1001, 5000, 2**40])
def test_nadam_at_late_steps(step):
    """What its momentum has multiplied up to is found at once, also from a loaded step."""
    optimizer, weight = Nadam(0.1, beta_1=0.999), pylearn.asarray(np.ones(3))
    optimizer.build([weight])
    optimizer.load_state({"0/step": step - 1, "0/rate": 0.1, "0/m/0": np.ones(3), "0/v/0": np.ones(3)})
    optimizer.apply([np.full(3, 2.0)])
    want, m, v = np.ones(3), np.ones(3), np.ones(3)
    reference.nadam_update(want, np.full(3, 2.0), m, v, min(step, 60_000), 0.1, beta_1=0.999)
    np.testing.assert_allclose(weight.numpy(), want, rtol=1e-12)


def test_sizes_around_a_chunk_and_many_threads():
    """Parameters that end before, on and behind the edge of a chunk of work."""
    shapes = [(n,) for n in (2**15 - 16, 5, 11, 2**15, 2**15 + 1, 1, 3 * 2**15 - 7)]
    arrays, gradients = weights_and_gradients(3, "float32", shapes)
    threads, results = pylearn.num_threads(), []
    try:
        for n, limit in itertools.product((1, 2, 3), ("none", "clipnorm", "global_clipnorm")):
            pylearn.set_num_threads(n)
            weights = tensors(arrays)
            optimizer = Adam(0.1, **({} if limit == "none" else {limit: 2.0}))
            for grads in gradients:
                optimizer.apply(grads, weights)
            results.append(bits(weights))
            if limit == "none":
                for got, p, *g in zip(weights, arrays, *gradients):
                    p, m, v = p.astype("float64"), np.zeros(p.shape), np.zeros(p.shape)
                    for t in range(3):
                        reference.adam_update(p, g[t], m, v, t + 1, 0.1)
                    np.testing.assert_allclose(got.numpy(), p, rtol=2e-5, atol=2e-5)
    finally:
        pylearn.set_num_threads(threads)
    assert results[:3] == results[3:6] == results[6:]


# -- limits on the gradient ----------------------------------------------------------------------------------------


def norm(*arrays):
    return np.sqrt(sum(float(np.sum(np.asarray(a, "float64") ** 2)) for a in arrays))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e25])
def test_limits(dtype, scale):
    """1e25: a square is beyond float32."""
    arrays, (grads,) = weights_and_gradients(dtype=dtype)
    grads = [np.asarray(g * scale, dtype) for g in grads]
    limits = {
        "clipvalue": lambda g, at: np.clip(g, -at, at),
        "clipnorm": lambda g, at: g * min(1.0, at / max(norm(g), 1e-300)),
        "global_clipnorm": lambda g, at: g * min(1.0, at / norm(*grads)),
    }
    for name, limit in limits.items():
        weights = tensors(arrays)
        SGD(1.0, **{name: 0.7}).apply(grads, weights)
        for w, p, g in zip(weights, arrays, grads):
            want = p - limit(np.asarray(g, "float64"), 0.7)
            np.testing.assert_allclose(w.numpy(), want, rtol=1e-5, atol=1e-6, err_msg=name)


def test_gradients_within_the_limit_keep_their_bits():
    arrays, (grads,) = weights_and_gradients(dtype="float32")
    plain = tensors(arrays)
    Adam().apply(grads, plain)
    for limit in ("clipvalue", "clipnorm", "global_clipnorm"):
        weights = tensors(arrays)
        Adam(**{limit: 1e3}).apply(grads, weights)
        assert bits(weights) == bits(plain)


@pytest.mark.parametrize("name", ["clipvalue", "clipnorm", "global_clipnorm"])
def test_limits_equal_torch(name):
    torch = pytest.importorskip("torch")
    arrays, (grads,) = weights_and_gradients()
    weights = tensors(arrays)
    SGD(1.0, **{name: 0.7}).apply(grads, weights)
    ps = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    for p, g in zip(ps, grads):
        p.grad = torch.tensor(g)
    if name == "clipvalue":
        torch.nn.utils.clip_grad_value_(ps, 0.7)
    for group in [ps] if name == "global_clipnorm" else [[p] for p in ps if p.numel()]:
        if name != "clipvalue":
            torch.nn.utils.clip_grad_norm_(group, 0.7)
    torch.optim.SGD(ps, 1.0).step()
    for w, p in zip(weights, ps):
        np.testing.assert_allclose(w.numpy(), p.detach().numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("limit", [{}, {"clipnorm": 0.5}, {"clipvalue": 0.05}, {"global_clipnorm": 0.5}])
def test_limits_keep_an_exploding_lstm_finite(limit):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 40, 4)) * 5, 30 * rng.standard_normal(64)
    set_random_seed(0)
    model = Sequential([LSTM(16, activation="relu", input_shape=(40, 4)), Dense(1)])
    model.compile(SGD(1.0, **limit), "mse")
    if not limit:
        with pytest.raises(FloatingPointError, match="no longer finite"):
            model.fit(x, y, epochs=5, verbose=0)
    else:
        history = model.fit(x, y, epochs=5, verbose=0).history["loss"]
        assert np.isfinite(history).all()


# -- accumulation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("captured", [False, True])
def test_accumulation_updates_from_the_mean(captured):
    arrays, gradients = weights_and_gradients(steps=12)
    weights, plain = tensors(arrays), tensors(arrays)
    optimizer = Adam(0.1, gradient_accumulation_steps=3, global_clipnorm=1.0)
    optimizer.build(weights)

    def step(*grads):
        optimizer.apply(grads)

    run = pylearn.capture(step) if captured else step
    single = Adam(0.1, global_clipnorm=1.0)
    for k in range(0, 12, 3):
        for grads in gradients[k : k + 3]:
            before = bits(weights)
            run(*tensors(grads))
            assert (optimizer._updates[0].waiting == 0) == (bits(weights) != before)
        single.apply([sum(g) / 3 for g in zip(*gradients[k : k + 3])], plain)
    assert optimizer.iterations == 4
    for a, b in zip(weights, plain):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_accumulation_goes_on_where_it_was_saved_and_leaves_out_what_is_not_finite():
    arrays, gradients = weights_and_gradients(steps=4)
    straight, stopped = tensors(arrays), tensors(arrays)
    a, b = SGD(0.1, 0.9, gradient_accumulation_steps=2), SGD(0.1, 0.9, gradient_accumulation_steps=2)
    for grads in gradients:
        a.apply(grads, straight)
    for grads in gradients[:3]:
        b.apply(grads, stopped)
    again = b.copy()
    again.build(stopped)
    again.load_state(b.state())
    bad = [np.full_like(g, np.inf) for g in gradients[0]]
    again.apply(bad)
    assert again.skipped == 1 and again._updates[0].waiting == 1
    again.apply(gradients[3])
    assert bits(straight) == bits(stopped) and again.iterations == 2


def test_four_times_eight_rows_are_as_good_as_thirty_two():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((128, 6)), rng.integers(0, 3, 128)
    results = []
    for size, accumulate in ((32, None), (8, 4)):
        set_random_seed(0)
        model = Sequential([Dense(16, activation="relu", input_shape=(6,)), Dense(3, activation="softmax")])
        model.compile(Adam(0.01, gradient_accumulation_steps=accumulate), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=size, epochs=3, shuffle=False, verbose=0)
        assert model.optimizer.iterations == 12
        results.append(model.get_weights())
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


# -- moving averages -----------------------------------------------------------------------------------------------


def test_averages():
    arrays, gradients = weights_and_gradients(steps=6)
    weights, optimizer = tensors(arrays), SGD(0.1, use_ema=True, ema_momentum=0.8)
    p, mean = [a.copy() for a in arrays], None
    for grads in gradients:
        optimizer.apply(grads, weights)
        p = [a - 0.1 * g for a, g in zip(p, grads)]
        mean = p if mean is None else [0.8 * m + 0.2 * a for m, a in zip(mean, p)]
    for w, a in zip(weights, p):
        np.testing.assert_allclose(w.numpy(), a, rtol=1e-12, atol=1e-14)
    optimizer.finalize_variable_values(weights[:1])
    np.testing.assert_allclose(weights[0].numpy(), mean[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weights[1].numpy(), p[1], rtol=1e-12, atol=1e-14)
    optimizer.finalize_variable_values()
    for w, a in zip(weights, mean):
        np.testing.assert_allclose(w.numpy(), a, rtol=1e-12, atol=1e-14)


def test_averages_overwrite_the_weights():
    arrays, gradients = weights_and_gradients(steps=5)
    weights, optimizer = tensors(arrays), SGD(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2)
    p, mean = arrays[0].copy(), None
    for t, grads in enumerate(gradients, 1):
        optimizer.apply(grads, weights)
        p = p - 0.1 * grads[0]
        mean = p if mean is None else 0.8 * mean + 0.2 * p
        p = mean if t % 2 == 0 else p
    np.testing.assert_allclose(weights[0].numpy(), p, rtol=1e-12, atol=1e-14)


def test_fit_ends_with_the_averages():
    x, y = np.random.default_rng(0).random((64, 3)), np.ones(64)
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile(SGD(0.1, use_ema=True), "mse")
    model.fit(x, y, epochs=2, verbose=0)
    for w, average in zip(model.trainable_weights, model.optimizer._updates[0].slots["average"]):
        assert w.numpy().tobytes() == average.numpy().tobytes()


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_evaluating_with_the_averages(swap_on_epoch):
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 3)), rng.random(64)
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile(SGD(0.5, use_ema=True, ema_momentum=0.9), "mse")
    swap, seen = SwapEMAWeights(swap_on_epoch), []

    class Look(Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((model.get_weights(), logs["val_loss"]))

    model.evaluate(x, y, callbacks=[swap], verbose=0)  # nothing to swap yet
    model.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[swap, Look()], verbose=0)
    averages = [s.numpy() for s in model.optimizer._updates[0].slots["average"]]
    assert bits(model.trainable_weights) == [a.tobytes() for a in averages] and not model.optimizer.swapped
    shown, val_loss = seen[-1]
    assert (np.allclose(shown[0], averages[0], rtol=0, atol=0)) == swap_on_epoch
    assert val_loss == model.evaluate(x, y, verbose=0)  # the averages are the weights now
    model.train_on_batch(x, y)
    raw = model.evaluate(x, y, verbose=0)
    averaged = model.evaluate(x, y, callbacks=[swap], verbose=0)
    assert raw != averaged and model.evaluate(x, y, verbose=0) == raw
    kernel, bias = [s.numpy() for s in model.optimizer._updates[0].slots["average"]]
    np.testing.assert_allclose(model.predict(x, callbacks=[swap]), x @ kernel + bias, rtol=1e-5)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="use_ema=True"):
        model.evaluate(x, y, callbacks=[swap], verbose=0)


# -- weight decay ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["names", "weights", "late", "loaded"])
def test_weights_may_be_excluded_from_decay(how, tmp_path):
    set_random_seed(0)
    model = Sequential([Dense(2, bias_initializer="ones", input_shape=(3,))])
    optimizer = SGD(0.1, weight_decay=0.5)
    if how in ("names", "loaded"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    elif how == "weights":
        optimizer.exclude_from_weight_decay([model.trainable_weights[1]])
    model.compile(optimizer, "mse")
    if how == "loaded":
        model.save(tmp_path / "m.pylearn")
        model = load_model(tmp_path / "m.pylearn")
    x = np.ones((4, 3))
    if how == "late":
        model.fit(x, np.ones((4, 2)), epochs=3, verbose=0)
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    kernel, bias = model.get_weights()
    zero = [np.zeros_like(kernel), np.zeros_like(bias)]
    model.optimizer.apply(zero, model.trainable_weights)
    after = model.get_weights()
    np.testing.assert_allclose(after[0], kernel * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(after[1], bias)
    with pytest.raises(TypeError, match="must be a list of names"):
        optimizer.exclude_from_weight_decay(var_names="bias")


def test_two_optimizers_may_share_weights():
    w = pylearn.asarray(np.ones(3))
    first, second = SGD(0.1), SGD(0.2)
    first.build([w])
    second.build([w])  # takes the weights over
    for optimizer, want in ((first, 0.9), (second, 0.7), (first, 0.6)):
        optimizer.apply([np.ones(3)])
        np.testing.assert_allclose(w.numpy(), want)


# -- what is not finite ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "around", [{}, {"clipnorm": 1.0}, {"clipvalue": 1.0}, {"gradient_accumulation_steps": 2}]
)
def test_a_gradient_that_is_not_finite_changes_nothing(rule, around):
    shapes = [(5,), (40_000,), (3,)]
    arrays, (good,) = weights_and_gradients(1, "float32", shapes)
    weights = tensors(arrays)
    optimizer = type(RULES[rule][0]).from_config({**RULES[rule][0].get_config(), **around})
    optimizer.apply(good, weights)
    before, state, steps = bits(weights), optimizer.state(), optimizer.iterations
    skipped = 0
    for value, (i, place) in itertools.product(
        (np.nan, np.inf, -np.inf), [(0, 0), (1, 0), (1, 39_999), (1, 32_768), (2, 2)]
    ):
        bad = [g.copy() for g in good]
        bad[i][place] = value
        optimizer.apply(bad)
        skipped += 1
    optimizer.apply(good, loss=pylearn.asarray(np.float32(np.nan)))
    assert bits(weights) == before and optimizer.skipped == skipped + 1 and optimizer.iterations == steps
    for key, value in optimizer.state().items():
        assert np.array_equal(value, state[key]), key


# -- interface -------------------------------------------------------------------------------------------------------


def test_optimizer_interface():
    w = pylearn.asarray(np.ones(3, "float32"))
    optimizer = SGD(0.1)
    optimizer.apply([np.full(3, 2.0, "float32")], [w])
    np.testing.assert_allclose(w.numpy(), 0.8)
    optimizer.apply_gradients([(None, w)])
    np.testing.assert_allclose(w.numpy(), 0.8)
    optimizer.apply([np.array([1, np.nan, 1], "float32")])
    assert optimizer.skipped == 1 and optimizer.iterations == 2
    with pytest.raises(ValueError, match="other weights"):
        optimizer.apply([np.ones(3)], [pylearn.asarray(np.ones(3, "float32"))])
    with pytest.raises(ValueError, match="2 gradients for 1"):
        optimizer.apply([np.ones(3)] * 2)
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        SGD(learningrate=1)
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError):
            Adam(bad)
    with pytest.raises(TypeError):
        Adam("fast")
    with pytest.raises(ValueError, match="momentum"):
        SGD(momentum=2)
    for cls in pylearn.optimizers.ALL:
        made = cls(0.123, weight_decay=0.01)
        again = pylearn.optimizers.get(pylearn.registry.serialize(made))
        assert type(again) is cls and again.get_config() == made.get_config()
        assert type(pylearn.optimizers.get(cls.__name__.lower())) is cls


def test_names_and_settings():
    for cls in optimizers.ALL:
        assert type(optimizers.get(cls.__name__)) is type(optimizers.get(cls.__name__.lower())) is cls
        made = cls(0.5, clipnorm=1.0, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2)
        again = optimizers.get(pylearn.registry.serialize(made))
        assert type(again) is cls and again.get_config() == made.get_config()
    assert optimizers.get("adagrad").get_config()["initial_accumulator_value"] == 0.1
    with pytest.raises(ValueError, match="did you mean 'rmsprop'"):
        optimizers.get("rmspropp")


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ValueError, lambda: Adam(clipnorm=1.0, clipvalue=1.0)),
        (ValueError, lambda: Adam(clipnorm=0.0)),
        (ValueError, lambda: Adam(global_clipnorm=-1.0)),
        (TypeError, lambda: Adam(clipvalue="one")),
        (ValueError, lambda: Adam(use_ema=True, ema_momentum=1.5)),
        (ValueError, lambda: Adam(gradient_accumulation_steps=1)),
        (TypeError, lambda: Adam(gradient_accumulation_steps=2.0)),
        (ValueError, lambda: Adam(use_ema=True, ema_overwrite_frequency=0)),
        (ValueError, lambda: Adam(beta_1=1.0)),
        (ValueError, lambda: RMSprop(rho=-0.1)),
        (ValueError, lambda: RMSprop(momentum=1.0)),
        (ValueError, lambda: Adagrad(initial_accumulator_value=-1)),
        (ValueError, lambda: Adadelta(epsilon=float("nan"))),
        (TypeError, lambda: Nadam(clip_norm=1.0)),
    ],
)
def test_bad_settings(error, make):
    with pytest.raises(error):
        make()


def test_one_norm_needs_one_dtype():
    weights = [pylearn.asarray(np.ones(3, t)) for t in ("float32", "float64")]
    with pytest.raises(ValueError, match="float32 and float64"):
        SGD(global_clipnorm=1.0).build(weights)
    SGD(clipnorm=1.0).build(weights)


# -- rows of a table -------------------------------------------------------------------------------------------------


def test_sparse_updates_leave_other_rows_alone():
    rng = np.random.default_rng(0)
    p, m, v = (rng.random((50, 8)).astype("float32") for _ in range(3))
    before = [a.copy() for a in (p, m, v)]
    ids = np.array([3, 7, 3, 49])
    ops.sparse_adam_update(p, ids, rng.random((4, 8)).astype("float32"), m, v, 5)
    others = np.setdiff1d(np.arange(50), ids)
    for a, b in zip((p, m, v), before):
        assert np.array_equal(a[others], b[others]) and (a[[3, 7, 49]] != b[[3, 7, 49]]).any(axis=1).all()


def test_sparse_adagrad_and_sgd_equal_the_dense_ones():
    rng = np.random.default_rng(0)
    p, a = rng.random((50, 8)), rng.random((50, 8))
    ids, rows = rng.integers(0, 50, (3, 9)), rng.standard_normal((3, 9, 8))
    dense = np.zeros((50, 8))
    np.add.at(dense, ids.ravel(), rows.reshape(-1, 8))
    want = [p.copy(), a.copy()]
    ops.adagrad_update(want[0], dense, want[1])
    ops.sparse_adagrad_update(p, ids, rows, a)
    np.testing.assert_allclose([p, a], want, rtol=1e-13)
    want = p.copy()
    ops.sgd_update(want, dense)
    ops.sparse_sgd_update(p, ids, rows)
    np.testing.assert_allclose(p, want, rtol=1e-13)


def test_sparse_updates_write_nothing_when_something_is_wrong():
    p, g = np.ones((4, 3)), np.ones((2, 3))
    with pytest.raises(IndexError, match="ids"):
        ops.sparse_sgd_update(p, np.array([0, 4]), g)
    with pytest.raises(ValueError, match="'g' has values that are not finite"):
        ops.sparse_sgd_update(p, np.array([0, 1]), g * np.array([[1.0], [np.nan]]))
    assert np.array_equal(p, np.ones((4, 3)))
