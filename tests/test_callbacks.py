"""Callbacks: hooks in order, Keras' patience, best weights, files."""

import csv
import itertools
import json
import math
import os

import numpy as np
import pytest

import pylearn
from pylearn import callbacks
from pylearn.callbacks import (
    BackupAndRestore,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    WandbCallback,
)  # fmt: skip
from pylearn.layers import Dense, Dropout
from pylearn.models import Sequential, load_model
from pylearn.optimizers import SGD, Adam
from pylearn.utils import set_random_seed

RNG = np.random.RandomState(0)
X, Y = RNG.rand(40, 3).astype("float32"), RNG.rand(40).astype("float32")


def make(rate=0.1, metrics=None):
    set_random_seed(0)
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile(SGD(rate), "mse", metrics=metrics)
    return model


class Script(callbacks.Callback):
    """Replaces the validation loss by a written list, and moves the weights so that epochs can be told apart."""

    def __init__(self, values, name="val_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def run(values, *others, name="val_loss", model=None):
    model = model or make()
    return model, model.fit(X, Y, epochs=len(values), verbose=0, callbacks=[Script(values, name), *others])


def test_hooks_in_order():
    calls = []

    class Spy(callbacks.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                calls.append(name)
            return super().__getattribute__(name)

        def on_train_batch_end(self, batch, logs=None):
            assert set(logs) == {"loss"}

        def on_batch_begin(self, batch, logs=None):
            calls.append("batch begins")

    spy = Spy()
    make().fit(X, Y, batch_size=20, validation_data=(X, Y), verbose=0, callbacks=[spy])
    names = ("train_begin", "epoch_begin", "test_begin", "test_end", "epoch_end", "train_end")
    first = [calls.index(f"on_{name}") for name in names]
    assert first == sorted(first)
    assert calls.count("batch begins") == 2 and spy.params == {"epochs": 1, "steps": 2, "verbose": 0}
    assert isinstance(spy.model, Sequential)


def test_batch_hooks_see_running_logs_and_can_stop():
    seen = []
    stop = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    model = make()
    model.fit(X, Y, batch_size=10, epochs=2, verbose=0, callbacks=[stop])
    assert [b for b, _ in seen] == [0, 1, 2, 3] * 2 and len({v for _, v in seen}) == 8

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model = make()
    assert model.fit(X, Y, batch_size=10, epochs=5, verbose=0, callbacks=[Stop()]).epoch == [0]
    assert model.optimizer.iterations == 2
    outputs = []
    model.predict(
        X,
        batch_size=10,
        callbacks=[LambdaCallback(on_predict_batch_end=lambda b, logs: outputs.append(logs))],
    )
    assert len(outputs) == 4 and outputs[0]["outputs"].shape == (10, 1)


def test_any_object_with_hooks_is_a_callback():
    class Duck:
        n = 0

        def on_epoch_end(self, epoch, logs):
            self.n += 1

    duck = Duck()
    make().fit(X, Y, epochs=3, verbose=0, callbacks=duck)
    assert duck.n == 3


@pytest.mark.parametrize(
    "values, kwargs, epochs",
    [
        ([5, 4, 3, 2, 1], {"patience": 0}, 5),
        ([5, 4, 4, 4, 4], {"patience": 0}, 3),
        ([5, 4, 4, 4, 3], {"patience": 2}, 4),
        ([5, 4, 4, 3, 3, 3, 3], {"patience": 2}, 6),
        ([5, 4.95, 4.9, 4.85], {"patience": 2, "min_delta": 0.5}, 3),
        ([5, 4, 3, 3, 3], {"patience": 1, "baseline": 2}, 4),
        ([1, 2, 3, 4, 5], {"patience": 1, "mode": "max"}, 5),
        ([5, 4, 3, 2, 1], {"patience": 1, "mode": "max"}, 2),
        ([1, 9, 9, 9, 9, 9], {"patience": 1, "start_from_epoch": 3}, 5),
    ],
)
def test_early_stopping_has_keras_patience(values, kwargs, epochs):
    _, history = run(values, EarlyStopping(**kwargs))
    assert len(history.epoch) == epochs


def test_early_stopping_restores_the_best_weights_bit_for_bit():
    model, kept = make(), {}
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()}))
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    run([5, 4, 3, 4, 4, 4], keep, stop, model=model)
    assert stop.best_epoch == 2 and stop.stopped_epoch == 4
    assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), kept[2]))
    model, kept = make(), {}
    run([1, 5, 5], keep, EarlyStopping(patience=9, restore_best_weights=True), model=model)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), kept[0]))


def test_monitoring_what_is_not_there_warns_once_and_accuracy_grows():
    with pytest.warns(UserWarning, match="watches 'val_los', which is not among loss") as caught:
        make().fit(X, Y, epochs=3, verbose=0, callbacks=[EarlyStopping("val_los")])
    assert len(caught) == 1
    _, history = run([0.1, 0.2, 0.3, 0.2], EarlyStopping("val_accuracy"), name="val_accuracy")
    assert len(history.epoch) == 4
    with pytest.raises(ValueError, match="mode"):
        EarlyStopping(mode="big")
    with pytest.raises(TypeError, match="did you mean 'patience'"):
        EarlyStopping(patiece=3)


