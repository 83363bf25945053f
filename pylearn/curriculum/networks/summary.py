"""Summary: shapes and parameters of a network, before it has seen a single example.

A layer's weights follow from the shape that enters it: a dense layer has inputs · units + units, a convolution
window · channels · filters + filters, an LSTM 4 · (inputs + units + 1) · units. So a table of shapes and numbers can
be checked by hand before an hour of training; a last axis that is not the number of classes shows at once.

The data: none; only its shapes, those of the course's own networks on images of 28×28 pixels and texts of 100 words.
The course's numbers: 2 parameters for the line, 7,850 for the softmax regression, 79,510 for the multilayer
perceptron, 6,213,251 for the convolution on words, and 80,501 that train for the LSTM on frozen word vectors.

Question: nearly all weights of the convolution on words stand in one layer. Which one, and what would take them away?

Try: (a) GlobalAveragePooling1D instead of Flatten. (b) Leave out input_length: what can still be said, what not?
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.layers import LSTM, Conv1D, Dense, Embedding, Flatten
from pylearn.models import Sequential

WORDS, LENGTH, VECTORS = 1000, 100, 100


def networks():
    """The course's networks by name."""
    image, table = (28, 28), np.zeros((WORDS, VECTORS))
    return {
        "line": Sequential([Dense(1, input_shape=(1,))]),
        "softmax": Sequential([Flatten(input_shape=image), Dense(10, activation="softmax")]),
        "mlp": Sequential([Flatten(input_shape=image), Dense(100, activation="relu"), Dense(10, "softmax")]),
        "convolution": Sequential([
            Embedding(WORDS, 50, input_length=LENGTH), Conv1D(250, 3, padding="valid", activation="relu"),
            Flatten(), Dense(250, activation="relu"), Dense(1, activation="sigmoid"),
        ]),
        "lstm": Sequential([
            Embedding(WORDS, VECTORS, input_length=LENGTH, weights=[table], trainable=False),
            LSTM(100, activation="sigmoid"), Dense(1, activation="sigmoid"),
        ]),
    }  # fmt: skip


def main(verbose: int = 1, plot: str | None = None) -> dict[str, int]:
    """Build and count; returns the parameters that train, by network."""
    made = networks()
    if verbose:
        for model in made.values():
            model.summary(show_trainable=True)
    trained = {name: sum(w.size for w in model.trainable_weights) for name, model in made.items()}
    report.score("the line", trained["line"], 1 + 1, 0)
    report.score("softmax regression", trained["softmax"], 784 * 10 + 10, 0)
    report.score("multilayer perceptron", trained["mlp"], 784 * 100 + 100 + 100 * 10 + 10, 0)
    report.score("convolution on words", trained["convolution"], 6_213_251, 0)
    report.score("LSTM on frozen word vectors", trained["lstm"], 4 * (100 + 100 + 1) * 100 + 100 + 1, 0)
    if plot is not None:
        path = plot.rpartition(".")[0] + ".svg"
        plots.model_diagram(made["convolution"]).save(path)
        print(f"drawn in {path}")
    return trained
