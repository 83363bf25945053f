"""What every layer promises, over the examples of layer_examples.py."""

import numpy as np
import pytest
from layer_examples import EXAMPLES, Example

import pylearn
from pylearn import blocks, layers, ops, structure
from pylearn.utils import set_random_seed

EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
POLICIES = pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])


def arrays(tree):
    return [t.numpy() for t in structure.leaves(tree)]


def model_of(example: Example, **more):
    """The layer, and a dense layer where it has no weights of its own, with a loss to train."""
    x = [layers.Input(row, dtype="int64" if example.ids else None) for row in example.rows]
    y = example.make(name="mine", **more)(x if len(x) > 1 else x[0], **example.call)
    outputs = [layers.Dense(2)(layers.Flatten()(t)) for t in structure.leaves(y)]
    out = outputs[0] if len(outputs) == 1 else layers.Add()(outputs)
    model = pylearn.Model(inputs=x if len(x) > 1 else x[0], outputs=out)
    model.compile("adam", "mse")
    return model


def test_every_layer_has_an_example():
    assert {e.cls for e in EXAMPLES} == {*layers.ALL, *blocks.ALL} - {layers.InputLayer}
    names = [e.name for e in EXAMPLES]
    assert len(set(names)) == len(names)


@EACH
def test_shapes_are_known_before_the_first_batch(example):
    layer = example.make()
    for n in (3, 1, 0):
        x = example.inputs(n)
        y = layer(x, **example.call)
        asked = {k: v for k, v in example.call.items() if k == "return_attention_scores"}
        said = layer.compute_output_shape(structure.transform(lambda a: (None, *a.shape[1:]), x), **asked)
        said = said if isinstance(said, list) else [said]
        assert [t.shape for t in structure.leaves(y)] == [(n, *s[1:]) for s in said]
    symbolic = example.make()(
        [layers.Input(row) for row in example.rows] if len(example.rows) > 1 else layers.Input(example.rows[0]),
        **example.call,
    )  # fmt: skip
    assert [t.shape for t in structure.leaves(symbolic)] == [tuple(s) for s in said]


@EACH
def test_configuration(example):
    layer = example.make(name="mine")
    spec = pylearn.registry.serialize(layer)
    again = pylearn.registry.deserialize(spec, {c.__name__: c for c in [*layers.ALL, *blocks.ALL]}, "layer")
    assert pylearn.registry.serialize(again) == spec and again.name == "mine"
    x = example.inputs(2)
    layer(x, **example.call)
    again(x, **example.call)
    again.set_weights(layer.get_weights())
    for a, b in zip(arrays(layer(x, **example.call)), arrays(again(x, **example.call)), strict=True):
        np.testing.assert_array_equal(a, b)


@EACH
def test_float64(example):
    layer = example.make(dtype="float64")
    y = layer(example.inputs(2, "float64"), **example.call)
    assert all(w.dtype == "float64" for w in layer.weights)
    if layer.weights:
        assert all(t.dtype == "float64" for t in structure.leaves(y))


@EACH
def test_mixed_bfloat16(example):
    """Near to float32, with float32 weights and outputs: only operands of products are rounded, to 8 bits."""
    layer, exact = example.make(dtype="mixed_bfloat16"), example.make()
    x = example.inputs(3)
    layer(x, **example.call), exact(x, **example.call)
    layer.set_weights(exact.get_weights())
    assert all(w.dtype == v.dtype for w, v in zip(layer.weights, exact.weights, strict=True))
    for a, b in zip(arrays(layer(x, **example.call)), arrays(exact(x, **example.call)), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02 * max(1e-3, np.abs(b).max()))


@EACH
def test_gradients_reach_every_weight(example):
    set_random_seed(0)
    layer = example.make(dtype="float64")
    x = structure.transform(pylearn.asarray, example.inputs(3, "float64"))
    layer(x, **example.call)
    if not layer.trainable_weights:
        return
    rng = np.random.default_rng(1)
    shapes = [t.shape for t in structure.leaves(layer(x, training=True, **example.call))]
    weigh = [rng.uniform(0.5, 1.5, s) for s in shapes]

    def total():
        pylearn.random.seed(5)
        out = structure.leaves(layer.run(x, training=True, **example.call))
        return sum((ops.sum(t * w) for t, w in zip(out, weigh, strict=True)), start=0.0)

    _, grads = pylearn.value_and_grad(total, wrt=layer.trainable_weights)()
    for weight, grad in zip(layer.trainable_weights, grads, strict=True):
        direction = rng.uniform(-1, 1, weight.shape)
        value, ends = weight.numpy().copy(), []
        for sign in (1, -1):
            ops.assign(weight, value + sign * 1e-6 * direction)
            ends.append(float(total()))
        ops.assign(weight, value)
        np.testing.assert_allclose(
            np.sum(grad.numpy() * direction),
            (ends[0] - ends[1]) / 2e-6,
            rtol=1e-4,
            atol=1e-6,
            err_msg=weight.name,
        )


