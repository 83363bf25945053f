"""The loop: data in every form, validation, weights, verbosity, non-finite numbers, gradients."""

import itertools

import numpy as np
import pytest
import scipy.sparse

import pylearn
from pylearn import layers
from pylearn.layers import Dense, Flatten, Input
from pylearn.models import Model, Sequential
from pylearn.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, RMSprop
from pylearn.utils import set_random_seed

RNG = np.random.RandomState(0)
X = RNG.rand(70, 4).astype("float32")
Y = (X @ [1, -2, 3, 0.5] + 0.1).astype("float32")
C = (Y.mean() < Y).astype(int) + (np.quantile(Y, 0.8) < Y)


def regression(optimizer="sgd", metrics=None, **kwargs):
    set_random_seed(0)
    model = Sequential([Dense(1, input_shape=(4,), **kwargs)])
    model.compile(optimizer, "mse", metrics=metrics)
    return model


def classifier(optimizer="adam", **kwargs):
    set_random_seed(0)
    model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **kwargs)
    return model


def weights_after(x, y=None, model=None, **kwargs):
    model = model or regression()
    model.fit(x, y, verbose=0, **{"epochs": 3, "batch_size": 16, **kwargs})
    return model.get_weights()


def same(a, b):
    return all(np.array_equal(u, v) for u, v in zip(a, b))


# -- forms of data --------------------------------------------------------------------------------


def test_every_form_of_data_gives_the_same_weights(tmp_path):
    import pandas

    want = weights_after(X, Y)
    np.save(tmp_path / "x.npy", X)
    forms = {
        "float64": (X.astype("float64"), Y.astype("float64")),
        "lists": (X.tolist(), Y.tolist()),
        "tensors": (pylearn.asarray(X), pylearn.asarray(Y)),
        "column": (X, Y[:, None]),
        "frame": (pandas.DataFrame(X, columns=list("abcd")), pandas.Series(Y)),
        "one in a list": ([X], [Y]),
        "fortran": (np.asfortranarray(X), Y),
        "strided": (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2)[::2]),
        "memory map": (np.load(tmp_path / "x.npy", mmap_mode="r"), Y),
        "big endian": (X.astype(">f4"), Y.astype(">f8")),
        "read only": (np.frombuffer(X.tobytes(), "float32").reshape(X.shape), Y),
    }
    for name, (x, y) in forms.items():
        assert same(weights_after(x, y), want), name


def test_whole_numbers_are_cast_in_the_gather_and_hinted_once():
    images = RNG.randint(0, 256, (40, 3, 3)).astype("uint8")
    y = np.arange(40) % 2

    def make():
        set_random_seed(0)
        model = Sequential([Flatten(input_shape=(3, 3)), Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    model = make()
    with pytest.warns(
        UserWarning, match=r"whole numbers up to 25\d; networks learn faster from x / 255.0"
    ) as caught:
        model.fit(images, y, verbose=0, epochs=2)
        model.fit(images, y, verbose=0)
    assert len(caught) == 1
    other = make()
    other.fit(images.astype("float32"), y, verbose=0, epochs=2)
    other.fit(images.astype("float32"), y, verbose=0)
    assert same(model.get_weights(), other.get_weights())


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint16", "int32", "int64", "float32", "float16", "bool"]
)
def test_labels_of_any_dtype(dtype):
    labels = (C > 0).astype(dtype)
    want = weights_after(X, (C > 0).astype("int64"), classifier())
    assert same(weights_after(X, labels, classifier()), want)


def test_csr_input_equals_dense():
    dense = np.where(X > 0.5, X, 0)
    a = weights_after(dense, Y)
    b = weights_after(scipy.sparse.csr_matrix(dense), Y)
    for u, v in zip(a, b):
        np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-6)
    model = regression()
    m = scipy.sparse.csr_matrix(dense)
    model.fit(m, Y, validation_split=0.2, verbose=0)
    np.testing.assert_allclose(model.predict(m), model.predict(dense), rtol=1e-5)
    assert np.isfinite(model.evaluate(m, Y, verbose=0))


