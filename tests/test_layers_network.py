"""Convolution, normalisation, embedding, recurrence and attention layers: against torch, masks, wrong calls."""

import numpy as np
import pytest

import pylearn
from pylearn import layers, ops
from pylearn.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MaxPooling2D,
    MultiHeadAttention,
    SimpleRNN,
)
from pylearn.utils import set_random_seed


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def close(a, b, tolerance=2e-5):
    np.testing.assert_allclose(np.asarray(a), b.detach().numpy(), rtol=tolerance, atol=tolerance)


def fill(layer, seed=1):
    layer.set_weights([0.3 * normal(*w.shape, seed=seed + i) for i, w in enumerate(layer.weights)])
    return [w.numpy() for w in layer.weights]


def test_convolutions_are_torchs(torch):
    f, t = torch.nn.functional, torch.from_numpy
    x = normal(2, 9, 8, 4)
    layer = Conv2D(6, (3, 2), strides=(2, 1), groups=2, activation="relu")
    layer(x)
    w, b = fill(layer)
    want = f.conv2d(t(x).permute(0, 3, 1, 2), t(w).permute(3, 2, 0, 1), t(b), (2, 1), groups=2).relu()
    close(layer(x), want.permute(0, 2, 3, 1))
    causal = Conv1D(5, 3, padding="causal", dilation_rate=2)
    causal(x[:, :, 0])
    w, b = fill(causal)
    padded = f.pad(t(x[:, :, 0]).permute(0, 2, 1), (4, 0))
    close(causal(x[:, :, 0]), f.conv1d(padded, t(w).permute(2, 1, 0), t(b), dilation=2).permute(0, 2, 1))


def test_batch_normalization_is_torchs(torch):
    layer, twin = BatchNormalization(momentum=0.9), torch.nn.BatchNorm1d(5, eps=1e-3, momentum=0.1)
    for step in range(3):
        x = 3 + 2 * normal(40, 5, seed=step)
        close(layer(x, training=True), twin(torch.from_numpy(x)))
    np.testing.assert_allclose(layer.moving_mean.numpy(), twin.running_mean.numpy(), rtol=1e-4, atol=1e-5)
    biased = layer.moving_variance.numpy()  # as in Keras; torch's average is of the unbiased ones
    np.testing.assert_allclose((biased - 0.9**3) * 40 / 39 + 0.9**3, twin.running_var.numpy(), rtol=1e-4)
    frozen = layer(x).numpy()
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True).numpy(), frozen)
    norm, twin = LayerNormalization(epsilon=1e-5), torch.nn.LayerNorm(5)
    close(norm(x), twin(torch.from_numpy(x)))


def _torch_gates(layer, order, n):
    """torch's weights for a cell of ours, whose gates are reordered."""
    parts = [np.split(w, n, axis=-1) for w in layer.get_weights()]
    return [np.concatenate([p[k] for k in order], axis=-1) for p in parts]


def test_lstm_and_gru_are_torchs(torch):
    x = normal(3, 7, 4)
    lstm = LSTM(5, return_sequences=True, return_state=True)
    lstm(x)
    fill(lstm)
    w, u, b = _torch_gates(lstm, [0, 1, 2, 3], 4)
    twin = torch.nn.LSTM(4, 5, batch_first=True)
    for p, value in zip(twin.parameters(), (w.T, u.T, b, 0 * b), strict=True):
        p.data = torch.from_numpy(value.copy())
    y, (h, c) = twin(torch.from_numpy(x))
    for ours, theirs in zip(lstm(x), (y, h[0], c[0]), strict=True):
        close(ours, theirs)

    gru = GRU(5, return_sequences=True)
    gru(x)
    fill(gru)
    w, u, b = _torch_gates(gru, [1, 0, 2], 3)
    twin = torch.nn.GRU(4, 5, batch_first=True)
    for p, value in zip(twin.parameters(), (w.T, u.T, b[0], b[1]), strict=True):
        p.data = torch.from_numpy(value.copy())
    close(gru(x), twin(torch.from_numpy(x))[0])


