"""Models: Sequential, functional and subclassed; summary, layers, weights, memory."""

import gc
import weakref

import numpy as np
import pytest

import pylearn
from pylearn.layers import Add, Concatenate, Dense, Dropout, Flatten, Input, Layer
from pylearn.models import Functional, Model, Sequential


def rows(n=8, *shape):
    return np.random.RandomState(0).rand(n, *shape).astype("float32")


def test_sequential_is_built_from_input_shape_and_has_a_whole_summary():
    model = Sequential(name="m")
    model.add(Flatten(input_shape=(28, 28)))
    model.add(Dropout(0.2))
    model.add(Dense(10, activation="softmax"))
    lines = []
    text = model.summary(print_fn=lines.append)
    assert text == "\n".join(lines)
    assert (
        'Model: "m"' in text and "(None, 784)" in text and "Total params: 7,850" in text and "?" not in text
    )
    assert (
        model.count_params() == 7850
        and model.input_shape == (None, 28, 28)
        and model.output_shape == (None, 10)
    )
    assert repr(text) == ""


def test_summary_prints_by_default(capsys):
    Sequential([Dense(1, input_shape=(32 * 32 * 3,))]).summary()
    assert "3,073" in capsys.readouterr().out
    with pytest.raises(TypeError, match="did you mean 'print_fn'"):
        Sequential().summary(printfn=print)


def test_summary_of_nested_models_and_as_html():
    inner = Sequential([Dense(4, input_shape=(3,)), Dense(2, name="deep")], name="inner")
    inner.layers[0].trainable = False
    model = Sequential([Input((3,)), inner, Dense(1, name="<head>")], name="outer")
    assert "deep" not in model.summary(print_fn=lambda _: None)
    text = model.summary(print_fn=lambda _: None, expand_nested=True, show_trainable=True)
    assert "   deep (Dense)" in text and "Non-trainable params: 16" in text
    assert [line.split()[-1] for line in text.splitlines() if "Dense" in line] == ["N", "Y", "Y"]
    table = text._repr_html_()
    assert (
        "deep" in table and "&lt;head&gt;" in table and "<head>" not in table and "Total params: 29" in table
    )
    assert "deep" not in model._repr_html_() and "Total params: 29" in model._repr_html_()
    assert "Not built yet" in Sequential([Dense(2)])._repr_html_()


@pytest.mark.parametrize("first", [{"input_shape": (5,)}, {"input_dim": 5}, {"batch_input_shape": (None, 5)}])
def test_ways_to_give_the_shape(first):
    assert Sequential([Dense(2, **first)]).count_params() == 12
    assert Sequential([Input((5,)), Dense(2)]).count_params() == 12


def test_sequential_without_a_shape_is_built_by_data():
    model = Sequential([Dense(4, activation="relu"), Dense(2)])
    assert model.weights == [] and "Not built" in model.summary(print_fn=lambda _: None)
    with pytest.raises(ValueError, match="not built yet"):
        _ = model.inputs
    assert model.predict(rows(3, 5)).shape == (3, 2)
    assert model.count_params() == 5 * 4 + 4 + 4 * 2 + 2
    late = Sequential([Dense(2)])
    late.build((None, 7))
    assert late.count_params() == 16
    called = Sequential([Dense(2)])
    assert called(rows(3, 5)).shape == (3, 2)


def test_add_and_pop():
    model = Sequential([Dense(3, input_shape=(2,), name="a"), Dense(4, name="b")])
    assert model.predict(rows(2, 2)).shape == (2, 4)
    assert model.pop().name == "b"
    assert model.predict(rows(2, 2)).shape == (2, 3) and len(model.layers) == 1
    model.add(Dense(5, name="c"))
    assert model.predict(rows(2, 2)).shape == (2, 5)
    for bad in (Dense, "dense", 3, None):
        with pytest.raises(TypeError):
            model.add(bad)
    with pytest.raises(ValueError, match="can only come first"):
        model.add(Input((3,)))
    with pytest.raises(ValueError):
        model.add(model.layers[0])
    empty = Sequential()
    with pytest.raises(ValueError, match="no layers"):
        empty.pop()
    with pytest.raises(ValueError, match="no layers"):
        empty.predict(rows(2, 2))


