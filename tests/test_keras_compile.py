"""Compile settings in Keras' files: made by hand, and by Keras itself where it is installed."""

import importlib.util
import zipfile

import numpy as np
import pytest
from test_keras_files import GOLDEN, changed, close, graph, inputs, mlp, outputs, run_with_keras

import pylearn
from pylearn import layers, losses, metrics, models, optimizers, schedules
from pylearn.models import load_model
from pylearn.utils import set_random_seed


def compiled(path, config, name="mlp"):
    """A file of Keras with these compile settings."""
    with zipfile.ZipFile(GOLDEN / f"{name}.keras") as archive:
        parts = {member: archive.read(member) for member in archive.namelist()}
    return changed(parts, path, lambda c: c.update(compile_config=config))


def spec(class_name, module="keras.losses", /, **config):
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


SGD = spec("SGD", "keras.optimizers", name="sgd", learning_rate=0.05000000074505806, momentum=0.9, nesterov=True,
           weight_decay=1e-4, clipnorm=1.0, loss_scale_factor=None, ema_momentum=0.99)  # fmt: skip


def settings_of(model):
    compiled = model._compiled
    return compiled.optimizer, compiled.loss, compiled.metrics


@pytest.mark.filterwarnings("error")
def test_compile_settings(tmp_path):
    path = tmp_path / "m.keras"
    smooth = spec("CategoricalCrossentropy", label_smoothing=0.1, axis=-1, reduction="sum_over_batch_size",
                  name="categorical_crossentropy", from_logits=False)  # fmt: skip
    acc = spec("CategoricalAccuracy", "keras.metrics", name="acc", dtype="float32")
    config = {"optimizer": SGD, "loss": smooth, "metrics": [acc, "mse"], "loss_weights": None, "run_eagerly": False,
              "weighted_metrics": None, "jit_compile": True, "steps_per_execution": 1}  # fmt: skip
    model = load_model(compiled(path, config))
    optimizer, loss, _ = settings_of(model)
    assert type(optimizer) is optimizers.SGD and optimizer.learning_rate == 0.05
    assert (optimizer.momentum, optimizer.nesterov, optimizer.weight_decay, optimizer.clipnorm) == (
        0.9,
        True,
        1e-4,
        1,
    )
    assert type(loss) is losses.CategoricalCrossentropy and loss.label_smoothing == 0.1
    other = load_model(path, compile=False)
    assert other._compiled is None
    other.compile(optimizers.SGD(0.05, 0.9, True, 1e-4, clipnorm=1.0), losses.CategoricalCrossentropy(False, 0.1),
                  metrics=[metrics.CategoricalAccuracy(name="acc"), "mse"])  # fmt: skip
    histories = []
    for one in (model, other):
        set_random_seed(0)
        histories.append(one.fit(inputs(mlp), np.eye(3)[np.arange(9) % 3], epochs=3, verbose=0).history)
    assert histories[0] == histories[1] and list(histories[0]) == ["loss", "acc", "mse"]


@pytest.mark.filterwarnings("error")
def test_compile_settings_by_name_by_output_and_with_a_schedule(tmp_path):
    path = tmp_path / "m.keras"
    decay = spec("ExponentialDecay", "keras.optimizers.schedules", initial_learning_rate=0.01, decay_steps=10,
                 decay_rate=0.5, staircase=False, name="ExponentialDecay")  # fmt: skip
    adam = spec("Adam", "keras.src.backend.torch.optimizers.torch_adam", learning_rate=decay, amsgrad=False)
    function = spec("function", "keras.losses")
    function["config"] = "sparse_categorical_crossentropy"
    for loss in ("sparse_categorical_crossentropy", function, {"head": function}, [function]):
        config = {
            "optimizer": adam,
            "loss": loss,
            "metrics": ["accuracy"],
            "weighted_metrics": ["accuracy"][:0],
        }
        model = load_model(compiled(path, config))
        logs = model.fit(inputs(mlp), np.arange(9) % 3, batch_size=3, epochs=2, verbose=0).history
        assert list(logs) == ["loss", "accuracy"]
        assert model.optimizer.iterations == 6 and model.optimizer.learning_rate == pytest.approx(
            0.01 * 0.5**0.6
        )
    model = load_model(GOLDEN / "graph.keras")
    assert model._compiled is None  # nor was it when it was written
    score, other = model.output_names()
    config = {"optimizer": "rmsprop", "loss": {score: "mse", other: "sparse_categorical_crossentropy"},
              "loss_weights": {score: 0.5, other: 1.0}, "metrics": {score: ["mae"], other: ["accuracy"]}}  # fmt: skip
    model = load_model(compiled(path, config, "graph"))
    logs = model.fit(inputs(graph), [np.ones(9), np.arange(9) % 3], verbose=0).history
    assert logs["loss"][0] == pytest.approx(
        0.5 * logs[f"{score}_loss"][0] + logs[f"{other}_loss"][0], rel=1e-5
    )
    assert f"{score}_mae" in logs and f"{other}_accuracy" in logs


