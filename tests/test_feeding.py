"""Generators and arrays in files: fed by a thread, which is gone afterwards whatever happens."""

import threading
import time

import numpy as np
import pytest

import pylearn
from pylearn.layers import Dense, Flatten
from pylearn.models import Sequential
from pylearn.utils import set_random_seed

RNG = np.random.RandomState(0)
X = RNG.rand(70, 4).astype("float32")
Y = (X @ [1, -2, 3, 0.5] + 0.1).astype("float32")


def make(shape=(4,), metrics=None):
    set_random_seed(0)
    model = Sequential([Flatten(input_shape=shape), Dense(1)])
    model.compile("sgd", "mse", metrics=metrics)
    return model


def feeding():
    return [t for t in threading.enumerate() if t.name == "pylearn-prefetch"]


def same(a, b):
    return all(np.array_equal(u, v) for u, v in zip(a.get_weights(), b.get_weights(), strict=True))


def batches(n=4, then=None):
    for i in range(n):
        yield X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]
    if then is not None:
        raise then


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not feeding()


@pytest.mark.parametrize("size", [0, 1, 10])
def test_a_queue_changes_nothing(size):
    want = make()
    want.fit(X[:64], Y[:64], batch_size=16, shuffle=False, epochs=2, verbose=0)
    model = make()

    def endless():
        while True:
            yield from batches()

    model.fit(endless(), steps_per_epoch=4, epochs=2, verbose=0, max_queue_size=size)
    assert same(model, want)


def test_an_iterator_goes_on_where_it_was():
    taken = []

    def counting():
        for i in range(100):
            taken.append(i)
            yield X[:8], Y[:8]

    stream = counting()
    model = make()
    model.fit(stream, steps_per_epoch=5, epochs=2, verbose=0)
    assert taken == list(range(10))  # not one more than was trained on
    model.fit(stream, steps_per_epoch=5, verbose=0)
    assert taken == list(range(15))


class Boom(Exception):
    pass


@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.parametrize("what", ["fit", "evaluate", "predict", "validation"])
def test_an_exception_of_the_generator_reaches_the_caller(what, size):
    model = make()
    with pytest.raises(Boom, match="row 12 is missing") as error:
        if what == "validation":
            model.fit(
                X, Y, validation_data=batches(2, Boom("row 12 is missing")), verbose=0, max_queue_size=size
            )
        else:
            getattr(model, what)(batches(2, Boom("row 12 is missing")), verbose=0, max_queue_size=size)
    assert any(
        entry.name == "batches" for entry in error.traceback
    )  # the user's own frame is in the traceback


def test_exceptions_in_a_callback_or_a_step_end_the_thread():
    class Stop(pylearn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert feeding()
            raise KeyboardInterrupt

    def endless():
        while True:
            yield from batches()

    with pytest.raises(KeyboardInterrupt):
        make().fit(endless(), steps_per_epoch=100, verbose=0, callbacks=[Stop()])
    assert not feeding()
    with pytest.raises(ValueError, match="rows of shape"):
        make().fit(((X[:, :3], Y) for _ in range(9)), verbose=0)
    assert not feeding()

    class Quits(pylearn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    make().fit(endless(), steps_per_epoch=100, verbose=0, callbacks=[Quits()])


def test_ctrl_c_while_the_generator_sleeps():
    import _thread

    def slow():
        while True:
            time.sleep(0.05)
            yield X[:8], Y[:8]

    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        make().fit(slow(), steps_per_epoch=10_000, verbose=0)
    timer.join()


def test_making_batches_overlaps_with_training():
    class Slow(pylearn.callbacks.Callback):  # stands for a step that takes 10 ms and lets other threads run
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.01)

    def slow(n):
        for _ in range(n):
            time.sleep(0.01)
            yield X[:8], Y[:8]

    def seconds(size):
        model = make()
        start = time.perf_counter()
        model.fit(slow(30), verbose=0, callbacks=[Slow()], max_queue_size=size)
        return time.perf_counter() - start

    assert min(seconds(10) for _ in range(3)) < 0.8 * min(seconds(0) for _ in range(3))


# -- arrays in files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16", "float16", ">f4"])
@pytest.mark.parametrize("size", [0, 10])
@pytest.mark.filterwarnings("ignore:x holds whole numbers")
def test_mapped_arrays_train_as_arrays_in_memory(tmp_path, dtype, size):
    x = (X * 3).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", Y)
    mapped, targets = np.load(tmp_path / "x.npy", mmap_mode="r"), np.load(tmp_path / "y.npy", mmap_mode="r")
    kwargs = {"batch_size": 16, "epochs": 3, "verbose": 0}
    want = make(metrics=["mae"])
    a = want.fit(x, Y, validation_split=0.2, **kwargs).history
    model = make(metrics=["mae"])
    b = model.fit(mapped, targets, validation_split=0.2, max_queue_size=size, **kwargs).history
    assert same(want, model) and a == b
    assert model.evaluate(mapped, targets, verbose=0) == want.evaluate(x, Y, verbose=0)
    assert np.array_equal(model.predict(mapped, batch_size=16), want.predict(x, batch_size=16))
    assert np.array_equal(model.predict(mapped[5:40]), want.predict(x[5:40]))


def test_mapped_arrays_name_their_rows(tmp_path):
    x = X.copy()
    x[41] = np.nan
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(FloatingPointError, match="x is not finite in row 41"):
        make().fit(mapped, Y, batch_size=16, verbose=0)


@pytest.mark.slow
def test_mapped_arrays_stay_in_their_files(tmp_path):
    """Private memory (what is not file pages) grows by far less than the 200 MB of the data."""

    def private():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

    rows = 50_000
    for dtype in ("float32", "int16"):
        mapped = np.lib.format.open_memmap(tmp_path / f"{dtype}.npy", "w+", dtype, (rows, 1000))
        mapped[:] = 0
        mapped.flush()
        mapped = np.load(tmp_path / f"{dtype}.npy", mmap_mode="r")
        y = np.zeros(rows, "float32")
        model = make((1000,))
        model.fit(mapped[:256], y[:256], verbose=0, batch_size=256)
        before = private()
        model.fit(mapped, y, verbose=0, batch_size=256)
        model.predict(mapped)
        model.evaluate(mapped, y, verbose=0)
        assert private() - before < 40
