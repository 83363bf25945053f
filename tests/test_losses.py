"""Losses against their formulas, scikit-learn and torch; alignment, errors, checks before training."""

import numpy as np
import pytest

import pylearn
from pylearn import _core, losses, ops
from pylearn.layers import Dense
from pylearn.models import Sequential

RNG = np.random.RandomState(0)
Y, P = RNG.rand(6, 4), RNG.rand(6, 4)
P = P / P.sum(1, keepdims=True)
ONE = np.eye(4)[RNG.randint(0, 4, 6)]
E = 1e-7


FORMULAS = {
    "mean_squared_error": lambda y, p: ((y - p) ** 2).mean(-1),
    "mean_absolute_error": lambda y, p: np.abs(y - p).mean(-1),
    "mean_absolute_percentage_error": lambda y, p: 100 * np.abs((y - p) / np.maximum(np.abs(y), E)).mean(-1),
    "mean_squared_logarithmic_error": lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(-1),
    "huber": lambda y, p: np.where(np.abs(y - p) <= 1, (y - p) ** 2 / 2, np.abs(y - p) - 0.5).mean(-1),
    "log_cosh": lambda y, p: np.log(np.cosh(p - y)).mean(-1),
    "poisson": lambda y, p: (p - y * np.log(p + E)).mean(-1),
    "cosine_similarity": lambda y, p: (
        -(y * p).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(p, axis=-1)
    ),
    "kl_divergence": lambda y, p: (np.clip(y, E, 1) * np.log(np.clip(y, E, 1) / np.clip(p, E, 1))).sum(-1),
    "binary_crossentropy": lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1),
    "categorical_crossentropy": lambda y, p: -(y * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
    "binary_focal_crossentropy": lambda y, p: (
        -((1 - y * p - (1 - y) * (1 - p)) ** 2) * (y * np.log(p) + (1 - y) * np.log(1 - p))
    ).mean(-1),
    "categorical_focal_crossentropy": lambda y, p: -0.25 * ((1 - p) ** 2 * y * np.log(p)).sum(-1),
    "hinge": lambda y, p: np.maximum(1 - y * p, 0).mean(-1),
    "squared_hinge": lambda y, p: (np.maximum(1 - y * p, 0) ** 2).mean(-1),
    "categorical_hinge": lambda y, p: np.maximum(1 + ((1 - y) * p).max(-1) - (y * p).sum(-1), 0),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_function_class_and_string_agree_with_the_formula(name):
    y = ONE if name.startswith("categorical") else Y
    want = FORMULAS[name](y, P)
    function = getattr(losses, name)
    got = function(y, P)
    assert isinstance(got, np.ndarray) and got.shape == (6,)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
    loss = losses.get(name)
    np.testing.assert_allclose(loss(y, P), want.mean(), rtol=1e-6)
    np.testing.assert_allclose(type(loss)(reduction="sum")(y, P), want.sum(), rtol=1e-6)
    np.testing.assert_allclose(type(loss)(reduction="none")(y, P), want, rtol=1e-6)
    w = RNG.rand(6)
    np.testing.assert_allclose(loss(y, P, w), (want * w).mean(), rtol=1e-6)
    np.testing.assert_allclose(type(loss)(reduction="mean_with_sample_weight")(y, P, w), (want * w).sum() / w.sum(),
                               rtol=1e-6)  # fmt: skip
    tensor = loss(pylearn.asarray(y.astype("float32")), pylearn.asarray(P.astype("float32")))
    assert isinstance(tensor, pylearn.Tensor) and tensor.shape == ()


@pytest.mark.parametrize("loss", losses.ALL)
def test_every_loss_survives_its_configuration_and_has_a_gradient(loss):
    made = loss(reduction="sum", name="mine")
    again = losses.get(losses.serialize(made))
    assert type(again) is loss and again.get_config() == made.get_config()
    y = np.array([0, 1, 2, 3, 0, 1]) if made.labels else ONE
    p = P + 0.01
    _, grad = pylearn.value_and_grad(lambda q: made(pylearn.asarray(y), q))(p)
    for place in [(0, 0), (3, 2)]:
        step = np.zeros_like(p)
        step[place] = 1e-6
        slope = (made(y, p + step) - made(y, p - step)) / 2e-6
        np.testing.assert_allclose(grad[place], slope, rtol=1e-4, atol=1e-6)


def test_focal_losses():
    ids = ONE.argmax(1)
    np.testing.assert_allclose(
        losses.binary_focal_crossentropy(Y, P, gamma=0.0), losses.binary_crossentropy(Y, P), rtol=1e-12
    )
    np.testing.assert_allclose(
        losses.categorical_focal_crossentropy(ONE, P, alpha=1.0, gamma=0.0),
        losses.sparse_categorical_crossentropy(ids, P),
        rtol=1e-12,
    )
    balanced = losses.binary_focal_crossentropy(ONE, P, apply_class_balancing=True, alpha=0.3)
    q, weight = np.where(ONE == 1, P, 1 - P), np.where(ONE == 1, 0.3, 0.7)
    np.testing.assert_allclose(balanced, -(weight * (1 - q) ** 2 * np.log(q)).mean(-1), rtol=1e-9)
    z = RNG.randn(6, 4)
    for name, head in (("binary", ops.sigmoid), ("categorical", ops.softmax)):
        function = getattr(losses, f"{name}_focal_crossentropy")
        np.testing.assert_allclose(function(ONE, z, from_logits=True), function(ONE, head(z)), rtol=1e-6)
        smooth = ONE * 0.8 + 0.2 / (2 if name == "binary" else 4)
        np.testing.assert_allclose(function(ONE, P, label_smoothing=0.2), function(smooth, P), rtol=1e-12)


def test_overlaps():
    np.testing.assert_allclose(losses.dice(ONE, P), 1 - 2 * (ONE * P).sum() / (ONE + P).sum(), rtol=1e-6)
    both, wrong, missed = (ONE * P).sum(), ((1 - ONE) * P).sum(), (ONE * (1 - P)).sum()
    np.testing.assert_allclose(
        losses.tversky(ONE, P, alpha=0.3, beta=0.7), 1 - both / (both + 0.3 * wrong + 0.7 * missed), rtol=1e-6
    )
    np.testing.assert_allclose(losses.tversky(ONE, P), losses.dice(ONE, P), rtol=1e-6)
    masks, guess = RNG.rand(3, 5, 5, 1) > 0.5, RNG.rand(3, 5, 5, 1)
    each = losses.Dice(axis=(1, 2, 3), reduction="none")(masks, guess)
    np.testing.assert_allclose(each, [losses.dice(m, g) for m, g in zip(masks, guess)], rtol=1e-6)
    again = losses.get(losses.serialize(losses.Tversky(0.3, 0.7, axis=(1, 2))))
    assert (again.alpha, again.beta, again.axis) == (0.3, 0.7, (1, 2))
    empty = np.zeros((2, 3))
    assert losses.dice(empty, empty) == losses.tversky(empty, empty) == 1.0


def test_an_ignored_class_counts_for_nothing():
    torch = pytest.importorskip("torch")
    z, ids = RNG.randn(3, 5, 4), RNG.randint(0, 4, (3, 5))
    ids[0, :3] = ids[2, 4] = -1
    keep = ids >= 0
    rows = losses.sparse_categorical_crossentropy(ids, z, from_logits=True, ignore_class=-1)
    assert (rows[~keep] == 0).all()
    np.testing.assert_allclose(
        rows[keep], losses.sparse_categorical_crossentropy(ids[keep], z[keep], from_logits=True), rtol=1e-12
    )
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    want = torch.nn.functional.cross_entropy(
        torch.tensor(z).reshape(-1, 4), torch.tensor(ids).ravel(), ignore_index=-1
    )
    np.testing.assert_allclose(loss(ids, z), want.item(), rtol=1e-12)
    sums = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, reduction="sum")
    np.testing.assert_allclose(sums(ids, z), rows.sum(), rtol=1e-12)
    grad = pylearn.grad(lambda q: loss(ids, q))(z)
    assert (grad[~keep] == 0).all() and (grad[keep] != 0).all()
    assert loss(np.full((3, 5), -1), z) == 0.0
    with pytest.raises(IndexError):
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-2)(ids, z)
    loss.check(ids, (None, 5, 4))
    as_probabilities = losses.SparseCategoricalCrossentropy(ignore_class=2)
    p, c = np.full((4, 3), 1 / 3), np.array([0, 2, 1, 2])
    np.testing.assert_allclose(as_probabilities(c, p), np.log(3), rtol=1e-12)