@EACH
def test_gradients_of_the_inputs_are_differences(example):
    """Along a random direction, in training, where the function is smooth along it."""
    if example.ids:
        return
    layer = example.make(dtype="float64")
    given = structure.flatten(example.inputs(3, "float64"))
    pack = (lambda xs: xs[0]) if len(given) == 1 else list
    layer(pack(given), **example.call)
    rng = np.random.default_rng(2)
    weigh = [rng.uniform(0.5, 1.5, t.shape) for t in structure.leaves(layer(pack(given), **example.call))]

    def total(*xs):
        pylearn.random.seed(5)
        if getattr(layer, "seed", None) is not None:
            layer._generator.set_state((layer.seed, 0))
        out = structure.leaves(layer.run(pack(list(xs)), training=True, **example.call))
        return sum((ops.sum(t * w) for t, w in zip(out, weigh, strict=True)), start=0.0)

    xs = [pylearn.asarray(x) for x in given]
    grads = pylearn.grad(total, argnums=tuple(range(len(xs))))(*xs)
    directions = [rng.uniform(-1, 1, x.shape) for x in given]
    got = sum(np.sum(g.numpy() * d) for g, d in zip(grads, directions, strict=True))
    ends = [
        float(total(*(pylearn.asarray(x + h * d) for x, d in zip(given, directions, strict=True))))
        for h in (1e-6, -1e-6)
    ]
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / 2e-6, rtol=2e-4, atol=1e-5)


@EACH
def test_at_rest_outside_training(example):
    """The same input gives the same bits, draws nothing and changes no weight."""
    layer = example.make()
    x = example.inputs(3)
    layer(x, **example.call)
    state, weights = pylearn.random.default_generator().state(), layer.get_weights()
    first, second = (arrays(layer(x, **example.call)) for _ in range(2))
    assert pylearn.random.default_generator().state() == state
    for a, b in zip(first + weights, second + layer.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@EACH
def test_a_mask_that_hides_nothing_changes_nothing(example):
    layer = example.make(dtype="float64")
    x = example.inputs(3, "float64")
    if (
        any(len(row) < 2 for row in example.rows)
        and not example.ids
        and not isinstance(layer, layers.Softmax)
    ):
        return
    masks = [np.ones((3, row[0]), bool) for row in example.rows]
    mask = structure.transform(pylearn.asarray, masks if len(masks) > 1 else masks[0])
    if isinstance(layer, layers.BatchNormalization):  # which wants one for each place
        mask = pylearn.asarray(np.ones((3, *example.rows[0][:-1]), bool))
    if isinstance(layer, layers.Softmax):
        mask = pylearn.asarray(np.ones((3, *example.rows[0]), bool))
    for training in (False, True):
        outs = []
        for given in (mask, None):
            pylearn.random.seed(3)
            outs.append(arrays(layer(x, training=training, mask=given, **example.call)))
            if getattr(layer, "seed", None) is not None:
                layer._generator.set_state((layer.seed, 0))
        for a, b in zip(*outs, strict=True):
            np.testing.assert_allclose(a, b, atol=2e-6)
    made = layer.compute_mask(structure.transform(pylearn.asarray, x), mask)
    assert all(m is None or (m.dtype == "bool" and m.numpy().any()) for m in structure.leaves(made))


@EACH
def test_other_shapes_are_refused_by_name_or_taken(example):
    layer = example.make(name="mine")
    layer(example.inputs(2), **example.call)
    names = list(_names(layer))
    for change in (
        lambda r: (*r[:-1], r[-1] + 1),
        lambda r: (2, *r),
        lambda r: r[1:],
        lambda r: (r[0] + 1, *r[1:]),
    ):
        rows = tuple(change(row) if i == 0 else row for i, row in enumerate(example.rows))
        other = Example(example.cls, example.arguments, rows, example.ids, example.call)
        try:
            out = layer(other.inputs(2), **example.call)
        except (ValueError, TypeError, IndexError) as error:
            assert any(name in str(error) for name in names), error
        else:
            assert all(np.isfinite(a).all() for a in arrays(out))


def _names(layer):
    yield layer.name
    for inner in layer._sublayers:
        yield from _names(inner)


@EACH
def test_clones_have_weights_of_their_own(example):
    model = model_of(example)
    again = pylearn.models.clone_model(model)
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert not {id(w) for w in again.weights} & {id(w) for w in model.weights}
    again.set_weights(model.get_weights())
    x = example.inputs(3)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@POLICIES
@EACH
def test_captured_training_is_eager_training(example, policy):
    weights = []
    for eagerly in (False, True):
        set_random_seed(1)
        model = model_of(example, dtype=policy)
        model.run_eagerly = eagerly
        x = example.inputs(11)
        model.fit(x, np.zeros((11, 2), "float32"), batch_size=4, epochs=3, verbose=0)
        assert all((step.plan is None) == eagerly for _, step in model._steps)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert a.tobytes() == b.tobytes()


@EACH
def test_a_large_models_steps_are_compared_by_their_loss(example, monkeypatch, recwarn):
    monkeypatch.setattr("pylearn.training.step.COMPARED", 0)
    set_random_seed(1)
    model = model_of(example)
    x = example.inputs(12)
    model.fit(x, np.zeros((12, 2), "float32"), batch_size=4, epochs=3, verbose=0)
    assert not [w for w in recwarn if "recorded step" in str(w.message)]


@POLICIES
@EACH
def test_saved_and_loaded(example, policy, tmp_path):
    set_random_seed(2)
    model = model_of(example, dtype=policy)
    x = example.inputs(4)
    model.fit(x, np.zeros((4, 2), "float32"), epochs=1, verbose=0)
    model.save(tmp_path / "m.pylearn")
    again = pylearn.models.load_model(tmp_path / "m.pylearn")
    assert again.get_layer("mine").dtype_policy.name == policy
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@EACH
def test_frozen_layers_stay(example):
    set_random_seed(3)
    model = model_of(example, trainable=False)
    before = model.get_layer("mine").get_weights()
    x = example.inputs(6)
    model.fit(x, np.zeros((6, 2), "float32"), epochs=2, verbose=0)
    for a, b in zip(before, model.get_layer("mine").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
