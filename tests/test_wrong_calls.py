"""Wrong calls that people make, each with the one message they get: what was expected, what was given, and the fix."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

import pylearn
from pylearn import callbacks, initializers, layers, losses, metrics, optimizers, schedules
from pylearn.layers import LSTM, Add, Concatenate, Conv2D, Dense, Dropout, Embedding, Flatten, Input, Reshape
from pylearn.models import Model, Sequential
from pylearn.preprocessing.sequence import pad_sequences

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
    # layers
    ("units as an array", lambda: Dense(np.array([3, 4])), ValueError, ["units", "array([3, 4])"]),
    ("half a unit", lambda: Dense(3.5), ValueError, ["units", "3.5"]),
    ("strides 0", lambda: Conv2D(3, 3, strides=0), ValueError, ["Conv2D", "strides", "≥ 1", "0"]),
    ("a kernel of three axes", lambda: Conv2D(3, (3, 3, 3)), ValueError, ["kernel_size", "(3, 3, 3)"]),
    ("groups that do not divide", lambda: Conv2D(4, 3, groups=3), ValueError, ["groups (3)", "filters (4)"]),
    ("misspelt padding", lambda: Conv2D(3, 3, padding="smae"), ValueError, ["padding", "'smae'", "same"]),
    ("channels first", lambda: Conv2D(3, 3, data_format="channels_first"), ValueError, ["np.moveaxis(X, 1, -1)"]),
    ("a pool larger than the image", lambda: layers.MaxPooling2D(9)(IMAGES), ValueError, ["max_pooling2d", "9", "6"]),
    ("no rate left", lambda: Dropout("half"), ValueError, ["rate", "'half'"]),
    ("an id of a half", lambda: Embedding(5, 2)(np.array([[0, 0.5]])), ValueError, ["row 0, column 1", "0.5"]),
    ("an id that is negative", lambda: Embedding(5, 2)(np.array([[-1, 0]])), IndexError, ["-1", "row 0", "0 to 4"]),
    ("a table of another size", lambda: Embedding(5, 2, weights=[np.ones((4, 2))], input_length=3)(
        np.zeros((1, 3), int)), ValueError, ["embeddings", "(5, 2)", "(4, 2)"]),
    ("one LSTM on another's last step", lambda: Sequential([Input((4, 3)), LSTM(3), LSTM(3)]), ValueError,
     ["lstm", "(None, 3)"]),
    ("states of another size", lambda: LSTM(3)(np.ones((2, 4, 3)), initial_state=[np.ones((2, 4))] * 2), ValueError,
     ["initial state", "(2, 3)", "(2, 4)"]),
    ("a batch of another size for kept states", lambda: _twice(LSTM(3, stateful=True), (2, 4, 3), (3, 4, 3)),
     ValueError, ["stateful", "2 rows", "reset_states()"]),
    ("both directions of a dense layer", lambda: layers.Bidirectional(Dense(3)), TypeError, ["Bidirectional", "Dense"]),
    ("more groups than channels", lambda: layers.GroupNormalization()(np.ones((2, 4, 4, 4))), ValueError,
     ["groups (32)", "channels (4)"]),
    ("NaN to adapt to", lambda: layers.Normalization().adapt(with_bad_row(X, 3)), ValueError,
     ["normalization", "not finite in row 3"]),
    ("text to adapt to", lambda: layers.Normalization().adapt(np.array(["a"])), TypeError, ["normalization", "'a'"]),
    ("attention to one tensor", lambda: layers.Attention()(np.ones((2, 3, 4))), ValueError, ["layer([query, value])"]),
    ("a layer used on another size", lambda: [(d := Dense(2, name="again"))(Input((3,))), d(Input((4,)))], ValueError,
     ["again", "(None, 3)", "(None, 4)"]),
    ("call that returns nothing", lambda: Sequential([Input((4,)), _layer(lambda x: None)]), TypeError,
     ["custom", "returned nothing"]),
    ("call that returns NumPy", lambda: Sequential([Input((4,)), _layer(lambda x: x.numpy())]), TypeError,
     ["custom", "pylearn.ops", "ndarray"]),
    ("an input of a misspelt dtype", lambda: Input((3,), dtype="flaot32"), ValueError, ["dtype", "'flaot32'"]),
    ("two shapes for one input", lambda: Input((3,), batch_shape=(None, 3)), ValueError, ["batch_shape"]),
    ("an unknown policy", lambda: Dense(3, dtype="float16"), ValueError, ["dtype", "'float16'"]),
    # training
    ("epochs before the first", fit(regressor, X, Y, epochs=-1), ValueError, ["epochs", "-1"]),
    ("an initial epoch before the first", fit(regressor, X, Y, initial_epoch=-5), ValueError, ["initial_epoch", "-5"]),
    ("validation_split as text", fit(regressor, X, Y, validation_split="0.2"), ValueError,
     ["validation_split", "'0.2'"]),
    ("validation in no epoch", fit(regressor, X, Y, validation_split=0.2, validation_freq=0), ValueError,
     ["validation_freq", "0"]),
    ("shuffle as text", fit(regressor, X, Y, shuffle="batchwise"), ValueError, ["shuffle", "'batchwise'"]),
    ("a negative queue", fit(regressor, X, Y, max_queue_size=-1), ValueError, ["max_queue_size", "-1"]),
    ("a function as a callback", fit(regressor, X, Y, callbacks=[print]), TypeError, ["LambdaCallback"]),
    ("a name as a callback", fit(regressor, X, Y, callbacks="early"), TypeError, ["callbacks", "'early'"]),
    ("negative weights", fit(regressor, X, Y, sample_weight=np.arange(40) - 1), ValueError,
     ["sample_weight is negative in row 0"]),
    ("a negative class weight", fit(classifier, X, IDS, class_weight={0: -1, 1: 1, 2: 1}), ValueError,
     ["class 0", "-1"]),
    ("class weights of names", fit(classifier, X, IDS, class_weight={"cat": 1}), TypeError, ["class id", "'cat'"]),
    ("class weights of a regression", fit(regressor, X, Y, class_weight={0: 1.0}), ValueError,
     ["class ids", "sample_weight"]),
    ("patience of less than nothing", lambda: callbacks.EarlyStopping(patience=-1), ValueError, ["patience", "-1"]),
    ("a loss of a number", fit(lambda: _loss(lambda y, p: 3.0), X, Y), TypeError, ["loss", "pylearn.ops", "float"]),
    ("a loss of nothing", fit(lambda: _loss(lambda y, p: None), X, Y), TypeError, ["loss", "returned nothing"]),
    ("a loss of NumPy", fit(lambda: _loss(lambda y, p: np.mean(p.numpy())), X, Y), TypeError, ["loss", "pylearn.ops"]),
    ("a loss of one argument", fit(lambda: _loss(lambda y: y), X, Y), TypeError, ["(y_true, y_pred)"]),
    ("a metric of nothing", fit(lambda: regressor(metrics=[lambda y, p: None]), X, Y), TypeError,
     ["metric", "returned nothing"]),
    ("a decay below 0", lambda: schedules.ExponentialDecay(0.1, 10, -1), ValueError, ["decay_rate", "-1"]),
    ("weights that are one number", lambda: regressor().set_weights(1), TypeError, ["list of arrays", "int"]),
    ("sequences of text", lambda: pad_sequences(["ab", "c"]), ValueError, ["sequences[0]", "'ab'", "Tokenizer"]),
    # files
    ("a folder in place of a file", lambda: regressor().save("/"), IsADirectoryError, ["folder"]),
    ("a folder that is not there", lambda: regressor().save("/nowhere/m.pylearn"), FileNotFoundError, ["/nowhere"]),
    ("a file cut short", lambda: _damaged(0.5), ValueError, ["m.pylearn", "damaged"]),
    ("a file without its end", lambda: _damaged(0.99), ValueError, ["m.pylearn", "damaged"]),
    ("an empty file", lambda: _damaged(0.0), ValueError, ["m.pylearn", "damaged"]),
    ("weights of another network", lambda: _damaged(1.0, classifier), ValueError, ["m.pylearn", "does not fit"]),
    ("a model without shapes to a file", lambda: Sequential([Dense(3)]).save("m.pylearn"), ValueError,
     ["not built", "input_shape"]),
]  # fmt: skip


def _compiled(*made):
    model = Sequential(list(made))
    model.compile("sgd", "mse")
    return model


def _twice(layer, first, second):
    layer(np.ones(first))
    layer(np.ones(second))


def _layer(function):
    return type("Custom", (layers.Layer,), {"call": lambda self, x: function(x)})()


def _loss(loss):
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", loss)
    return model


def _damaged(part, into=None):
    """Reads a file of which this part is left, as a model or as the weights of another."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.pylearn"
        regressor().save(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * part)])
        return pylearn.models.load_model(path) if into is None else into().load_weights(path)


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