def test_probabilities_at_the_ends_and_what_is_not_a_number():
    ends, targets = np.array([[0.0, 1.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    for dtype, least in (("float64", -np.log(1e-7)), ("float32", 23 * np.log(2))):
        p, y = ends.astype(dtype), targets.astype(dtype)
        got = losses.binary_crossentropy(y, p)
        np.testing.assert_allclose(got, [(-np.log(1e-7) + least) / 4], rtol=1e-5)
        grad = pylearn.grad(lambda q, y=y: losses.get("bce")(y, q))(p)
        assert np.isfinite(grad).all()
    for name in sorted(FORMULAS):
        p = P.copy()
        p[2, 1] = np.nan
        y = ONE if name.startswith("categorical") else Y
        got = getattr(losses, name)(y, p)
        assert np.isnan(got[2]) and np.isfinite(np.delete(got, 2)).all(), name
        assert np.isfinite(pylearn.grad(lambda q, y=y, name=name: losses.get(name)(y, q))(P)).all(), name
    assert losses.mean_squared_error(np.ones((0, 3)), np.ones((0, 3))).shape == (0,)
    assert np.isnan(losses.MeanSquaredError()(np.ones((0, 3)), np.ones((0, 3))))


def test_log_cosh_keeps_its_digits_where_it_is_small_and_where_it_is_large():
    d = np.array([1e-6, 1e-3, 0.5, 1.0, 3.0, 50.0, 1e4], "float32")
    exact = np.where(
        d < 1e-2, d.astype("float64") ** 2 / 2, np.logaddexp(d, -d.astype("float64")) - np.log(2)
    )
    np.testing.assert_allclose(losses.log_cosh(np.zeros_like(d), d), exact, rtol=3e-6)


def test_aliases_and_errors():
    assert type(losses.get("mse")) is losses.MeanSquaredError is type(losses.get(losses.MeanSquaredError))
    assert losses.get("mse").name == "mean_squared_error"
    with pytest.raises(ValueError, match="did you mean 'mean_squared_error'"):
        losses.get("mean_sqared_error")
    with pytest.raises(TypeError):
        losses.get(3)
    with pytest.raises(ValueError, match="reduction"):
        losses.Huber(reduction="avg")
    with pytest.raises(TypeError, match="did you mean 'from_logits'"):
        losses.CategoricalCrossentropy(from_logit=True)
    with pytest.raises(ValueError, match="label_smoothing"):
        losses.BinaryCrossentropy(label_smoothing=2)


def test_cross_entropies_start_from_logits():
    z = np.array([[1000.0, 0.0, -1000.0]], "float32")
    p = ops.softmax(pylearn.asarray(z))
    assert _core.logits_of(p)[1] == "softmax"
    y = np.array([[0.0, 1.0, 0.0]], "float32")
    assert losses.categorical_crossentropy(y, p).item() == 1000.0
    assert losses.sparse_categorical_crossentropy(np.array([2]), p).item() == 2000.0
    assert (
        losses.binary_crossentropy(np.ones((1, 1)), ops.sigmoid(pylearn.asarray(np.array([[-500.0]])))).item()
        == 500.0
    )
    # without the head, the probability has rounded to 0 and is cut at 1e-7
    np.testing.assert_allclose(losses.categorical_crossentropy(y, p.numpy()), -np.log(1e-7), rtol=1e-5)
    np.testing.assert_allclose(losses.categorical_crossentropy(y, z, from_logits=True), 1000.0)


def test_models_keep_the_logits_of_their_head():
    for units, activation, loss, y in [
        (1, "sigmoid", "binary_crossentropy", np.zeros(4)),
        (3, "softmax", "sparse_categorical_crossentropy", np.full(4, 2)),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[[2] * 4]),
    ]:
        bias = [50.0] if units == 1 else [200.0, 0.0, 0.0]
        model = Sequential(
            [Dense(units, activation=activation, input_shape=(2,), kernel_initializer="zeros")]
        )
        model.compile("sgd", loss)
        model.set_weights([np.zeros((2, units)), np.array(bias)])
        got = model.evaluate(np.ones((4, 2)), y, verbose=0)
        np.testing.assert_allclose(got, 50.0 if units == 1 else 200.0, rtol=1e-6)


def test_label_smoothing_and_sequences():
    smooth = ONE * 0.9 + 0.1 / 4
    np.testing.assert_allclose(losses.categorical_crossentropy(ONE, P, label_smoothing=0.1),
                               losses.categorical_crossentropy(smooth, P))  # fmt: skip
    z, ids = RNG.randn(3, 5, 4), RNG.randint(0, 4, (3, 5))
    flat = losses.sparse_categorical_crossentropy(ids.ravel(), z.reshape(15, 4), from_logits=True)
    got = losses.sparse_categorical_crossentropy(ids, z, from_logits=True)
    assert got.shape == (3, 5)
    np.testing.assert_allclose(got.ravel(), flat)
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(ids[..., None], z, from_logits=True), got
    )


def test_against_torch():
    torch = pytest.importorskip("torch")
    z, ids = RNG.randn(8, 5), RNG.randint(0, 5, 8)
    want = torch.nn.functional.cross_entropy(torch.tensor(z), torch.tensor(ids), reduction="none").numpy()
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(ids, z, from_logits=True), want, rtol=1e-12
    )
    t = RNG.rand(8, 5)
    want = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(t)).item()
    np.testing.assert_allclose(losses.BinaryCrossentropy(from_logits=True)(t, z), want, rtol=1e-12)
    want = torch.nn.functional.huber_loss(torch.tensor(z), torch.tensor(3 * t), delta=0.7).item()
    np.testing.assert_allclose(losses.Huber(0.7)(3 * t, z), want, rtol=1e-12)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "binary_crossentropy", "log_cosh"])