def test_compile_settings_of_your_own(tmp_path):
    def far(y_true, y_pred):
        return pylearn.ops.mean(pylearn.ops.abs(y_true - y_pred), axis=-1) * 3.0

    class Twice(losses.Loss):
        def __init__(self, by=1.0, **kwargs):
            super().__init__(**kwargs)
            self.by = by

        def call(self, y_true, y_pred):
            return far(y_true, y_pred) * self.by

    path = tmp_path / "m.keras"
    function = spec("function", "builtins")
    function["config"] = "far"
    for loss, by in (
        (function, 1.0),
        ({**spec("Twice", "shapes", by=2.0), "registered_name": "mine>Twice"}, 2.0),
    ):
        config = {"optimizer": "sgd", "loss": loss, "metrics": None}
        compiled(path, config)
        with pytest.warns(
            UserWarning, match=r"not compiled \(.*(unknown loss 'far'|loss 'Twice' is not Keras' own)"
        ) as seen:
            assert load_model(path)._compiled is None
        assert len(seen) == 1
        model = load_model(path, custom_objects=[far, Twice])
        y = np.eye(3)[np.arange(9) % 3]
        want = 3.0 * by * np.abs(y - model.predict(inputs(mlp))).mean() + sum(map(float, model.losses))
        assert model.evaluate(inputs(mlp), y, verbose=0) == pytest.approx(want, rel=1e-5)


def test_compile_settings_that_are_not_known(tmp_path):
    path = tmp_path / "m.keras"
    good = {"optimizer": SGD, "loss": "mse", "metrics": ["mae"]}
    function = {**spec("function", "os"), "config": "system"}
    for more, message in [
        ({"optimizer": spec("Ftrl", "keras.optimizers")}, "optimizer: unknown optimizer 'Ftrl'"),
        ({"optimizer": spec("SGD", "keras.optimizers", learning_rate="fast")}, "optimizer: "),
        ({"optimizer": spec("SGD", "keras.optimizers", learning_rate=-1.0)}, "learning_rate"),
        ({"optimizer": spec("Adam", "keras.optimizers", beta_9=0.5)}, "beta_9=0.5 of Adam is not supported"),
        ({"optimizer": spec("Adam", "keras", learning_rate=spec("Wave", "keras"))}, "unknown schedule 'Wave'"),
        ({"optimizer": None}, "optimizer"),
        ({"loss": "msee"}, "unknown loss 'msee'"),
        ({"loss": function}, "unknown loss 'system'"),
        ({"loss": 3}, "a loss must be"),
        ({"metrics": ["acuracy"]}, "unknown metric 'acuracy'"),
        ({"metrics": [spec("IoU", "keras.metrics", target_class_ids=[1])]}, "unknown metric 'IoU'"),
        ({"loss_weights": "much"}, "loss_weights must be numbers"),
        ({"loss": spec("Wing"), "metrics": [spec("Odd", "keras")]}, "unknown loss 'Wing'.*unknown metric 'Odd'"),
    ]:  # fmt: skip
        compiled(path, {**good, **more})
        with pytest.warns(UserWarning, match=rf"m\.keras: the model is not compiled \(.*{message}") as seen:
            model = load_model(path)
        assert model._compiled is None and len(seen) == 1
        close(model.predict(inputs(mlp)), outputs(GOLDEN / "mlp.outputs.npz"))
    for config in ([1], "adam", 3):
        compiled(path, config)
        with pytest.warns(UserWarning, match="its settings are no dict"):
            load_model(path)


COMPILE = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
import keras
sys.path.insert(0, sys.argv[1])
import test_keras_compile as t

for name, arguments in t.compilings(keras).items():
    model = t.mlp(keras.layers, keras)
    model.compile(**arguments)
    for suffix in (".keras", ".h5"):
        model.save(os.path.join(sys.argv[2], name + suffix))
"""


def compilings(K):
    """The same words in Keras and here."""
    Op, Lo, M = K.optimizers, K.losses, K.metrics
    decay = getattr(Op, "schedules", None) or schedules
    return {
        "names": {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
        "objects": {"optimizer": Op.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0, weight_decay=1e-4),
                    "loss": Lo.SparseCategoricalCrossentropy(from_logits=True),
                    "metrics": [M.SparseCategoricalAccuracy(name="acc"), M.SparseTopKCategoricalAccuracy(2)]},
        "schedule": {"optimizer": Op.AdamW(decay.CosineDecay(0.01, 100, alpha=0.1), use_ema=True),
                     "loss": Lo.CategoricalCrossentropy(label_smoothing=0.1), "weighted_metrics": ["accuracy"]},
        "functions": {"optimizer": Op.RMSprop(0.3, rho=0.8), "loss": Lo.mean_squared_error,
                      "metrics": [M.MeanAbsoluteError(), M.AUC()]},
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_compile_settings_are_keras(tmp_path):
    if not all(map(importlib.util.find_spec, ("keras", "torch"))):
        pytest.skip("keras, or torch for its backend, is not installed")
    run_with_keras(COMPILE, tmp_path)
    for name, arguments in compilings(pylearn).items():
        want = mlp(layers, models)
        want.compile(**arguments)
        for suffix in (".keras", ".h5"):
            model = load_model(tmp_path / f"{name}{suffix}")
            optimizer, other = (pylearn.registry.serialize(m.optimizer)["config"] for m in (model, want))
            assert {**optimizer, "name": ""} == {**other, "name": ""}
            assert losses.serialize(model._compiled.loss) == losses.serialize(want._compiled.loss)
            want.set_weights(model.get_weights())
            y = np.arange(9) % 3 if "sparse" in want._compiled.loss.name else np.eye(3)[np.arange(9) % 3]
            found, expected = (m.evaluate(inputs(mlp), y, verbose=0, return_dict=True) for m in (model, want))
            assert list(found) == list(expected) and all(np.isfinite(list(found.values())))
            np.testing.assert_allclose(
                list(found.values()), list(expected.values()), atol=0.02
            )  # AUC: by thresholds