def test_checkpoint(tmp_path):
    path = tmp_path / "sub" / "m-{epoch:02d}-{val_loss:.1f}.pylearn"
    run([5.0, 4.0, 6.0], ModelCheckpoint(path, save_best_only=True, verbose=1))
    assert sorted(p.name for p in path.parent.iterdir()) == ["m-01-5.0.pylearn", "m-02-4.0.pylearn"]
    model, _ = run([5.0, 4.0, 6.0], ModelCheckpoint(tmp_path / "last.pylearn"))
    assert np.array_equal(load_model(tmp_path / "last.pylearn").predict(X), model.predict(X))
    run([5.0], ModelCheckpoint(tmp_path / "w.pylearn", save_weights_only=True))
    make().load_weights(tmp_path / "w.pylearn")
    make().fit(
        X,
        Y,
        batch_size=4,
        verbose=0,
        callbacks=[ModelCheckpoint(tmp_path / "b-{loss:.3f}.pylearn", save_freq=5)],
    )
    assert len(list(tmp_path.glob("b-*.pylearn"))) == 2
    with pytest.raises(ValueError, match="'acc'"):
        run([5.0], ModelCheckpoint(tmp_path / "{acc}.pylearn"))
    with pytest.raises(ValueError, match="save_freq"):
        ModelCheckpoint("x", save_freq="batch")


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    _, history = run([3.0, 2.0], CSVLogger(path))
    rows = list(csv.DictReader(path.open()))
    assert [r["epoch"] for r in rows] == ["0", "1"]
    assert [float(r["loss"]) for r in rows] == history.history["loss"]
    run([1.0], CSVLogger(path, append=True))
    assert len(path.read_text().splitlines()) == 4
    run([1.0], CSVLogger(path, separator=";"))
    assert path.read_text().splitlines()[0] == "epoch;loss;val_loss"


def test_learning_rates():
    _, history = run([1.0] * 4, LearningRateScheduler(lambda epoch, rate: rate * 0.5))
    assert history.history["loss"] and make().optimizer.learning_rate == 0.1
    rates = []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"]))
    run([1.0] * 4, LearningRateScheduler(lambda epoch: 1.0 / (1 + epoch)), see)
    assert rates == [1.0, 0.5, 1 / 3, 0.25]
    with pytest.raises(ValueError, match="must return a number"):
        run([1.0], LearningRateScheduler(lambda epoch, rate: "slow"))
    with pytest.raises(TypeError):
        LearningRateScheduler(0.1)


def test_reduce_on_plateau():
    model = make(rate=1.0)
    reduce = ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.2, min_delta=0)
    rates = []
    see = LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(model.optimizer.learning_rate))
    run([5, 5, 5, 5, 5, 1, 1, 1, 1, 1, 1], reduce, see, model=model)
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]
    cooled = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2, min_delta=0)
    model = make(rate=1.0)
    rates.clear()
    run([5] * 7, cooled, see, model=model)
    assert rates == [1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=1.5)