def test_functional_equals_sequential():
    dense = [Dense(4, activation="relu"), Dense(2)]
    x = Input(shape=(3,))
    functional = Model(inputs=x, outputs=dense[1](dense[0](x)))
    sequential = Sequential([Input((3,)), *dense])
    data = rows(5, 3)
    assert isinstance(functional, Functional) and isinstance(functional, Model)
    np.testing.assert_array_equal(functional.predict(data), sequential.predict(data))
    assert functional.weights[0] is sequential.weights[0]


def test_shared_layer_has_its_weights_once():
    shared = Dense(4, name="shared")
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = Model(inputs=[a, b], outputs=Add()([shared(a), shared(b)]))
    assert model.count_params() == 16
    u, v = rows(2, 3), rows(2, 3) + 1
    np.testing.assert_allclose(model.predict([u, v]), (shared(u) + shared(v)).numpy(), rtol=1e-5)
    assert "a, b" in model.summary(print_fn=lambda _: None)


def two_in_two_out(as_dict=False):
    image, extra = Input((4,), name="image"), Input((2,), name="extra")
    h = Concatenate()([Dense(3, activation="relu")(image), extra])
    outputs = {"kind": Dense(3, activation="softmax", name="kind")(h), "size": Dense(1, name="size")(h)}
    if as_dict:
        return Model(inputs={"image": image, "extra": extra}, outputs=outputs)
    return Model(inputs=[image, extra], outputs=[outputs["kind"], outputs["size"]])


@pytest.mark.parametrize("as_dict", [False, True])
def test_several_inputs_and_outputs(as_dict):
    model = two_in_two_out(as_dict)
    n = 40
    x = {"image": rows(n, 4), "extra": rows(n, 2)}
    y = {"kind": np.random.RandomState(1).randint(0, 3, n), "size": rows(n)}
    model.compile("adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"},
                  loss_weights={"kind": 1.0, "size": 0.5}, metrics={"kind": ["accuracy"], "size": "mae"})  # fmt: skip
    history = model.fit(x, y, epochs=3, batch_size=16, verbose=0, validation_data=(x, y))
    assert set(history.history) == {p + k for p in ("", "val_") for k in
                                    ("loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae")}  # fmt: skip
    last = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(last["loss"], last["kind_loss"] + 0.5 * last["size_loss"], rtol=1e-6)
    out = model.predict(x)
    assert isinstance(out, dict) == as_dict
    kind = out["kind"] if as_dict else out[0]
    assert kind.shape == (n, 3)
    np.testing.assert_allclose(last["kind_accuracy"], (kind.argmax(1) == y["kind"]).mean(), rtol=1e-12)
    if not as_dict:
        model.fit([x["image"], x["extra"]], [y["kind"], y["size"]], verbose=0)
        with pytest.raises(ValueError, match=r"x has 1 arrays, the model has 2: image, extra"):
            model.predict([x["image"]])
    with pytest.raises(ValueError, match=r"lacks 'image'.*did you mean 'imge'"):
        model.predict({"imge": x["image"], "extra": x["extra"]})
    with pytest.raises(ValueError, match=r"x\['image'\] has shape \(40, 5\)"):
        model.predict({"image": rows(n, 5), "extra": rows(n, 2)})
    with pytest.raises(ValueError, match=r"x\['image'\] has 40 rows, x\['extra'\] 39"):
        model.fit({"image": rows(n, 4), "extra": rows(n - 1, 2)}, y, verbose=0)


