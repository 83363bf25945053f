"""Initialisation: the signal through twenty rectified layers.

A layer of n inputs adds up n products, so its output has n·Var(w) times the size of its input, and rectifying
throws half of that away. Only Var(w) = 2/n keeps the size ("He", He et al. 2015); anything else grows or shrinks it
by a constant factor at every layer, twenty times over, and the gradient on its way back likewise.

The data: 1,437 handwritten digits, standardised, through 20 layers of 512 rectified units that are not trained.
The course's number: the mean square of the activations stays between 0.5 and 2 through all layers with "he_normal".

Question: Keras' default, glorot_uniform, has half of He's variance here. What is left of the signal after twenty
layers?

Try: (a) activation="tanh" with glorot_normal. (b) A BatchNormalization after each layer: does the start still matter?
"""

import numpy as np

from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.initializers import RandomNormal
from pylearn.layers import Dense
from pylearn.utils import set_random_seed

STARTS = {
    "he_normal": "he_normal",
    "glorot_uniform": "glorot_uniform",
    "N(0, 0.01²)": RandomNormal(stddev=0.01),
    "N(0, 0.1²)": RandomNormal(stddev=0.1),
}


def sizes(x, start, layers, units):
    """Mean square of each layer's activations."""
    found = []
    for _ in range(layers):
        x = Dense(units, activation="relu", kernel_initializer=start)(x)
        found.append(float((x.numpy() ** 2).mean()))
    return found


def main(
    seed: int = 0, verbose: int = 1, plot: str | None = None, layers: int = 20, units: int = 512
) -> dict[str, float]:
    """Pass the digits through; returns the size at the last layer by name."""
    set_random_seed(seed)
    (X, _), _ = digits.load_data(size=8)
    X = X.reshape(len(X), -1) / 16.0
    X = (X - X.mean()) / X.std()
    found = {name: sizes(X.astype("float32"), start, layers, units) for name, start in STARTS.items()}
    for name, values in found.items() if verbose else ():
        print(f"{name:<16} layer 1: {values[0]:9.3g}   layer {layers}: {values[-1]:9.3g}")
    report.at_least("smallest mean square with he_normal", min(found["he_normal"]), 0.5)
    report.at_most("largest mean square with he_normal", max(found["he_normal"]), 2.0)

    def draw(axes):
        axes[0].axhspan(0.5, 2, color="#e2e8f0")
        for name, values in found.items():
            axes[0].plot(range(1, layers + 1), np.maximum(values, 1e-30), marker=".", label=name)
        axes[0].set(yscale="log", xlabel="layer", ylabel="mean square of activations", ylim=(1e-12, 1e6))
        axes[0].set_xticks(range(2, layers + 1, 3))
        axes[0].legend(loc="upper left", fontsize=8)

    report.drawing(plot, draw)
    return {name: values[-1] for name, values in found.items()}