def test_generators():
    want = weights_after(X[:64], Y[:64], shuffle=False, epochs=2)
    batches = [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 64, 16)]

    def endless():
        while True:
            yield from batches

    class Loader:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return batches[i]

    class Iterable:
        def __iter__(self):
            return iter(batches)

    for make, kwargs in [(endless, {"steps_per_epoch": 4}), (Loader, {}), (Iterable, {})]:
        assert same(weights_after(make(), epochs=2, batch_size=None, **kwargs), want)
    weighted = ((x, y, np.ones(16)) for x, y in batches)
    assert same(weights_after(weighted, epochs=1), weights_after(X[:64], Y[:64], shuffle=False, epochs=1))
    model = regression()
    model.fit(Iterable(), validation_data=Iterable(), verbose=0)
    np.testing.assert_allclose(
        model.evaluate(Iterable(), verbose=0), model.evaluate(X[:64], Y[:64], verbose=0), rtol=1e-6
    )
    np.testing.assert_allclose(model.predict((x for x, _ in batches)), model.predict(X[:64]), rtol=1e-6)
    with pytest.warns(UserWarning, match="ended after 4 of 9 batches"):
        model.fit(iter(batches), steps_per_epoch=9, epochs=3, verbose=0)
    with pytest.raises(ValueError, match="yielded no batch"):
        model.fit(iter([]), verbose=0)
    with pytest.raises(ValueError, match="y cannot be given with a generator"):
        model.fit(iter(batches), Y, verbose=0)
    with pytest.raises(ValueError, match="must yield x"):
        model.fit(iter([(1, 2, 3, 4)]), verbose=0)


def test_own_batches_of_torch():
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(X[:64]), torch.tensor(Y[:64])), 16
    )
    assert same(
        weights_after(loader, epochs=2, batch_size=None),
        weights_after(X[:64], Y[:64], shuffle=False, epochs=2),
    )


