"""Keras' files, read against Keras itself where it is installed and against files it wrote where it is not."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pylearn import layers, models
from pylearn.models import load_model

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
GOLDEN = Path(__file__).parent / "golden" / "keras"


def mlp(L, M):
    return M.Sequential([L.Input((6,)), L.Dense(5, activation="relu", kernel_regularizer="l2"), L.Dropout(0.2),
                         L.BatchNormalization(), L.Dense(3, activation="softmax", name="head")])  # fmt: skip


def cnn(L, M):
    return M.Sequential([
        L.Input((8, 8, 2)), L.Conv2D(4, 3, padding="same", activation="relu"), L.BatchNormalization(), L.MaxPooling2D(),
        L.Conv2D(6, (3, 2), strides=2, use_bias=False), L.GlobalAveragePooling2D(), L.Dense(3),
    ])  # fmt: skip


def text(L, M):
    return M.Sequential([
        L.Input((7,)), L.Embedding(11, 4), L.Conv1D(5, 3, activation="relu"), L.MaxPooling1D(2), L.Flatten(),
        L.Dense(4, activation="gelu"), L.Dense(1, activation="sigmoid"),
    ])  # fmt: skip


def recurrent(L, M):
    return M.Sequential([
        L.Input((7,)), L.Embedding(11, 4, mask_zero=True), L.Bidirectional(L.GRU(3, return_sequences=True)),
        L.LSTM(4, return_sequences=True, activation="sigmoid"), L.Bidirectional(L.LSTM(2, return_sequences=True)),
        L.SimpleRNN(3), L.LayerNormalization(), L.Dense(2),
    ])  # fmt: skip


def graph(L, M):
    ids, rows = L.Input((7,), name="ids"), L.Input((5, 3), name="rows")
    e = L.Embedding(11, 4)(ids)
    h = L.MultiHeadAttention(2, 3, value_dim=2)(e, e)
    h = L.LayerNormalization()(L.Add()([e, h]))
    shared = L.Dense(4, activation="tanh")
    branch = M.Sequential([L.Input((5, 3)), L.Conv1D(4, 2), L.Flatten(), L.Dense(4), L.BatchNormalization(),
                           L.Dense(4)], name="branch")  # fmt: skip
    a, b = L.LSTM(4)(h), branch(rows)
    joined = L.Concatenate()([shared(a), shared(b)])
    return M.Model([ids, rows], [L.Dense(1, name="score")(joined), L.Dense(3, activation="softmax")(joined)])


def masked(L, M):
    ids = L.Input((7,))
    h, last, _ = L.LSTM(3, return_sequences=True, return_state=True)(L.Embedding(11, 4, mask_zero=True)(ids))
    return M.Model({"ids": ids}, L.Concatenate()([last, L.GlobalAveragePooling1D()(h), L.GRU(2)(h)]))


BUILDERS = [mlp, cnn, text, recurrent, graph, masked]
SHAPES = {mlp: [(6,)], cnn: [(8, 8, 2)], text: [7], recurrent: [7], graph: [7, (5, 3)], masked: [7]}


def inputs(build):
    rng = np.random.default_rng(3)
    made = [rng.integers(0, 11, (9, s)) if isinstance(s, int) else rng.standard_normal((9, *s)).astype("float32")
            for s in SHAPES[build]]  # fmt: skip
    if build is masked:
        return {"ids": made[0]}
    return made if len(made) > 1 else made[0]


def close(a, b, tolerance=1e-5):
    a, b = (x if isinstance(x, list) else [x] for x in (a, b))
    assert len(a) == len(b)
    for u, v in zip(a, b):
        assert u.shape == v.shape and np.abs(u - v).max() <= tolerance


WRITE = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
import numpy as np
import keras
sys.path.insert(0, sys.argv[1])
import test_keras_files as t

for build in t.BUILDERS:
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = build(keras.layers, keras)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) if "moving_variance" in v.path
                       else rng.standard_normal(w.shape) * 0.4 for v, w in zip(model.weights, model.get_weights())])
    name = os.path.join(sys.argv[2], build.__name__)
    model.save(name + ".keras")
    model.save_weights(name + ".weights.h5")
    model.save(name + ".h5")
    np.savez(name + ".npz", *model.get_weights())
    y = model.predict(t.inputs(build), verbose=0)
    np.savez(name + ".outputs.npz", *(y if isinstance(y, list) else [y]))
"""