@pytest.mark.parametrize("make, y, words", [
    (lambda: classifier("binary_crossentropy", 1, None), IDS % 2, ["probability", "linear", "sigmoid"]),
    (lambda: classifier("categorical_crossentropy", 3, None), ONE_HOT, ["sum to 1", "linear", "softmax"]),
    (lambda: classifier(losses.CategoricalCrossentropy(from_logits=True)), ONE_HOT, ["from_logits", "twice"]),
    (lambda: classifier("sparse_categorical_crossentropy", 1), IDS * 0, ["softmax over one output"]),
])  # fmt: skip
def test_a_loss_that_does_not_fit_the_head_is_said_once(make, y, words):
    model = make()
    with pytest.warns(UserWarning) as caught:
        model.fit(X, y, verbose=0)
        model.fit(X, y, verbose=0)
    (message,) = (str(w.message) for w in caught)
    assert all(word in message for word in words), message


def test_heads_that_fit_are_not_remarked_on():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier().fit(X, IDS, verbose=0)
        classifier("binary_crossentropy", 1, "sigmoid").fit(X, IDS % 2, verbose=0)
        classifier(losses.BinaryCrossentropy(from_logits=True), 1, None).fit(X, IDS % 2, verbose=0)
        regressor().fit(X, Y, verbose=0)


def test_an_evaluation_that_is_not_finite_says_where():
    with pytest.warns(UserWarning, match="the loss of this evaluation is nan: x is not finite in row 6"):
        regressor().evaluate(with_bad_row(X, 6), Y, verbose=0)
    with pytest.warns(UserWarning, match="is nan: y is not finite in row 2"):
        regressor().fit(X, Y, validation_data=(X, with_bad_row(Y, 2)), verbose=0)


def test_rows_that_are_not_finite_cannot_be_learned():
    check = regressor().overfit_check(with_bad_row(X, 8), Y)
    assert check.verdict == "not finite" and "row 8" in check.sentence


def test_there_are_many():
    assert len(WRONG) >= 60 and len({row[0] for row in WRONG}) == len(WRONG)