def test_loss_for_an_unknown_output():
    model = two_in_two_out()
    model.compile("sgd", {"kindd": "mse"})
    with pytest.raises(ValueError, match="did you mean 'kind'"):
        model.fit([rows(4, 4), rows(4, 2)], [np.zeros(4), np.zeros(4)], verbose=0)


def test_nested_models_and_models_on_inner_layers():
    inner = Sequential([Dense(4, activation="relu", input_shape=(3,)), Dense(2)], name="inner")
    x = Input((3,))
    outer = Model(x, Dense(1)(inner(x)))
    assert outer.count_params() == inner.count_params() + 3
    data = rows(6, 3)
    features = Model(inputs=inner.inputs, outputs=outer.get_layer("inner").output)
    np.testing.assert_allclose(features.predict(data), inner.predict(data), rtol=1e-6)
    head = Model(inner.inputs, inner.layers[0].output)
    assert head.predict(data).shape == (6, 4)
    outer.compile("sgd", "mse")
    before = [w.copy() for w in inner.get_weights()]
    outer.fit(data, np.ones(6), verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(before, inner.get_weights()))
    outer.get_layer("inner").trainable = False
    frozen = inner.get_weights()
    outer.fit(data, np.ones(6), epochs=3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(frozen, inner.get_weights()))


def test_subclassed_model():
    class Two(Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.hidden = Dense(units, activation="relu")
            self.drop = Dropout(0.5)
            self.out = Dense(1)

        def call(self, x, training=False):
            return self.out(self.drop(self.hidden(x), training=training))

    model = Two(5)
    model.compile("adam", "mse", metrics=["mae"])
    X, y = rows(40, 3), rows(40)
    history = model.fit(X, y, epochs=3, verbose=0, validation_split=0.25)
    assert len(history.history["val_mae"]) == 3 and model.predict(X).shape == (40, 1)
    assert model.weights[0].name.endswith("kernel") and len(model.layers) == 3
    model.predict(X)
    assert any(step.plan is not None for (kind, *_), step in model._steps if kind == "predict")
    assert "Total params: 26" in model.summary(print_fn=lambda _: None)


def test_get_layer():
    model = Sequential([Dense(2, name="first", input_shape=(2,)), Dense(1, name="second")])
    assert model.get_layer("second") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ValueError, match="did you mean 'first'"):
        model.get_layer("frist")
    with pytest.raises(ValueError, match="out of range"):
        model.get_layer(index=5)
    with pytest.raises(ValueError, match="a name or an index"):
        model.get_layer()


def test_model_errors_are_clear():
    x = Input((2,))
    y = Dense(1)(x)
    with pytest.raises(TypeError, match="symbolic"):
        Model(inputs=x, outputs=np.ones(3))
    with pytest.raises(ValueError, match="not among the inputs"):
        Model(inputs=Input((2,)), outputs=y)
    with pytest.raises(TypeError, match="both"):
        Model(inputs=x)
    with pytest.raises(RuntimeError, match="compile the model"):
        Model(x, y).fit(rows(3, 2), rows(3))
    with pytest.raises(ValueError, match="did you mean 'adam'"):
        Model(x, y).compile("adm", "mse")
    with pytest.raises(ValueError, match="unknown metric 'accurcy'; did you mean 'accuracy'"):
        Model(x, y).compile("adam", "mse", metrics=["accurcy"])
    with pytest.raises(TypeError, match="did you mean 'metrics'"):
        Model(x, y).compile("adam", "mse", metric=["mae"])


def test_compile_copies_what_it_is_given():
    optimizer = pylearn.optimizers.SGD(0.1)
    a, b = (Sequential([Dense(1, input_shape=(2,))]) for _ in range(2))
    for model in (a, b):
        model.compile(optimizer, "mse")
        model.fit(rows(8, 2), rows(8), verbose=0)
    assert not optimizer.built and a.optimizer is not b.optimizer
    a.optimizer.learning_rate = 0.5
    assert b.optimizer.learning_rate == 0.1 == optimizer.learning_rate