def test_multi_head_attention_is_torchs(torch):
    x, z = normal(2, 5, 8), normal(2, 7, 8, seed=1)
    layer = MultiHeadAttention(2, 4)
    layer(x, z)
    fill(layer)
    values = dict(zip([w.name.split("/")[1] for w in layer.weights], layer.get_weights(), strict=True))
    twin = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    kernels = [values[f"{k}_kernel"].reshape(8, 8).T for k in ("query", "key", "value")]
    twin.in_proj_weight.data = torch.from_numpy(np.concatenate(kernels).copy())
    biases = [values[f"{k}_bias"].reshape(8) for k in ("query", "key", "value")]
    twin.in_proj_bias.data = torch.from_numpy(np.concatenate(biases))
    twin.out_proj.weight.data = torch.from_numpy(values["attention_output_kernel"].reshape(8, 8).T.copy())
    twin.out_proj.bias.data = torch.from_numpy(values["attention_output_bias"])
    t = torch.from_numpy
    close(layer(x, z), twin(t(x), t(z), t(z))[0])
    hidden = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    close(layer(x, x, use_causal_mask=True), twin(t(x), t(x), t(x), attn_mask=hidden)[0])
    keep = np.random.default_rng(3).random((2, 5, 7)) < 0.7
    keep[..., 0] = True
    hidden = t(~keep).repeat_interleave(2, 0)
    close(layer(x, z, attention_mask=keep), twin(t(x), t(z), t(z), attn_mask=hidden)[0])


@pytest.mark.parametrize("cls", [SimpleRNN, LSTM, GRU])
@pytest.mark.parametrize("wrap", [lambda layer: layer, Bidirectional])
def test_padding_is_passed_over(cls, wrap):
    """Sequences padded with id 0 give what they give alone."""
    set_random_seed(0)
    ids = np.array([[3, 1, 4, 2], [5, 2, 0, 0], [1, 0, 0, 0]])
    x = Input((4,), dtype="int64")
    h = Embedding(6, 3, mask_zero=True)(x)
    model = pylearn.Model(inputs=x, outputs=Dense(2)(wrap(cls(4))(h)))
    padded = model.predict(ids)
    free = Input((None,), dtype="int64")
    y = free
    for layer in model.layers[1:]:
        y = layer(y)
    open_model = pylearn.Model(inputs=free, outputs=y)
    for row, n in enumerate((4, 2, 1)):
        np.testing.assert_allclose(open_model.predict(ids[row : row + 1, :n])[0], padded[row], atol=1e-6)


def test_masked_average_and_attention():
    ids = np.array([[3, 1, 0, 0]])
    x = Input((4,), dtype="int64")
    table = Embedding(6, 3, mask_zero=True)
    model = pylearn.Model(inputs=x, outputs=GlobalAveragePooling1D()(table(x)))
    np.testing.assert_allclose(model.predict(ids)[0], table.get_weights()[0][[3, 1]].mean(0), atol=1e-6)
    h = table(x)
    attention = MultiHeadAttention(1, 3)
    both = pylearn.Model(inputs=x, outputs=attention(h, h)).predict(ids)
    short = attention(table(ids[:, :2]), table(ids[:, :2])).numpy()
    np.testing.assert_allclose(both[:, :2], short, atol=1e-6)