@pytest.mark.parametrize(
    "x, y, message",
    [
        (X[:10], Y[:9], "x has 10 rows, y 9"),
        (X[:0], Y[:0], "x is empty"),
        (X, None, "y is missing"),
        (None, Y, "x is None"),
        (X[:, :3], Y, r"rows are \(3,\), but the model takes rows of shape \(4,\)"),
        (X[..., None, None], Y, r"takes rows of shape \(4,\)"),
        (np.array(["a"] * 70), Y, "text"),
        (X, np.array(["cat"] * 70), "y holds text"),
        (X * 1j, Y, "complex"),
        ([[1, 2, 3, 4], [1, 2]], Y[:2], "different lengths"),
        (np.float32(1), Y, "single number"),
        (np.array([object()] * 70), Y, "objects"),
    ],
)
def test_data_errors_are_in_the_callers_terms(x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        regression().fit(x, y, verbose=0)


def test_frames_with_text_name_the_column():
    import pandas

    with pytest.raises(TypeError, match="column 'city'"):
        regression().fit(pandas.DataFrame({"a": [1.0], "city": ["Rome"]}), [1.0], verbose=0)


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"batch_size": 0}, "batch_size"), ({"batch_size": 2.5}, "batch_size"), ({"epochs": -1}, "epochs"),
        ({"validation_split": 1.5}, "validation_split"), ({"validation_split": 0.999}, "leaves nothing to train on"),
        ({"stratify": True}, "validation_split"), ({"sample_weight": np.ones(3)}, "x has 70 rows, sample_weight 3"),
        ({"sample_weight": np.full(70, np.nan)}, "sample_weight is not finite in row 0"),
        ({"on_nan": "no"}, "on_nan"), ({"verbose": 7}, "verbose"), ({"validation_data": X}, "validation_data"),
        ({"validation_data": (X, Y[:3])}, "rows"),
        ({"callbacks": pylearn.callbacks.EarlyStopping}, r"write EarlyStopping\(\)"),
        ({"batchsize": 3}, "did you mean 'batch_size'"),
    ],
)  # fmt: skip
def test_bad_arguments_of_fit(kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        regression().fit(X, Y, **{"verbose": 0, **kwargs})


# -- validation -----------------------------------------------------------------------------------


def test_validation_split_is_the_last_fraction_unshuffled():
    a = regression()
    h = a.fit(X, Y, validation_split=0.2, epochs=2, verbose=0).history
    b = regression()
    g = b.fit(X[:56], Y[:56], validation_data=(X[56:], Y[56:]), epochs=2, verbose=0).history
    assert h == g and same(a.get_weights(), b.get_weights())
    assert h["val_loss"][-1] == a.evaluate(X[56:], Y[56:], verbose=0)


def test_validation_split_of_sorted_targets_warns_and_stratify_helps():
    order = np.argsort(C, kind="stable")
    with pytest.warns(UserWarning, match="y is sorted"):
        classifier().fit(X[order], C[order], validation_split=0.2, verbose=0)
    model = classifier()
    seen = {}

    class Spy(pylearn.callbacks.Callback):
        def set_validation_data(self, x, y):
            seen["y"] = y

    model.fit(X[order], C[order], validation_split=0.2, stratify=True, verbose=0, callbacks=[Spy()])
    assert set(np.unique(seen["y"])) == set(np.unique(C))


@pytest.mark.filterwarnings("error")
def test_unsorted_targets_do_not_warn():
    classifier().fit(X, C, validation_split=0.2, verbose=0)


def test_validation_frequency_and_steps():
    h = regression().fit(X, Y, epochs=6, validation_data=(X, Y), validation_freq=2, verbose=0).history
    assert len(h["loss"]) == 6 and len(h["val_loss"]) == 3
    h = regression().fit(X, Y, epochs=6, validation_data=(X, Y), validation_freq=[1, 6], verbose=0).history
    assert len(h["val_loss"]) == 2
    model = regression()
    model.fit(X, Y, steps_per_epoch=2, validation_data=(X, Y), validation_steps=1, epochs=3, verbose=0)
    assert model.optimizer.iterations == 6


# -- numbers --------------------------------------------------------------------------------------


def test_one_epoch_of_single_rows_equals_the_loop_by_hand():
    X64, y64 = X.astype("float64"), Y.astype("float64")
    model = Sequential(
        [Dense(1, use_bias=False, kernel_initializer="zeros", dtype="float64", input_shape=(4,))]
    )
    model.compile(SGD(0.01), "mse")
    model.fit(X64, y64, batch_size=1, shuffle=False, verbose=0)
    params = np.zeros(4)
    for x, y in zip(X64, y64):
        params = params - 0.01 * 2 * (x @ params - y) * x
    np.testing.assert_allclose(model.get_weights()[0][:, 0], params, rtol=1e-6)


TWINS = [
    lambda p, torch: (SGD(0.05), torch.optim.SGD(p, 0.05)),
    lambda p, torch: (SGD(0.05, momentum=0.9), torch.optim.SGD(p, 0.05, momentum=0.9)),
    lambda p, torch: (SGD(0.05, momentum=0.9, nesterov=True), torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
    lambda p, torch: (Adam(0.01, epsilon=1e-12), torch.optim.Adam(p, 0.01, eps=1e-12)),
    lambda p, torch: (AdamW(0.01, weight_decay=0.1, epsilon=1e-12),
                      torch.optim.AdamW(p, 0.01, weight_decay=0.1, eps=1e-12)),
    # without epsilon, whose place differs
    lambda p, torch: (Adam(0.01, amsgrad=True, epsilon=1e-15), torch.optim.Adam(p, 0.01, amsgrad=True, eps=1e-15)),
    lambda p, torch: (RMSprop(0.002, epsilon=1e-30), torch.optim.RMSprop(p, 0.002, alpha=0.9, eps=1e-15)),
    lambda p, torch: (RMSprop(0.01, rho=0.8, momentum=0.9, epsilon=1e-30),
                      torch.optim.RMSprop(p, 0.01, alpha=0.8, momentum=0.9, eps=1e-15)),
    lambda p, torch: (Adagrad(0.05, epsilon=1e-30), torch.optim.Adagrad(p, 0.05, initial_accumulator_value=0.1, eps=0)),
    lambda p, torch: (Adadelta(1.0, rho=0.9, epsilon=1e-6), torch.optim.Adadelta(p, 1.0, rho=0.9, eps=1e-6)),
    lambda p, torch: (Adamax(0.01, epsilon=1e-15), torch.optim.Adamax(p, 0.01, eps=1e-15)),
    lambda p, torch: (Nadam(0.01, epsilon=1e-15), torch.optim.NAdam(p, 0.01, eps=1e-15, momentum_decay=1.0)),
]  # fmt: skip


@pytest.mark.parametrize("make", TWINS)
def test_trajectories_equal_torch(make):
    torch = pytest.importorskip("torch")
    model = Sequential(
        [Dense(5, activation="tanh", dtype="float64", input_shape=(4,)), Dense(1, dtype="float64")]
    )
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)).double()
    for weight, p in zip(model.get_weights(), net.parameters()):
        p.data = torch.tensor(weight.T.copy())
    mine, theirs = make(net.parameters(), torch)
    model.compile(mine, "mse")
    x, y = X.astype("float64"), Y.astype("float64")[:, None]
    for _ in range(100):
        model.train_on_batch(x, y)
        theirs.zero_grad()
        torch.nn.functional.mse_loss(net(torch.tensor(x)), torch.tensor(y)).backward()
        theirs.step()
    for weight, p in zip(model.get_weights(), net.parameters()):
        np.testing.assert_allclose(weight, p.detach().numpy().T, rtol=1e-8, atol=1e-10)