def run_with_keras(program, folder):
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def outputs(path):
    with np.load(path) as file:
        arrays = [file[name] for name in file.files]
    return arrays if len(arrays) > 1 else arrays[0]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    if not all(map(importlib.util.find_spec, ("keras", "torch"))):
        pytest.skip("keras, or torch for its backend, is not installed")
    folder = tmp_path_factory.mktemp("keras")
    run_with_keras(WRITE, folder)
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("build", BUILDERS)
def test_predictions_are_keras(written, build):
    name = str(written / build.__name__)
    want = outputs(name + ".outputs.npz")
    for suffix in (".keras", ".h5"):
        close(load_model(name + suffix).predict(inputs(build)), want)
    for suffix in (".weights.h5", ".keras", ".h5"):
        model = build(layers, models)
        model.load_weights(name + suffix)
        close(model.predict(inputs(build)), want)
    if build is not graph:  # layers of a graph are in another order there
        model = build(layers, models)
        model.load_weights(name + ".npz")
        close(model.predict(inputs(build)), want)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("build", [mlp, graph])
def test_predictions_are_those_of_kept_files(build):
    name = str(GOLDEN / build.__name__)
    want = outputs(name + ".outputs.npz")
    close(load_model(name + ".keras").predict(inputs(build)), want)
    model = build(layers, models)
    model.load_weights(name + ".keras")
    close(model.predict(inputs(build)), want)


