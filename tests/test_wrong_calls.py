"""Wrong calls that people make, each with the one message they get: what was expected, what was given, and the fix."""

import numpy as np
import pytest

import pylearn
from pylearn import callbacks, initializers, layers, losses, metrics, optimizers, schedules
from pylearn.layers import LSTM, Add, Concatenate, Conv2D, Dense, Dropout, Embedding, Flatten, Input, Reshape
from pylearn.models import Model, Sequential

RNG = np.random.RandomState(0)
X, Y = RNG.rand(40, 4), RNG.rand(40)
IDS, ONE_HOT = np.arange(40) % 3, np.eye(3)[np.arange(40) % 3]
IMAGES = RNG.rand(40, 6, 6, 1)


def regressor(**kwargs):
    model = Sequential([Dense(5, input_shape=(4,), name="hidden"), Dense(1, name="head")])
    model.compile("sgd", "mse", **kwargs)
    return model


def classifier(loss="sparse_categorical_crossentropy", units=3, activation="softmax", **kwargs):
    model = Sequential([Dense(units, activation, input_shape=(4,), name="head")])
    model.compile("sgd", loss, **kwargs)
    return model


def two_inputs():
    a, b = Input((4,), name="left"), Input((2,), name="right")
    model = Model([a, b], [Dense(1, name="p")(a), Dense(1, name="q")(b)])
    model.compile("sgd", "mse")
    return model


def fit(model, x, y, **kwargs):
    return lambda: model().fit(x, y, **{"verbose": 0, **kwargs})


def with_bad_row(array, row, value=np.nan):
    array = np.array(array, "float64")
    array[row] = value
    return array


def generator(*batches):
    yield from batches