def test_every_optimizer_that_torch_has_too_is_compared_with_it():
    torch = pytest.importorskip("torch")
    compared = {type(make([torch.nn.Parameter(torch.zeros(1))], torch)[0]) for make in TWINS}
    theirs = {name.lower() for name in dir(torch.optim)}
    assert compared >= {rule for rule in pylearn.optimizers.ALL if rule.__name__.lower() in theirs}


def test_mlp_gradients_equal_torch():
    torch = pytest.importorskip("torch")
    model = Sequential([Dense(6, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
    loss = pylearn.losses.get("sparse_categorical_crossentropy")
    value, grads = pylearn.value_and_grad(lambda x, y: loss(y, model(x)), wrt=model.trainable_weights)(X, C)
    tensors = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    h = torch.relu(torch.tensor(X) @ tensors[0] + tensors[1])
    want = torch.nn.functional.cross_entropy(h @ tensors[2] + tensors[3], torch.tensor(C))
    want.backward()
    np.testing.assert_allclose(float(value), want.item(), rtol=1e-5)
    for g, t in zip(grads, tensors):
        np.testing.assert_allclose(g.numpy(), t.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_weights_of_rows_and_classes():
    doubled = np.concatenate([X, X[:35]]), np.concatenate([C, C[:35]])
    a = classifier("sgd")
    w = np.ones(70)
    w[:35] = 2
    a.fit(X, C, sample_weight=w * 70 / 105, batch_size=70, shuffle=False, verbose=0)
    b = classifier("sgd")
    b.fit(*doubled, batch_size=105, shuffle=False, verbose=0)
    for u, v in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-6)
    table = {0: 1.0, 1: 3.0, 2: 0.5}
    c = classifier("sgd")
    c.fit(X, C, class_weight=table, verbose=0)
    d = classifier("sgd")
    d.fit(X, C, sample_weight=np.array([table[k] for k in C]), verbose=0)
    assert same(c.get_weights(), d.get_weights())
    with pytest.raises(ValueError, match="no weight for class 2"):
        c.fit(X, C, class_weight={0: 1, 1: 1}, verbose=0)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        c.fit(X, C, sample_weight=np.ones((70, 2)), verbose=0)


def test_batch_functions():
    model = classifier()
    first = model.train_on_batch(X, C)
    assert len(first) == 2 and isinstance(first[0], float)
    for _ in range(20):
        last = model.train_on_batch(X, C, return_dict=True)
    assert last["loss"] < first[0] and model.optimizer.iterations == 21
    assert model.test_on_batch(X, C) == model.evaluate(X, C, batch_size=70, verbose=0)
    assert isinstance(regression().train_on_batch(X, Y), float)


def test_logs_are_means_over_rows():
    model = regression(SGD(0.0), metrics=["mae"])
    h = model.fit(X, Y, batch_size=32, epochs=4, verbose=0).history
    p = model.predict(X)[:, 0]
    np.testing.assert_allclose(h["loss"], np.mean((p - Y) ** 2), rtol=1e-6)
    np.testing.assert_allclose(h["mae"], np.mean(np.abs(p - Y)), rtol=1e-6)


def test_history():
    model = regression()
    history = model.fit(X, Y, epochs=5, initial_epoch=2, verbose=0)
    assert history is model.history and history.epoch == [2, 3, 4] and history.model is model
    assert len(history.history["loss"]) == 3
    assert model.fit(X, Y, epochs=0, verbose=0).history == {}


def test_first_layers_may_be_frozen_and_models_without_weights_run():
    model = classifier()
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    model.fit(X, C, epochs=3, verbose=0)
    assert same(before, model.layers[0].get_weights())
    slots = model.optimizer.state()
    model.layers[0].trainable = True
    model.fit(X, C, epochs=1, verbose=0)
    assert not same(before, model.layers[0].get_weights())
    assert model.optimizer.iterations == 12 and len(model.optimizer.state()) > len(slots)
    fixed = Sequential([Flatten(input_shape=(1,))])
    fixed.compile("sgd", "mse")
    assert np.isfinite(fixed.fit(np.ones(9), np.ones(9), epochs=3, verbose=0).history["loss"][0])


def test_a_loss_made_by_layers_needs_no_targets():
    class Pull(pylearn.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight("w", (shape[-1],), "zeros")

        def call(self, x):
            self.add_loss(pylearn.ops.mean(pylearn.ops.square(x - self.w)))
            return x

    model = Sequential([Input((4,)), Pull()])
    model.compile(SGD(0.5))
    history = model.fit(X, epochs=20, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], X.mean(0), atol=0.05)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert any(step.plan is not None for _, step in model._steps)
    assert np.isfinite(model.evaluate(X, verbose=0))


def test_learning_rate_schedule_is_followed():
    model = regression(SGD(pylearn.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.0])))
    weights = []
    for _ in range(8):
        model.train_on_batch(X, Y)
        weights.append(model.get_weights())
    assert not same(weights[3], weights[4]) and same(weights[4], weights[7])
    assert model.optimizer.learning_rate == 0.0


# -- what is not finite ---------------------------------------------------------------------------


def test_nan_in_a_row_is_named():
    x = X.copy()
    x[57, 2] = np.nan
    model = classifier()
    before = model.get_weights()
    with pytest.raises(
        FloatingPointError, match=r"epoch 1, batch 4: x is not finite in row 57.*layer 'dense"
    ) as error:
        model.fit(x, C, batch_size=16, epochs=3, verbose=0, shuffle=False)
    for _ in range(5):
        with pytest.raises(FloatingPointError, match="x is not finite in row 57"):
            model.fit(x, C, batch_size=16, epochs=3, verbose=0)
    assert "on_nan='stop'" in str(error.value)
    assert model.history.epoch == [] and not same(before, model.get_weights())
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_nan_later_keeps_the_history():
    x = X.copy()
    model = regression()

    class Poison(pylearn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 4:
                x[11] = np.inf

    with pytest.raises(FloatingPointError, match=r"epoch 5, batch 1: x is not finite in row 11"):
        model.fit(x, Y, batch_size=16, epochs=9, verbose=0, shuffle=False, callbacks=[Poison()])
    assert model.history.epoch == [0, 1, 2, 3] and len(model.history.history["loss"]) == 4


def test_nan_in_targets_and_exploding_layers_are_named():
    y = Y.copy()
    y[3] = np.nan
    with pytest.raises(FloatingPointError, match="y is not finite in row 3"):
        regression().fit(X, y, shuffle=False, verbose=0)

    class Log(pylearn.layers.Layer):
        def call(self, x):
            return pylearn.ops.log(x)

    x = X + 1
    x[20] = -1
    model = Sequential([Input((4,)), Log(name="log"), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(FloatingPointError, match="output of layer 'log' is not finite, first in row 20"):
        model.fit(x, Y, shuffle=False, verbose=0)
    exploding = Sequential([Dense(8, name="wide", input_shape=(4,)), Dense(1, name="last")])
    exploding.compile(SGD(1e18), "mse")
    with pytest.raises(FloatingPointError, match=r"layer '(wide|last)'"):
        exploding.fit(X, Y, epochs=20, verbose=0)


def test_on_nan():
    x = X.copy()
    x[5] = np.nan
    model = regression()
    history = model.fit(x, Y, epochs=5, batch_size=16, verbose=0, on_nan="stop")
    assert len(history.epoch) == 1 and np.isnan(history.history["loss"][0])
    model = regression()
    history = model.fit(x, Y, epochs=5, batch_size=16, verbose=0, on_nan="ignore")
    assert (
        len(history.epoch) == 5 and model.optimizer.skipped == 5 and np.isfinite(model.get_weights()[0]).all()
    )
    model = regression()
    history = model.fit(x, Y, epochs=5, verbose=0, callbacks=[pylearn.callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1
    with pytest.raises(FloatingPointError, match="this batch"):
        regression().train_on_batch(x, Y)


def test_nan_in_a_generator():
    batches = [(X[:16], Y[:16]), (np.full((16, 4), np.nan), Y[:16])]
    with pytest.raises(FloatingPointError, match=r"epoch 1, batch 2: x is not finite in row 0 of the batch"):
        regression().fit(iter(batches), verbose=0)


# -- how it shows ---------------------------------------------------------------------------------


def test_verbose_in_a_log(capsys):
    model = regression(metrics=["mae"])
    model.fit(X, Y, epochs=2, validation_split=0.2, verbose="auto")
    out = capsys.readouterr().out.strip().splitlines()
    assert (
        len(out) == 2
        and out[0].startswith("Epoch 1/2 - ")
        and all(k in out[1] for k in ("loss: ", "mae: ", "val_mae: "))
    )
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    assert capsys.readouterr().out == ""
    model.evaluate(X, Y, verbose=2)
    assert "Evaluate - " in capsys.readouterr().out


def test_verbose_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(pylearn.training.progress, "interactive", lambda: True)
    regression(metrics=["mae"]).fit(X, Y, epochs=2, batch_size=1, verbose=1)
    out = capsys.readouterr().out
    assert "Epoch 2/2" in out and "70/70" in out and "mae=" in out


def test_model_with_dict_and_ndarray_targets_for_one_output():
    x = Input((4,), name="features")
    model = Model(x, Dense(1, name="price")(x))
    model.compile("sgd", {"price": "mse"}, metrics={"price": ["mae"]})
    history = model.fit({"features": X}, {"price": Y}, verbose=0)
    assert set(history.history) == {"loss", "mae"}


def test_different_sizes_do_not_pile_up_recordings():
    model = regression()
    for n in itertools.chain(range(1, 60), range(1, 60)):
        model.train_on_batch(X[:n], Y[:n])
    assert len(model._steps) <= model._steps.limit


@pytest.mark.parametrize("compared", [1 << 23, 0])  # bytes of state up to which a step is compared as a whole
def test_a_python_number_that_changes_is_found(compared, monkeypatch):
    class Scale(layers.Layer):
        def __init__(self):
            super().__init__()
            self.factor = [1.0]

        def call(self, x):
            return x * self.factor[0]

    monkeypatch.setattr("pylearn.training.step.COMPARED", compared)
    x, y = np.ones((40, 3), "float32"), np.zeros(40, "float32")
    scale = Scale()
    model = Sequential([layers.Input((3,)), scale, layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    scale.factor[0] = 3.0  # not an assignment that the layer can see
    with pytest.warns(UserWarning, match="a Python number or NumPy array that it uses has changed"):
        model.fit(x, y, batch_size=10, verbose=0)