def test_a_loaded_model_can_be_saved_and_trained(tmp_path):
    model = load_model(GOLDEN / "mlp.keras")
    model.save(tmp_path / "m.pylearn")
    again = load_model(tmp_path / "m.pylearn")
    assert np.array_equal(again.predict(inputs(mlp)), model.predict(inputs(mlp)))
    model.compile("adam", "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(inputs(mlp), np.arange(9) % 3, verbose=0).history["loss"][0])


def test_by_name_and_mismatches():
    model = models.Sequential([layers.Input((6,)), layers.Dense(5), layers.Dense(3, name="head")])
    first = model.get_weights()
    with pytest.raises(ValueError, match=r"does not fit.*batch_normalization"):
        model.load_weights(GOLDEN / "mlp.keras")
    model.load_weights(GOLDEN / "mlp.keras", by_name=True)
    changed = [not np.array_equal(a, b) for a, b in zip(first, model.get_weights())]
    assert changed[2:] == [True, True]
    wide = models.Sequential([layers.Input((6,)), layers.Dense(7), layers.BatchNormalization(),
                              layers.Dense(3, name="head")])  # fmt: skip
    before = wide.get_weights()
    with pytest.raises(ValueError, match="has shape"):
        wide.load_weights(GOLDEN / "mlp.keras")
    assert all(np.array_equal(a, b) for a, b in zip(before, wide.get_weights()))  # all or nothing
    left_out = "left out what does not fit: dense_.*, batch_normalization_.*, head"
    with pytest.warns(UserWarning, match=left_out), pytest.raises(ValueError, match=r"gives .* no weights"):
        wide.load_weights(GOLDEN / "mlp.keras", skip_mismatch=True)
    with pytest.raises(ValueError, match="for none has the name"):
        models.Sequential([layers.Dense(2, input_shape=(6,), name="other")]).load_weights(
            GOLDEN / "mlp.keras", by_name=True
        )


def test_sums_of_tensors_are_add_layers(tmp_path):
    """x + y in Keras is an operation, whose class is called as the layer."""
    with zipfile.ZipFile(GOLDEN / "graph.keras") as archive:
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    (add,) = [spec for spec in config["config"]["layers"] if spec["class_name"] == "Add"]
    add.update(module="keras.src.ops.numpy", config={"name": "add"})
    (node,) = add["inbound_nodes"]
    node["args"] = node["args"][0]
    archive_of(tmp_path / "m.keras", {"config.json": json.dumps(config), "model.weights.h5": weights})
    close(load_model(tmp_path / "m.keras").predict(inputs(graph)), outputs(GOLDEN / "graph.outputs.npz"))
    add["class_name"] = "Multiply"
    archive_of(tmp_path / "m.keras", {"config.json": json.dumps(config), "model.weights.h5": weights})
    with pytest.raises(ValueError, match="operation Multiply between layers is not supported"):
        load_model(tmp_path / "m.keras")


# ---- damage and malice


def archive_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def parts():
    with zipfile.ZipFile(GOLDEN / "mlp.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed(parts, path, change):
    """The file with its configuration changed."""
    config = json.loads(parts["config.json"])
    change(config)
    archive_of(path, {**parts, "config.json": json.dumps(config)})
    return path


def test_truncated_files_are_refused(tmp_path, parts):
    path = tmp_path / "m.keras"
    content = (GOLDEN / "mlp.keras").read_bytes()
    for size in [4, 30, *range(100, len(content), 1009), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"m\.keras"):
            load_model(path)
    weights = parts["model.weights.h5"]
    path = tmp_path / "m.weights.h5"
    for size in [8, 90, *range(100, len(weights), 997), len(weights) - 1]:
        path.write_bytes(weights[:size])
        with pytest.raises(ValueError, match=r"m\.weights\.h5"):
            mlp(layers, models).load_weights(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"m\.weights\.h5"):
        mlp(layers, models).load_weights(path)
    with pytest.raises(FileNotFoundError):
        mlp(layers, models).load_weights(tmp_path / "none.weights.h5")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.keras")


@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_give_an_error_or_a_model(tmp_path):
    path = tmp_path / "m.keras"
    content = (GOLDEN / "mlp.keras").read_bytes()
    refused = 0
    for place in range(0, len(content), 211):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            load_model(path)
        except ValueError:
            refused += 1
    assert refused > 0.9 * len(content) / 211  # the archive's checksums see nearly all


@pytest.mark.parametrize("name", ["Lambda", "os.system", "TorchModuleWrapper", "builtins.eval"])
def test_only_our_layers_are_made(tmp_path, parts, name):
    def change(config):
        config["config"]["layers"][1].update(class_name=name, module="os", registered_name=name)

    with pytest.raises(ValueError, match=f"unknown layer class.*{name}"):
        load_model(changed(parts, tmp_path / "m.keras", change))


def test_structures_that_make_no_sense(tmp_path, parts):
    path = tmp_path / "m.keras"

    def settings(**more):
        return lambda config: config["config"]["layers"][1]["config"].update(more)

    for change, message in [
        (settings(units=10**12), "more than the weights it holds"),
        (settings(units=0), "units must be"),
        (settings(activation="os.system"), "unknown activation"),
        (settings(activation={"class_name": "function", "config": "eval", "module": "builtins"}), "unknown activation"),
        (settings(lora_rank=4), "lora_rank"),
        (settings(rope=True), "rope=True is not supported"),
        (lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, 10**9]), "more than the weights"),
        (lambda c: c["config"].pop("layers"), "cannot be read"),
        (lambda c: c["config"]["layers"].pop(), "besides"),
        (lambda c: c.update(class_name="Dense", config={"units": 3, "name": "d"}), "does not describe a model"),
    ]:  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=message):
            load_model(changed(parts, path, change))
    for config in ("{", "[]", "3", "null", "[" * 100_000):
        archive_of(path, {**parts, "config.json": config})
        with pytest.raises(ValueError, match=r"m\.keras"):
            load_model(path)


def test_archives_of_something_else(tmp_path, parts):
    path = tmp_path / "m.keras"
    archive_of(path, {"config.json": parts["config.json"]})
    with pytest.raises(ValueError, match=r"holds 0 files 'model\.weights\.h5'"):
        load_model(path)
    archive_of(path, {**parts, "../../evil.py": b"x"})
    with pytest.raises(ValueError, match="a path that leaves it"):
        load_model(path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
    archive_of(tmp_path / "net.pt", {"net/data.pkl": b"cos\nsystem\n", "net/version": b"3"})
    with pytest.raises(ValueError, match="a pickle and could run code"):
        mlp(layers, models).load_weights(tmp_path / "net.pt")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (65 << 20))
        archive.writestr("model.weights.h5", parts["model.weights.h5"])
    with pytest.raises(ValueError, match="declares 68,157,440 bytes"):
        load_model(path)