# (what is wrong, the call, the exception, words that its message must hold)
WRONG = [
    # shapes
    ("batch axis in input_shape", fit(lambda: _compiled(Dense(1, input_shape=(40, 4))), X, Y), ValueError,
     ["batch axis", "input_shape=(4,)"]),
    ("too few columns", fit(regressor, X[:, :3], Y), ValueError, ["x has shape (40, 3)", "(4,)"]),
    ("too many axes", fit(regressor, X[:, :, None, None], Y), ValueError, ["(40, 4, 1, 1)", "(4,)"]),
    ("a single row", lambda: regressor().predict(X[0]), ValueError, ["single row", "x[None]"]),
    ("a number", lambda: regressor().predict(3.0), ValueError, ["single number"]),
    ("ragged rows", fit(regressor, [[1, 2], [3]], [1, 2]), ValueError, ["x", "different lengths"]),
    ("images into Dense", fit(regressor, IMAGES, Y), ValueError, ["(40, 6, 6, 1)", "(4,)"]),
    ("rows into Conv2D", lambda: Sequential([Conv2D(2, 3, input_shape=(4,))]), ValueError, ["conv2d", "(None, 4)"]),
    ("rows into LSTM", lambda: Sequential([LSTM(2, input_shape=(4,))]), ValueError, ["lstm", "(None, 4)"]),
    ("kernel larger than the image", lambda: Sequential([Conv2D(2, 9, input_shape=(6, 6, 1))]), ValueError, ["conv2d"]),
    ("sizes that do not add", lambda: Add()([Input((3,)), Input((4,))]), ValueError, ["add", "(None, 3)", "(None, 4)"]),
    ("sizes that do not join", lambda: Concatenate()([Input((3, 2)), Input((4, 2, 1))]), ValueError, ["concatenate"]),
    ("a reshape that does not fit", lambda: Reshape((5,))(Input((4,))), ValueError, ["reshape", "(5,)"]),
    ("input_shape of text", lambda: Dense(3, input_shape="four"), TypeError, ["input_shape", "'four'"]),
    ("negative size", lambda: Dense(3, input_shape=(-4,)), ValueError, ["input_shape", "-4"]),
    # rows
    ("y of another length", fit(regressor, X, Y[:39]), ValueError, ["x has 40 rows", "y 39"]),
    ("no rows", fit(regressor, X[:0], Y[:0]), ValueError, ["x is empty"]),
    ("no targets", fit(regressor, X, None), ValueError, ["y is missing"]),
    ("no inputs", fit(regressor, None, Y), ValueError, ["x is None"]),
    ("weights of another length", fit(regressor, X, Y, sample_weight=np.ones(3)), ValueError,
     ["40 rows", "sample_weight 3"]),
    ("weights that are not finite", fit(regressor, X, Y, sample_weight=with_bad_row(np.ones(40), 5)), ValueError,
     ["sample_weight is not finite in row 5"]),
    ("a class without weight", fit(classifier, X, IDS, class_weight={0: 1.0}), ValueError, ["class_weight", "class 1"]),
    ("class_weight as a list", fit(classifier, X, IDS, class_weight=[1, 2, 3]), TypeError, ["class_weight", "dict"]),
    # values
    ("NaN in x", fit(regressor, with_bad_row(X, 7), Y), FloatingPointError, ["x", "row 7", "'hidden'"]),
    ("infinity in x", fit(regressor, with_bad_row(X, 9, np.inf), Y), FloatingPointError, ["x", "row 9"]),
    ("NaN in y", fit(regressor, X, with_bad_row(Y, 11)), FloatingPointError, ["y", "row 11", "'head'"]),
    ("text in x", fit(regressor, np.array(["a"] * 40), Y), TypeError, ["x holds text"]),
    ("text in y", fit(classifier, X, np.array(["cat"] * 40)), TypeError, ["y holds text", "np.unique"]),
    ("objects", fit(regressor, np.array([object()] * 40), Y), TypeError, ["x holds objects"]),
    ("complex numbers", fit(regressor, X * 1j, Y), TypeError, ["x is complex"]),
    # targets and losses
    ("ids for one-hot", fit(lambda: classifier("categorical_crossentropy"), X, IDS), ValueError,
     ["class ids", "sparse_categorical_crossentropy"]),
    ("one-hot for ids", fit(classifier, X, ONE_HOT), ValueError, ["one-hot", "categorical_crossentropy"]),
    ("a label too large", fit(classifier, X, IDS * 3), ValueError, ["label 3 in row 1", "3 classes"]),
    ("labels from 1", fit(classifier, X, IDS + 1), ValueError, ["ids start at 0", "y - 1"]),
    ("a negative label", fit(classifier, X, IDS - 1), ValueError, ["label -1 in row 0"]),
    ("half a label", fit(classifier, X, IDS + 0.5), ValueError, ["class ids", "row 0"]),
    ("too many classes in y", fit(lambda: classifier("categorical_crossentropy"), X, np.eye(5)[IDS]), ValueError,
     ["5 classes", "output 3", "last layer 5 wide"]),
    ("categorical with one output", fit(lambda: classifier("categorical_crossentropy", 1), X, IDS % 2), ValueError,
     ["binary_crossentropy", "sigmoid"]),
    ("binary targets beyond 1", fit(lambda: classifier("binary_crossentropy", 1, "sigmoid"), X, IDS), ValueError,
     ["[0, 1]", "row 2"]),
    ("targets -1 and 1", fit(lambda: classifier("binary_crossentropy", 1, "sigmoid"), X, (IDS % 2) * 2 - 1), ValueError,
     ["(y + 1) / 2"]),
    ("one-hot for one sigmoid", fit(lambda: classifier("binary_crossentropy", 1, "sigmoid"), X, np.eye(2)[IDS % 2]),
     ValueError, ["y[:, 1]"]),
    ("mse on ids of several outputs", fit(lambda: classifier("mse", 3), X, IDS), ValueError,
     ["(40,)", "(None, 3)", "to_categorical"]),
    ("two targets for one output", fit(regressor, X, np.ones((40, 2))), ValueError,
     ["y has shape (40, 2)", "(None, 1)"]),
    ("a loss of shapes that differ", lambda: losses.mean_squared_error(np.ones((3, 1)), np.ones((3, 2))), ValueError,
     ["(3, 1)", "(3, 2)", "nothing is broadcast"]),
    ("a metric of shapes that differ", lambda: metrics.R2().update_state(np.ones(3), np.ones((3, 2))), ValueError,
     ["(3,)", "(3, 2)"]),
    # several inputs and outputs
    ("one array for two inputs", fit(two_inputs, X, [Y, Y]), ValueError, ["2: left, right", "list or dict"]),
    ("three arrays for two inputs", fit(two_inputs, [X, X, X], [Y, Y]), ValueError, ["3 arrays", "left, right"]),
    ("a missing input", fit(two_inputs, {"left": X}, [Y, Y]), ValueError, ["lacks 'right'"]),
    ("a misspelt input", fit(two_inputs, {"left": X, "rihgt": X}, [Y, Y]), ValueError,
     ["lacks 'right'", "did you mean 'rihgt'"]),
    ("the second input is wrong", fit(two_inputs, [X, X], [Y, Y]), ValueError, ["x['right']", "(40, 4)", "(2,)"]),
    ("one target for two outputs", fit(two_inputs, [X, X[:, :2]], Y), ValueError, ["y is one array", "p, q"]),
    ("a loss for an unknown output", lambda: (m := two_inputs()).compile("sgd", {"P": "mse"}) or m.fit(
        [X, X[:, :2]], [Y, Y], verbose=0), ValueError, ["'P'", "p, q"]),
    ("too many losses", lambda: (m := two_inputs()).compile("sgd", ["mse"] * 3) or m.fit(
        [X, X[:, :2]], [Y, Y], verbose=0), ValueError, ["3 items for 2 outputs"]),
    ("metrics as loss_weights", lambda: regressor().compile("sgd", "mse", ["mae"]), TypeError, ["metrics=["]),
    # names
    ("unknown optimizer", lambda: regressor().compile("adaam", "mse"), ValueError, ["'adaam'", "did you mean 'adam'"]),
    ("unknown loss", lambda: regressor().compile("sgd", "mean_sqared_error"), ValueError,
     ["did you mean 'mean_squared_error'"]),
    ("unknown metric", lambda: regressor(metrics=["acuracy"]), ValueError, ["did you mean 'accuracy'"]),
    ("unknown activation", lambda: Dense(3, activation="rleu"), ValueError, ["did you mean 'relu'"]),
    ("unknown initializer", lambda: Dense(3, kernel_initializer="he_norml"), ValueError, ["did you mean 'he_normal'"]),
    ("unknown regularizer", lambda: Dense(3, kernel_regularizer="l3"), ValueError, ["l3"]),
    ("unknown layer", lambda: regressor().get_layer("hiden"), ValueError, ["did you mean 'hidden'"]),
    ("unknown argument of a layer", lambda: Dense(3, actvation="relu"), TypeError, ["did you mean 'activation'"]),
    ("unknown argument of fit", fit(regressor, X, Y, batchsize=3), TypeError, ["did you mean 'batch_size'"]),
    ("unknown argument of compile", lambda: regressor(metric=["mae"]), TypeError, ["did you mean 'metrics'"]),
    ("unknown argument of an optimizer", lambda: optimizers.Adam(lr=0.1), TypeError, ["lr"]),
    ("unknown hook", lambda: callbacks.LambdaCallback(on_epoch_ends=print), TypeError, ["did you mean 'on_epoch_end'"]),
    ("two layers of one name", lambda: Sequential([Dense(1, input_dim=2, name="a"), Dense(1, name="a")]), ValueError,
     ["two layers are called 'a'"]),
    ("two metrics of one name", fit(lambda: regressor(metrics=["mae", "mae"]), X, Y), ValueError,
     ["two metrics", "'mae'"]),
    # numbers
    ("validation_split too large", fit(regressor, X, Y, validation_split=1.5), ValueError, ["validation_split", "1.5"]),
    ("validation_split of nothing", fit(regressor, X[:3], Y[:3], validation_split=0.999), ValueError,
     ["validation_split=0.999 of 3 rows"]),
    ("batch_size 0", fit(regressor, X, Y, batch_size=0), ValueError, ["batch_size", "≥ 1", "0"]),
    ("epochs as a fraction", fit(regressor, X, Y, epochs=2.5), ValueError, ["epochs", "2.5"]),
    ("validation_data without y", fit(regressor, X, Y, validation_data=X), ValueError,
     ["validation_data must be (x, y)"]),
    ("validation_data of other columns", fit(regressor, X, Y, validation_data=(X[:, :2], Y)), ValueError,
     ["validation x", "(40, 2)"]),
    ("a rate of text", lambda: optimizers.SGD("fast"), TypeError, ["learning_rate", "'fast'"]),
    ("a negative rate", lambda: optimizers.SGD(-0.1), ValueError, ["learning_rate", "-0.1"]),
    ("momentum beyond 1", lambda: optimizers.SGD(momentum=9), ValueError, ["momentum", "9"]),
    ("two limits", lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), ValueError, ["at most one"]),
    ("units 0", lambda: Dense(0), ValueError, ["units", "0"]),
    ("units as text", lambda: Dense("many"), ValueError, ["units", "'many'"]),
    ("dropout beyond 1", lambda: Dropout(1.5), ValueError, ["rate", "1.5"]),
    ("smoothing beyond 1", lambda: losses.CategoricalCrossentropy(label_smoothing=2), ValueError,
     ["label_smoothing", "2"]),
    ("a schedule without steps", lambda: schedules.CosineDecay(0.1, 0), ValueError, ["decay_steps", "0"]),
    ("an id beyond the embedding", lambda: Embedding(3, 2)(np.array([[0, 5]])).numpy(), IndexError, ["5", "3"]),
    ("a Constant of another shape", lambda: initializers.Constant(np.ones(3))((2,)), ValueError, ["(3,)", "(2,)"]),
    # order of calls, and kinds of objects
    ("fit before compile", lambda: Sequential([Dense(1)]).fit(X, Y), RuntimeError, ["compile the model before fit"]),
    ("evaluate before compile", lambda: Sequential([Dense(1)]).evaluate(X, Y), RuntimeError, ["compile the model"]),
    ("a class as a callback", fit(regressor, X, Y, callbacks=[callbacks.EarlyStopping]), TypeError,
     ["EarlyStopping()"]),
    ("a class as a layer", lambda: Sequential([Dense]), TypeError, ["the class Dense", "Dense(…)"]),
    ("a number as a layer", lambda: Sequential([3]), TypeError, ["a layer", "int"]),
    ("a number as a loss", lambda: regressor().compile("sgd", 3), TypeError, ["loss", "3"]),
    ("a number as an optimizer", lambda: regressor().compile(0.1, "mse"), TypeError, ["optimizer", "0.1"]),
    ("an array as a layer's input in a model", lambda: Model(X, Input((4,))), TypeError, ["symbolic"]),
    ("symbols added by hand", lambda: Input((4,)) + Input((4,)), TypeError, ["Add"]),
    ("outputs from elsewhere", lambda: Model(Input((4,)), Dense(1)(Input((4,)))), ValueError, ["depend on the input"]),
    ("weights of another layer", lambda: regressor().set_weights([np.ones((4, 5))]), ValueError, ["4 weights", "1"]),
    ("weights of another shape", lambda: regressor().layers[0].set_weights([np.ones((5, 4)), np.ones(5)]), ValueError,
     ["hidden/kernel", "(4, 5)", "(5, 4)"]),
    ("a generator with y", lambda: regressor().fit(generator((X, Y)), Y, verbose=0), ValueError, ["y cannot be given"]),
    ("an empty generator", lambda: regressor().fit(generator(), verbose=0), ValueError, ["yielded no batch"]),
    ("a generator of four", lambda: regressor().fit(generator((X, Y, Y, Y)), verbose=0), ValueError, ["tuple of 4"]),
    ("a layer without super().__init__", lambda: _forgetful(), RuntimeError, ["super().__init__()"]),
    ("a layer without call", lambda: layers.Layer()(X), TypeError, ["no call"]),
    ("a missing file", lambda: pylearn.models.load_model("/nowhere/model.pylearn"), FileNotFoundError,
     ["model.pylearn"]),
    ("Flatten called on nothing", lambda: Flatten()(None), (TypeError, ValueError), ["flatten"]),
]  # fmt: skip


def _compiled(*made):
    model = Sequential(list(made))
    model.compile("sgd", "mse")
    return model


def _forgetful():
    class Forgets(layers.Layer):
        def __init__(self):
            self.inner = Dense(2)

    Forgets()


@pytest.mark.parametrize("call, error, words", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_call_says_what_is_wrong(call, error, words):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, f"{message!r} lacks {missing}"
    assert "\n" not in message and len(message) < 500


def test_there_are_many():
    assert len(WRONG) >= 60 and len({row[0] for row in WRONG}) == len(WRONG)