def test_set_and_get_weights():
    model = Sequential([Dense(2, input_shape=(3,)), Dense(1)])
    weights = model.get_weights()
    other = [w + 1 for w in weights]
    x = rows(2, 3)
    for _ in range(3):
        model.predict(x)
    before = model.predict(x)
    model.set_weights(other)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other))
    assert not np.array_equal(model.predict(x), before)  # the recorded step sees new values
    weights[0][:] = 7
    assert not (model.get_weights()[0] == 7).any()  # copies


def test_float64_model():
    model = Sequential([Dense(3, dtype="float64", input_shape=(2,)), Dense(1, dtype="float64")])
    model.compile("adam", "mse")
    X = np.random.RandomState(0).rand(20, 2)
    model.fit(X, X.sum(1), epochs=3, verbose=0)
    assert model.predict(X).dtype == np.float64
    assert all(w.dtype == np.float64 for w in model.get_weights())


def test_deleting_a_model_frees_everything():
    model = Sequential(
        [Dense(4, activation="relu", input_shape=(3,)), Dropout(0.1), Dense(2, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(rows(64, 3), np.zeros(64, int), epochs=3, verbose=0)
    model.predict(rows(4, 3))
    kept = [weakref.ref(model), weakref.ref(model.layers[0]), weakref.ref(model.optimizer)]
    del model
    gc.collect()
    assert [r() for r in kept] == [None, None, None]


@pytest.mark.parametrize("n", [1, 5, 256, 257, 600])
def test_predict_of_any_number_of_rows(n):
    model = Sequential([Dense(4, activation="relu", input_shape=(3,)), Dense(2)])
    x = rows(n, 3)
    want = model(x).numpy()
    for _ in range(4):  # eager, recorded, replayed, the short way
        got = model.predict(x)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        assert (isinstance(got, np.ndarray) and got.flags.owndata) or got.base is not None
    first = model.predict(x)
    model.predict(x + 1)
    np.testing.assert_array_equal(first, model.predict(x))  # results are not overwritten
    np.testing.assert_allclose(model.predict(x.astype("float64")), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(np.asfortranarray(x)), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, batch_size=3), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), want, rtol=1e-5, atol=1e-6)


def test_predict_shapes():
    model = Sequential([Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match=r"a single row; add the batch axis: x\[None\]"):
        model.predict(np.ones(3))
    with pytest.raises(ValueError, match=r"rows are \(4,\), but the model takes rows of shape \(3,\)"):
        model.predict(np.ones((2, 4)))
    assert model.predict(np.ones((0, 3))).shape == (0, 2)
    assert Sequential([Dense(2, input_shape=(1,))]).predict(np.ones(5)).shape == (5, 2)
    wrong = Sequential([Flatten(input_shape=(50, 4, 4)), Dense(2)])
    with pytest.raises(ValueError, match=r"must not contain the batch axis: use input_shape=\(4, 4\)"):
        wrong.predict(np.ones((50, 4, 4)))


def test_predict_from_threads():
    from concurrent.futures import ThreadPoolExecutor

    model = Sequential([Dense(50, activation="relu", input_shape=(20,)), Dense(3)])
    inputs = [rows(1, 20) + i for i in range(8)]
    want = [model.predict(x) for x in inputs]
    model.predict(inputs[0])
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(model.predict, inputs * 50))
    assert all(np.array_equal(g, want[i % 8]) for i, g in enumerate(got))


def test_custom_layer_with_list_input():
    class Mix(Layer):
        def call(self, x):
            return x[0] * 2.0 + x[1]

    a, b = Input((3,)), Input((3,))
    model = Model([a, b], Mix()([a, b]))
    assert model.output_shape == (None, 3)
    u = rows(2, 3)
    np.testing.assert_allclose(model.predict([u, u]), 3 * u, rtol=1e-6)