def test_embedding_refuses_other_ids():
    layer = Embedding(4, 2)
    with pytest.raises(IndexError, match="4"):
        layer(np.array([[1, 4]]))
    with pytest.raises(IndexError):
        layer(np.array([-5]))
    given = Embedding(2, 2, weights=[np.eye(2)], trainable=False)
    np.testing.assert_array_equal(given(np.array([1])).numpy(), [[0, 1]])
    assert given.trainable_weights == []
    assert Embedding(4, 2, input_length=7).compute_output_shape((None, 7)) == (None, 7, 2)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Conv2D(4, 3)(np.ones((2, 28, 28))), r"X\[\.\.\., None\]"),
        (lambda: Conv2D(4, 3, data_format="channels_first"), r"np\.moveaxis\(X, 1, -1\)"),
        (lambda: Conv2D(4, 3)(Input((2, 2, 1))), "does not fit"),
        (lambda: Conv2D(4, 3, groups=3), "groups"),
        (lambda: Conv2D(4, 3, groups=2)(np.ones((1, 5, 5, 3))), "groups"),
        (lambda: Conv2D(4, 3, padding="causal"), "padding"),
        (lambda: Conv2D(4, (3, 3, 3)), "kernel_size"),
        (lambda: Conv2D(0, 3), "filters"),
        (lambda: Conv1D(4, 2.5), "kernel_size"),
        (
            lambda: Conv2D(4, 3, input_shape=(60000, 28, 28, 1))(Input((60000, 28, 28, 1))),
            "leave the batch axis out",
        ),
        (lambda: MaxPooling2D(0), "pool_size"),
        (lambda: MaxPooling2D()(np.ones((2, 5, 5))), "MaxPooling2D needs"),
        (lambda: BatchNormalization(axis=1)(np.ones((2, 3, 4))), "axis must be -1"),
        (lambda: BatchNormalization(momentum=2), "momentum"),
        (lambda: LayerNormalization(axis=0)(np.ones((2, 3))), "axis must be"),
        (lambda: LSTM(4)(np.ones((2, 3))), "batch, steps, features"),
        (lambda: LSTM(4, activation="tahn"), "did you mean 'tanh'"),
        (lambda: LSTM(0), "units"),
        (lambda: Bidirectional(Dense(3)), "SimpleRNN, LSTM or GRU"),
        (lambda: Bidirectional(LSTM(3), merge_mode="max"), "merge_mode"),
        (lambda: MultiHeadAttention(2, 3)(np.ones((2, 3, 4))), "query and value"),
        (lambda: MultiHeadAttention(2, 3, dropout=1.0), "dropout"),
        (lambda: Embedding(0, 3), "input_dim"),
    ],
)
def test_wrong_calls_are_explained(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_other_sizes_of_input_are_refused():
    for layer, x in ((Conv2D(2, 3), normal(1, 5, 5, 2)), (LSTM(2), normal(1, 5, 2))):
        layer(x)
        with pytest.raises(ValueError, match=f"{layer.name}: expected"):
            layer(np.concatenate([x, x], axis=-1))


def test_the_course_cnn_learns_and_saves(tmp_path):
    set_random_seed(0)
    x = normal(200, 12, 12, 1)
    y = (x[:, :6].mean((1, 2, 3)) > x[:, 6:].mean((1, 2, 3))).astype("int64")
    model = pylearn.Sequential([
        Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)), MaxPooling2D(), Conv2D(16, 3, activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dropout(0.1), Dense(2, activation="softmax"),
    ])  # fmt: skip
    assert model.output_shape == (None, 2)
    model.compile(pylearn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=40, batch_size=32, verbose=0).history
    assert history["accuracy"][-1] > 0.9 and history["loss"][-1] < history["loss"][0] / 2
    model.save(tmp_path / "cnn.pylearn")
    np.testing.assert_array_equal(
        pylearn.models.load_model(tmp_path / "cnn.pylearn").predict(x[:5]), model.predict(x[:5])
    )


def test_initial_states_continue_a_sequence():
    x = normal(2, 6, 3)
    lstm = LSTM(4, return_sequences=True, return_state=True)
    whole = lstm(x)[0].numpy()
    _, h, c = lstm(x[:, :2])
    np.testing.assert_allclose(lstm(x[:, 2:], initial_state=[h, c])[0].numpy(), whole[:, 2:], atol=1e-6)
    with pytest.raises(ValueError, match="2 initial states"):
        lstm(x, initial_state=[ops.add(h, 0.0)])