def test_lambda_callback_knows_its_hooks():
    with pytest.raises(TypeError, match="did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


def test_history_plots(tmp_path):
    pytest.importorskip("matplotlib")
    _, history = run([3.0, 2.0])
    history.plot(tmp_path / "h.png")
    assert (tmp_path / "h.png").stat().st_size > 1000


def test_wandb_callback_writes_a_local_record(tmp_path, monkeypatch):
    monkeypatch.setenv("PYLEARN_RUNS", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)  # as if it were not installed
    images, labels = RNG.rand(50, 6, 6), RNG.randint(0, 3, 50)
    model = Sequential([pylearn.layers.Flatten(input_shape=(6, 6)), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    callback = WandbCallback(data_type="image", labels=["a", "b", "c"], log_weights=True)
    model.fit(images, labels, epochs=3, validation_data=(images, labels), verbose=0, callbacks=[callback])
    (folder,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(lines[0])
    assert len(lines[-1]["examples"]) == 36
    assert lines[-1]["examples"][0]["label"] == "abc"[labels[0]]
    guess = model.predict(images[:36]).argmax(1)
    assert [e["prediction"] for e in lines[-1]["examples"]] == ["abc"[k] for k in guess]
    assert (folder / "model-best.pylearn").exists() and json.loads((folder / "summary.json").read_text())[
        "epoch"
    ] == 2
    model.fit(images, labels, verbose=0, callbacks=[WandbCallback(save_model=False)])
    assert len(list(tmp_path.iterdir())) == 2 and len(list(tmp_path.rglob("*.pylearn"))) == 1


def test_wandb_callback_takes_the_whole_legacy_signature():
    WandbCallback(
        monitor="val_loss", verbose=0, mode="auto", save_weights_only=False, log_weights=False, log_gradients=False,
        save_model=True, training_data=None, validation_data=None, labels=None, predictions=36, generator=None,
        input_type=None, output_type=None, log_evaluation=False, validation_steps=None, class_colors=None,
        log_batch_frequency=None, log_best_prefix="best_", save_graph=True, validation_indexes=None,
        validation_row_processor=None, prediction_row_processor=None, infer_missing_processors=True,
        log_evaluation_frequency=0, compute_flops=False,
    )  # fmt: skip
    with pytest.raises(TypeError, match="did you mean 'data_type'"):
        WandbCallback(datatype="image")


def test_wandb_callback_uses_wandb_where_it_is(monkeypatch, tmp_path):
    logged = []

    class Run:
        dir = str(tmp_path)

        def log(self, values):
            logged.append(values)

        def finish(self):
            logged.append("finished")

    class Wandb:
        run = None

        @staticmethod
        def init(**kwargs):
            assert kwargs["mode"] == "offline"
            return Run()

        class Image:
            def __init__(self, data, caption):
                self.data, self.caption = data, caption

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "wandb", Wandb)
    callback = WandbCallback(input_type="image", save_model=False)
    make().fit(X, Y, epochs=2, validation_split=0.5, verbose=0, callbacks=[callback])
    assert len(logged) == 3 and logged[-1] == "finished" and len(logged[0]["examples"]) == 20
    Wandb.run = Run()  # the caller's own run is used, and left open
    logged.clear()
    make().fit(X, Y, verbose=0, callbacks=[WandbCallback(save_model=False)])
    assert len(logged) == 1


def test_terminate_on_nan_says_so(capsys):
    x = X.copy()
    x[0] = math.nan
    history = make().fit(x, Y, epochs=3, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1 and "the loss is nan" in capsys.readouterr().out


class Killed(Exception):
    pass


@pytest.mark.parametrize("built", [False, True])
def test_a_backup_goes_on_with_the_same_bits(tmp_path, built):
    def model():
        set_random_seed(0)
        made = Sequential([Dense(4, activation="relu", input_shape=(3,)), Dropout(0.3), Dense(1)])
        made.compile(Adam(0.01), "mse")
        return made

    def kill(epoch, logs):
        if epoch == 3:
            raise Killed

    whole = model()
    history = whole.fit(X, Y, epochs=6, batch_size=8, verbose=0).history
    killed = model()
    with pytest.raises(Killed):
        killed.fit(X, Y, epochs=6, batch_size=8, verbose=0,
                   callbacks=[LambdaCallback(on_epoch_begin=kill), BackupAndRestore(tmp_path / "b")])  # fmt: skip
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["epoch_3.pylearn"]
    again = model()
    if built:
        again.fit(X, Y, verbose=0)
    rest = again.fit(X, Y, epochs=6, batch_size=8, verbose=0, callbacks=[BackupAndRestore(tmp_path / "b")])
    assert rest.epoch == [3, 4, 5] and rest.history["loss"] == history["loss"][3:]
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))
    assert not list((tmp_path / "b").iterdir())
    done = again.fit(
        X, Y, epochs=1, verbose=0, callbacks=[BackupAndRestore(tmp_path / "b", delete_checkpoint=False)]
    )
    assert done.epoch == [0] and len(list((tmp_path / "b").iterdir())) == 1


def test_a_hook_per_batch_leaves_the_steps_recorded():
    seen = []
    model = make(metrics=["mae"])
    hook = LambdaCallback(
        on_train_batch_begin=lambda batch, logs: None,
        on_train_batch_end=lambda batch, logs: seen.append(logs),
    )
    model.fit(X, Y, epochs=3, batch_size=8, verbose=0, callbacks=[hook])
    assert any(step.plan is not None for _, step in model._steps)
    assert all(set(logs) == {"loss", "mae"} for logs in seen) and len({logs["loss"] for logs in seen}) > 1


@pytest.mark.slow
def test_early_stopping_stops_where_keras_does():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    rng = np.random.RandomState(0)
    scripts = [list(np.round(rng.rand(12), 1)) for _ in range(40)]
    names = ("patience", "min_delta", "mode", "baseline", "start_from_epoch")
    values = itertools.product((0, 1, 3), (0.0, 0.25), ("min", "max"), (None, 0.3), (0, 2))
    settings = [dict(zip(names, chosen, strict=True)) for chosen in values]

    class Bare:
        stop_training = False

        def get_weights(self):
            return []

        def set_weights(self, weights):
            pass

    def stops(callback, values):
        callback.set_model(Bare())
        callback.on_train_begin()
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"val_loss": value})
            if callback.model.stop_training:
                return epoch
        return None

    for values in scripts:
        for kwargs in settings:
            theirs = stops(keras.callbacks.EarlyStopping("val_loss", **kwargs), values)
            assert stops(EarlyStopping("val_loss", **kwargs), values) == theirs, (values, kwargs)


def test_every_callback_is_public():
    for cls in callbacks.ALL:
        assert getattr(callbacks, cls.__name__) is cls and issubclass(cls, callbacks.Callback)
