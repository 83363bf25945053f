"""Attention: masks, weights, and generation step by step."""

import numpy as np
import pytest

import pylearn
from pylearn import layers
from pylearn.layers import AdditiveAttention, Attention, Embedding, Input, KeyValueCache, MultiHeadAttention


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("make", [Attention, lambda: Attention(score_mode="concat"), AdditiveAttention,
                                  lambda: MultiHeadAttention(2, 3)])  # fmt: skip
def test_masked_values_are_as_if_they_were_not_there(make):
    layer = make()
    q, v = normal(2, 4, 6), normal(2, 5, 6, seed=1)
    mask = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 1]], bool)
    y, weights = layer([q, v], mask=[None, pylearn.asarray(mask)], return_attention_scores=True)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1, atol=1e-6)
    for row in range(2):
        short = layer([q[row : row + 1], v[row : row + 1, mask[row]]]).numpy()
        np.testing.assert_allclose(y.numpy()[row : row + 1], short, atol=1e-6)
        assert not weights.numpy()[row][..., ~mask[row]].any()


@pytest.mark.parametrize("make", [Attention, AdditiveAttention, lambda: MultiHeadAttention(2, 3)])
def test_a_causal_step_sees_none_after_it(make):
    layer = make()
    x = normal(2, 5, 6)
    y = layer([x, x], use_causal_mask=True).numpy()
    for t in range(1, 6):
        short = layer([x[:, :t], x[:, :t]], use_causal_mask=True).numpy()
        np.testing.assert_allclose(y[:, :t], short, atol=1e-6)
    _, weights = layer([x, x], use_causal_mask=True, return_attention_scores=True)
    above = np.triu(np.ones((5, 5), bool), 1)
    assert not weights.numpy()[..., above].any()


@pytest.mark.parametrize(
    "cls, first", [(Attention, ()), (AdditiveAttention, ()), (MultiHeadAttention, (2, 3))]
)
def test_a_layer_may_be_causal_at_every_call(cls, first):
    layer = cls(*first, causal=True)
    again = cls.from_config(layer.get_config())
    x = normal(2, 5, 6)
    want = layer([x, x], use_causal_mask=True).numpy()
    again([x, x])
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again([x, x]).numpy(), want)
    np.testing.assert_allclose(want[:, :1], layer([x[:, :1], x[:, :1]]).numpy(), atol=1e-6)


def test_asking_for_the_weights_changes_no_output():
    layer = MultiHeadAttention(2, 3, value_dim=5)
    q, v = normal(2, 4, 6), normal(2, 5, 7, seed=1)
    seen = np.random.default_rng(3).random((2, 4, 5)) < 0.7
    seen[..., 0] = True
    for call in ({}, {"attention_mask": seen}, {"use_causal_mask": True}):
        plain = layer(q, v, **call).numpy()
        y, weights = layer(q, v, return_attention_scores=True, **call)
        np.testing.assert_allclose(y.numpy(), plain, atol=1e-6)
        assert weights.shape == (2, 2, 4, 5)


@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 2, 1], [7]])
def test_generation_with_a_cache_equals_one_pass(chunks):
    layer = MultiHeadAttention(3, 4, value_dim=5)
    x = normal(2, 7, 6)
    want = layer(x, x, use_causal_mask=True).numpy()
    cache, got, t = layer.empty_cache(rows=2), [], 0
    for n in chunks:
        step = x[:, t : t + n]
        y, cache = layer(step, step, use_causal_mask=True, cache=cache)
        got.append(y.numpy())
        t += n
        assert cache.steps == t and cache.keys.shape == (2, t, 3, 4) and cache.values.shape == (2, t, 3, 5)
    np.testing.assert_allclose(np.concatenate(got, axis=1), want, atol=1e-6)


