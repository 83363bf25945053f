"""Weights of PyTorch's modules, written with safetensors, against the modules' own outputs."""

import numpy as np
import pytest
import safetensors.numpy

from pylearn import layers as L
from pylearn.models import Model, Sequential

RNG = np.random.default_rng(0)


def close(a, b, tolerance=1e-5):
    assert a.shape == b.shape and np.abs(a - b).max() <= tolerance


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


def write(module, path):
    from safetensors.torch import save_file

    for name, value in module.state_dict().items():  # statistics as after training
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.dtype.is_floating_point:
            value.normal_(0, 0.4)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, path)


def test_sequential_by_numbers(torch, tmp_path):
    nn = torch.nn
    module = nn.Sequential(
        *[m for _ in range(11) for m in (nn.Linear(4, 4), nn.Tanh())], nn.Linear(4, 2)
    ).eval()
    write(module, tmp_path / "m.safetensors")  # "10.weight" comes after "2.weight"
    model = Sequential([L.Input((4,)), *[L.Dense(4, activation="tanh") for _ in range(11)], L.Dense(2)])
    model.load_weights(tmp_path / "m.safetensors")
    x = RNG.standard_normal((5, 4)).astype("float32")
    close(model.predict(x), module(torch.tensor(x)).detach().numpy())


def test_images_and_their_flattening(torch, tmp_path):
    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, (3, 2), groups=2),
        nn.Flatten(), nn.BatchNorm1d(6 * 2 * 4), nn.Dropout(), nn.Linear(6 * 2 * 4, 5), nn.ReLU(), nn.Linear(5, 2),
    ).eval()  # fmt: skip
    write(module, tmp_path / "m.safetensors")
    model = Sequential([
        L.Input((8, 10, 3)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization(epsilon=1e-5), L.Activation("relu"),
        L.MaxPooling2D(), L.Conv2D(6, (3, 2), groups=2), L.Flatten(), L.BatchNormalization(epsilon=1e-5),
        L.Dropout(0.5), L.Dense(5, activation="relu"), L.Dense(2),
    ])  # fmt: skip
    model.load_weights(tmp_path / "m.safetensors")
    x = RNG.standard_normal((5, 8, 10, 3)).astype("float32")
    close(model.predict(x), module(torch.tensor(x).permute(0, 3, 1, 2)).detach().numpy(), 2e-5)


def test_sequences(torch, tmp_path):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(11, 4)
            self.conv = nn.Conv1d(4, 6, 3)
            self.lstm = nn.LSTM(6, 3, batch_first=True, bidirectional=True, num_layers=2)
            self.gru = nn.GRU(6, 5, batch_first=True)
            self.rnn = nn.RNN(5, 4, batch_first=True)
            self.norm = nn.LayerNorm(4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(7 * 4, 3)

        def forward(self, ids):
            h = self.conv(self.embedding(ids).transpose(1, 2)).transpose(1, 2)
            h = self.norm(self.rnn(self.gru(self.lstm(h)[0])[0])[0])
            h = self.attention(h, h, h)[0]
            return self.head(h.flatten(1))  # (steps, features), not channels of an image

    module = Net().eval()
    write(module, tmp_path / "m.safetensors")
    ids = L.Input((9,))
    h = L.Conv1D(6, 3)(L.Embedding(11, 4)(ids))
    for _ in range(2):
        h = L.Bidirectional(L.LSTM(3, return_sequences=True))(h)
    h = L.SimpleRNN(4, return_sequences=True)(L.GRU(5, return_sequences=True)(h))
    h = L.LayerNormalization(epsilon=1e-5)(h)
    h = L.MultiHeadAttention(2, 2)(h, h)
    model = Model(ids, L.Dense(3)(L.Flatten()(h)))
    model.load_weights(tmp_path / "m.safetensors")
    x = RNG.integers(0, 11, (5, 9))
    close(model.predict(x), module(torch.tensor(x)).detach().numpy())


def names(path, **arrays):
    safetensors.numpy.save_file({k: np.ascontiguousarray(v, "float32") for k, v in arrays.items()}, path)
    return path


def square(*called):
    return Sequential([L.Input((3,)), *[L.Dense(3, use_bias=False, name=name) for name in called]])


def test_modules_of_equal_shape_need_numbers_or_names(tmp_path):
    a, b = RNG.standard_normal((2, 3, 3))
    path = names(tmp_path / "m.safetensors", **{"net.encoder.weight": a, "net.decoder.weight": b})
    with pytest.raises(
        ValueError, match=r"'net\.decoder' and 'net\.encoder' have equal shapes; call the layers"
    ):
        square("one", "two").load_weights(path)
    model = square("encoder", "decoder")
    model.load_weights(path)
    close(model.get_weights()[0], a.T.astype("float32"), 0)
    close(model.get_weights()[1], b.T.astype("float32"), 0)
    model = square("encoder", "other")
    before = model.get_weights()[1]
    model.load_weights(path, by_name=True)
    close(model.get_weights()[0], a.T.astype("float32"), 0)
    close(model.get_weights()[1], before, 0)
    path = names(path, **{"block10.weight": a, "block9.weight": b})
    model = square("one", "two")
    model.load_weights(path)
    close(model.get_weights()[0], b.T.astype("float32"), 0)


def test_misfits(tmp_path):
    path = names(tmp_path / "m.safetensors", **{"0.weight": np.zeros((4, 3)), "0.bias": np.zeros(4)})
    for model, message in [
        (square("a"), r"the module '0' bias \(4,\), weight \(4, 3\) fits no layer|a needs weight \(3, 3\)"),
        (Sequential([L.Dense(4, input_shape=(5,))]), r"weight \(4, 5\)"),
        (Sequential([L.Dense(4, input_shape=(3,)), L.Dense(2)]), "needs"),
    ]:
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            model.load_weights(path)
        assert all(np.array_equal(u, v) for u, v in zip(before, model.get_weights()))
    model = Sequential([L.Dense(4, input_shape=(3,)), L.Dense(2)])
    with pytest.warns(UserWarning, match="left out what does not fit"):
        model.load_weights(path, skip_mismatch=True)
    assert not model.get_weights()[0].any()
    gru = Sequential([L.GRU(2, reset_after=False, input_shape=(4, 3))])
    keys = {"weight_ih_l0": (6, 3), "weight_hh_l0": (6, 2), "bias_ih_l0": (6,), "bias_hh_l0": (6,)}
    with pytest.raises(ValueError, match="reset_after=False"):
        gru.load_weights(names(path, **{f"gru.{k}": np.zeros(s) for k, s in keys.items()}))


def test_damage(tmp_path):
    path = names(tmp_path / "m.safetensors", w=np.zeros((4, 3)))
    content = path.read_bytes()
    for damaged in (b"", content[:5], content[:-1], content + b"x", b"\xff" * 100, content[:8] + b"{" * 80):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m\.safetensors"):
            square("a").load_weights(path)
    (tmp_path / "m.pt").write_bytes(b"\x80\x02cos\nsystem\n")
    with pytest.raises(ValueError, match="is a pickle and could run code"):
        square("a").load_weights(tmp_path / "m.pt")