def test_column_and_vector_are_aligned_and_nothing_else(name):
    loss, y, p = losses.get(name), RNG.rand(5), RNG.rand(5)
    want = loss(y, p)
    np.testing.assert_allclose([loss(y[:, None], p), loss(y, p[:, None]), loss(y[:, None], p[:, None])], want)
    for bad in [(5, 2), (4,), (1, 5), (1,), (), (5, 1, 1)]:
        if bad == (5, 2):
            continue
        with pytest.raises(ValueError, match="nothing is broadcast"):
            loss(RNG.rand(*bad), p)
    with pytest.raises(ValueError, match=r"\(5, 2\).*\(5,\)"):
        loss(RNG.rand(5, 2), p)


def compiled(units, activation, loss, metrics=None):
    model = Sequential([Dense(units, activation=activation, input_shape=(3,))])
    model.compile("sgd", loss, metrics=metrics)
    return model


@pytest.mark.parametrize(
    "units, activation, loss, y, message",
    [
        (4, "softmax", "categorical_crossentropy", np.arange(8) % 4, "use sparse_categorical_cross.* or to_cat"),
        (4, "softmax", "categorical_crossentropy", np.eye(5)[np.arange(8) % 5], "make the last layer 5 wide"),
        (4, "softmax", "sparse_categorical_crossentropy", np.eye(4)[np.arange(8) % 4], r"or y\.argmax"),
        (4, "softmax", "sparse_categorical_crossentropy", np.arange(8) % 4 + 1, "ids start at 0: use y - 1"),
        (4, "softmax", "sparse_categorical_crossentropy", np.arange(8), r"label 4 in row 4.*8 wide"),
        (4, "softmax", "sparse_categorical_crossentropy", np.arange(8) / 2, "row 1 has 0.5"),
        (4, "softmax", "mse", np.arange(8) % 4, "to_categorical"),
        (1, "sigmoid", "binary_crossentropy", np.array([-1, 1] * 4), r"\(y \+ 1\) / 2"),
        (1, "sigmoid", "binary_crossentropy", np.arange(8) % 3, "use sparse_cat"),
        (1, "sigmoid", "binary_crossentropy", np.eye(2)[np.arange(8) % 2], r"use y\[:, 1\]"),
        (1, "softmax", "categorical_crossentropy", np.arange(8) % 2, "use binary_crossentropy"),
        (2, None, "mse", np.ones((8, 3)), r"y has shape \(8, 3\), the model's output \(None, 2\)"),
        (1, None, "mse", np.ones((8, 1, 2)), "they must agree"),
    ],
)  # fmt: skip
def test_targets_are_checked_before_training_with_the_fix(units, activation, loss, y, message):
    with pytest.raises(ValueError, match=message):
        compiled(units, activation, loss).fit(np.ones((8, 3)), y, verbose=0)


def test_ids_out_of_range_raise_also_in_a_replay():
    class Unchecked(losses.SparseCategoricalCrossentropy):
        def check(self, y, output_shape, name="y"):
            """Leaves it to the op."""

    model = compiled(4, "softmax", Unchecked())
    good, bad = np.zeros(8, int), np.full(8, 9)

    def batches():
        yield from [(np.ones((8, 3)), good)] * 4
        yield np.ones((8, 3)), bad

    with pytest.raises(IndexError, match="9"):
        model.fit(batches(), verbose=0)


def test_own_loss_functions():
    def scaled(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1) * 2.0

    a, b = compiled(2, None, scaled), compiled(2, None, "mse")
    b.set_weights(a.get_weights())
    x, y = RNG.rand(8, 3), RNG.rand(8, 2)
    np.testing.assert_allclose(a.evaluate(x, y, verbose=0), 2 * b.evaluate(x, y, verbose=0), rtol=1e-6)
    a.fit(x, y, epochs=4, verbose=0)

    class Own(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.abs(y_true - y_pred)

    compiled(2, None, Own()).fit(x, y, epochs=4, verbose=0, sample_weight=np.ones(8))