def generated(layer, x, cache):
    """Outputs of one step after another, and the last cache."""
    ys = []
    for t in range(x.shape[1]):
        y, cache = layer(x[:, t : t + 1], x[:, t : t + 1], use_causal_mask=True, cache=cache)
        ys.append(y.numpy())
    return np.concatenate(ys, axis=1), cache


@pytest.mark.parametrize(
    "room, moves", [({}, 2), ({"max_length": 1}, 3), ({"max_length": 50}, 1), ({"max_length": 70}, 0)]
)
def test_a_cache_has_room_for_what_comes(room, moves):
    """The same bits as from arrays joined at each step; steps are moved when room runs out, and no more often."""
    layer = MultiHeadAttention(2, 3, value_dim=5)
    x = pylearn.asarray(normal(2, 70, 6))
    want = layer(x, x, use_causal_mask=True).numpy()
    cache, joined, moved = layer.empty_cache(2, **room), layer.empty_cache(2), 0
    for t in range(70):
        step = x[:, t : t + 1]
        before = cache.keys.numpy()
        y, cache = layer(step, step, use_causal_mask=True, cache=cache)
        moved += t > 0 and not np.shares_memory(before, cache.keys.numpy())
        again, joined = layer(
            step, step, use_causal_mask=True, cache=KeyValueCache(*map(pylearn.asarray, joined))
        )
        np.testing.assert_array_equal(y.numpy(), again.numpy())
        np.testing.assert_allclose(y.numpy()[:, 0], want[:, t], atol=1e-6)
    np.testing.assert_array_equal(cache.values.numpy(), joined.values.numpy())
    assert moved == moves


def test_going_on_from_one_cache_twice():
    layer = MultiHeadAttention(2, 3)
    x = normal(1, 9, 6)
    _, begun = generated(layer, x[:, :5], layer.empty_cache(1))
    held = begun.keys.numpy().copy()
    one, two = x[:, 5:], normal(1, 4, 6, seed=1)
    first, cache = generated(layer, one, begun)
    kept = cache.keys.numpy().copy()
    second, _ = generated(layer, two, begun)
    np.testing.assert_array_equal(begun.keys.numpy(), held)
    np.testing.assert_array_equal(cache.keys.numpy(), kept)
    for tail, got in ((one, first), (two, second)):
        whole = np.concatenate([x[:, :5], tail], axis=1)
        np.testing.assert_allclose(got, layer(whole, whole, use_causal_mask=True).numpy()[:, 5:], atol=1e-6)


def test_a_captured_step_of_generation():
    layer = MultiHeadAttention(2, 3)
    x = normal(1, 6, 6)
    _, begun = generated(layer, x[:, :4], layer.empty_cache(1))
    step = pylearn.capture(lambda x, cache: layer(x, x, use_causal_mask=True, cache=cache))
    kept = []
    for repeat in range(4):
        tail = normal(1, 1, 6, seed=repeat)
        y, cache = step(tail, begun)
        whole = np.concatenate([x[:, :4], tail], axis=1)
        np.testing.assert_allclose(
            y.numpy(), layer(whole, whole, use_causal_mask=True).numpy()[:, 4:], atol=1e-6
        )
        y, _ = layer(x[:, 4:5], x[:, 4:5], use_causal_mask=True, cache=cache)  # goes on eagerly
        whole = np.concatenate([whole, x[:, 4:5]], axis=1)
        np.testing.assert_allclose(
            y.numpy(), layer(whole, whole, use_causal_mask=True).numpy()[:, 5:], atol=1e-6
        )
        kept.append((cache, cache.keys.numpy().copy()))
    assert step.stats["replayed"] == 2
    for cache, keys in kept:
        np.testing.assert_array_equal(cache.keys.numpy(), keys)