def hdf5(change):
    """The weights' file with its content changed."""
    with zipfile.ZipFile(GOLDEN / "mlp.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r+") as file:
        change(file)
    return content.getvalue()


def test_arrays_that_are_not_in_the_file(tmp_path):
    path, secret = tmp_path / "m.weights.h5", tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["w"] = np.zeros((6, 5), "f4")
    kernel = "layers/dense/vars/0"

    def replaced(how):
        def change(file):
            del file[kernel]
            how(file)

        return change

    huge = (1 << 40,)
    virtual = h5py.VirtualLayout((6, 5), "f4")
    virtual[:] = h5py.VirtualSource(str(secret), "w", (6, 5))
    for how, message in [
        (lambda f: f.create_dataset(kernel, huge, "f4"), "declares shape"),
        (
            lambda f: f.create_dataset(kernel, huge, "f4", chunks=(1024,), compression="gzip"),
            "declares shape",
        ),
        (
            lambda f: f.create_dataset(kernel, (6, 5), "f4", external=[(str(secret), 0, 120)]),
            "declares shape",
        ),
        (lambda f: f.create_virtual_dataset(kernel, virtual), "declares shape"),
        (lambda f: f.__setitem__(kernel, h5py.ExternalLink(str(secret), "w")), "a link to another place"),
        (lambda f: f.__setitem__(kernel, h5py.SoftLink("/layers/dense/vars/1")), "a link to another place"),
        (lambda f: f.__setitem__(kernel, np.zeros((5, 6), "f4")), "has shape"),
        (lambda f: f.__setitem__(kernel, np.full((6, 5), b"x")), "not numbers"),
        (lambda f: f.create_group(kernel), "a group where numbers"),
        (lambda f: None, "has 2 weights, the file 1"),
    ]:
        path.write_bytes(hdf5(replaced(how)))
        model = mlp(layers, models)
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            model.load_weights(path)
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_heaps_that_have_no_end(tmp_path, parts):
    """The HDF5 library reads on for ever where a text's length leads to an object of length 0."""
    weights = bytearray(parts["model.weights.h5"])
    heap = weights.find(b"GCOL")
    weights[heap + 24] ^= 0x40  # the length of the first text
    path = tmp_path / "m.weights.h5"
    path.write_bytes(weights)
    with pytest.raises(ValueError, match="the objects of its heap do not fill it"):
        mlp(layers, models).load_weights(path)
    archive_of(tmp_path / "m.keras", {**parts, "model.weights.h5": bytes(weights)})
    with pytest.raises(ValueError, match="the objects of its heap do not fill it"):
        load_model(tmp_path / "m.keras")


def test_groups_in_a_circle(tmp_path, parts):
    weights = hdf5(lambda f: [f["layers/dense"].__setitem__(f"again{i}", f["layers"]) for i in range(9)])
    archive_of(tmp_path / "m.keras", {**parts, "model.weights.h5": weights})
    with pytest.raises(ValueError, match="a link to another place"):
        load_model(tmp_path / "m.keras")
    loop = hdf5(lambda f: [f["layers"].create_group("a"), f["layers/a"].__setitem__("again", f["layers/a"])])
    (tmp_path / "m.weights.h5").write_bytes(loop)
    with pytest.raises(ValueError, match="a link to another place"):
        mlp(layers, models).load_weights(tmp_path / "m.weights.h5")


def test_h5py_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"reading Keras files needs h5py: pip install 'pylearn\[keras\]'"):
        load_model(GOLDEN / "mlp.keras")


def test_numbered_arrays(tmp_path):
    model, other = mlp(layers, models), mlp(layers, models)
    np.savez(tmp_path / "w.npz", *model.get_weights())
    other.load_weights(tmp_path / "w.npz")
    assert np.array_equal(model.predict(inputs(mlp)), other.predict(inputs(mlp)))
    np.savez(tmp_path / "w.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not numbered"):
        other.load_weights(tmp_path / "w.npz")
    np.savez(tmp_path / "w.npz", *[np.array([{}], dtype=object)])
    with pytest.raises(ValueError, match="allow_pickle"):
        other.load_weights(tmp_path / "w.npz")
    with pytest.raises(ValueError, match="without names"):
        np.savez(tmp_path / "w.npz", *model.get_weights())
        other.load_weights(tmp_path / "w.npz", by_name=True)