def test_gradients_through_a_cache():
    layer = MultiHeadAttention(2, 3)
    x = pylearn.asarray(normal(2, 4, 6))
    layer(x, x)

    def whole():
        return pylearn.ops.sum(pylearn.ops.square(layer(x, x, use_causal_mask=True)))

    def by_steps():
        cache, total = layer.empty_cache(2), 0.0
        for t in range(4):
            y, cache = layer(x[:, t : t + 1], x[:, t : t + 1], use_causal_mask=True, cache=cache)
            total = total + pylearn.ops.sum(pylearn.ops.square(y))
        return total

    weights = layer.trainable_weights
    for a, b in zip(*(pylearn.value_and_grad(f, wrt=weights)()[1] for f in (whole, by_steps)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


def test_a_cache_that_does_not_fit():
    layer, x = MultiHeadAttention(2, 3, name="attend"), normal(2, 1, 6)
    for wrong in (layer.empty_cache(3), MultiHeadAttention(2, 4).empty_cache(2), layer.empty_cache(1)):
        with pytest.raises(ValueError, match=r"attend: the cache is of .* begin with empty_cache\(rows=2\)"):
            layer(x, x, cache=wrong)
    for wrong in ({"rows": 0}, {"rows": 2, "max_length": 0}):
        with pytest.raises(ValueError, match="must be a whole number ≥ 1"):
            layer.empty_cache(**wrong)


def test_masks_travel_through_a_model():
    ids = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    x = Input((4,), dtype="int64")
    h = Embedding(5, 6, mask_zero=True)(x)
    for layer in (Attention(), AdditiveAttention(), MultiHeadAttention(2, 3)):
        y = layer([h, h]) if not isinstance(layer, MultiHeadAttention) else layer(h, h)
        model = pylearn.Model(x, layers.GlobalAveragePooling1D()(y))
        whole = model.predict(ids)
        for row, n in ((0, 2), (1, 1)):
            table = model.layers[1].get_weights()[0]
            part = table[ids[row : row + 1, :n]]
            np.testing.assert_allclose(whole[row], layer([part, part]).numpy()[0].mean(0), atol=1e-6)


def test_the_mask_of_an_output_with_weights_is_the_querys():
    ids = np.array([[3, 1, 0, 0]])
    x = Input((4,), dtype="int64")
    h = Embedding(5, 6, mask_zero=True)(x)
    y, weights = Attention()([h, h], return_attention_scores=True)
    model = pylearn.Model(x, [layers.GlobalAveragePooling1D()(y), weights])
    mean, weights = model.predict(ids)
    part = model.layers[1].get_weights()[0][ids[:, :2]]
    np.testing.assert_allclose(mean[0], Attention()([part, part]).numpy()[0].mean(0), atol=1e-6)
    assert weights.shape == (1, 4, 4) and not weights[..., 2:].any()


def test_weights_are_an_output_of_a_model(tmp_path):
    q, v = Input((4, 6)), Input((5, 6))
    outputs = Attention(use_scale=True)([q, v], return_attention_scores=True)
    assert [t.shape for t in outputs] == [(None, 4, 6), (None, 4, 5)]
    model = pylearn.Model([q, v], outputs)
    x = [normal(2, 4, 6), normal(2, 5, 6)]
    model.save(tmp_path / "m.pylearn")
    for a, b in zip(
        model.predict(x), pylearn.models.load_model(tmp_path / "m.pylearn").predict(x), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Attention()(normal(2, 3, 4)), r"layer\(\[query, value\]\)"),
        (lambda: Attention()([normal(2, 3, 4), normal(2, 3, 5)]), "as many features"),
        (lambda: AdditiveAttention()([normal(2, 3, 4), normal(1, 3, 4)]), "as many rows"),
        (lambda: Attention(score_mode="cosine"), "score_mode"),
        (lambda: MultiHeadAttention(2, 3)(normal(2, 3, 4), normal(2, 3, 4), normal(2, 4, 4)), "as many steps"),
        (lambda: MultiHeadAttention(2, 3)(normal(2, 3, 4), normal(2, 3, 4), value_mask=np.ones((2, 4), bool)),
         "does not fit 3 steps"),
    ],
)  # fmt: skip
def test_wrong_calls_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
