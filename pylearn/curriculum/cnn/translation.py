"""Convolution: where the image moves, its features move along.

Nearer pixels are related, and a stroke is a stroke wherever it is. A convolution computes the same sum of products
around every pixel, so shifting the image shifts its output by as much: f(shift(x)) = shift(f(x)), exactly, away
from the borders. A dense layer knows nothing of this: a shifted image is another input.

The data: a handwritten digit of 28×28 pixels and the same digit moved by (3, 2) pixels; untrained layers.
The course's numbers: the shifted output of a convolution differs by exactly 0; that of a dense layer by more than
0.1.

Question: which layers between here and a class make a network not only move along, but not care?

Try: (a) strides=2: for which shifts does it hold now? (b) MaxPooling2D(4) after the convolution: how much changes?
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Conv2D, Dense
from pylearn.utils import set_random_seed

DOWN, RIGHT = 3, 2


def moved(image):
    return np.roll(image, (DOWN, RIGHT), axis=(1, 2))


def apart(layer, image):
    """Largest difference between the layer on the moved image and the moved output, away from the borders."""
    one, two = (np.asarray(layer(x)) for x in (image, moved(image)))
    inside = (slice(None), slice(DOWN + 2, -DOWN - 2), slice(RIGHT + 2, -RIGHT - 2))
    return float(np.abs(two - moved(one))[inside].max())


def main(seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Move a digit; returns the differences by name."""
    set_random_seed(seed)
    (X, y), _ = digits.load_data()
    image = X[:1, ..., None] / np.float32(255)
    convolution, dense = Conv2D(8, 3, padding="same", activation="relu"), Dense(784)

    def mixed(x):
        return dense(x.reshape(1, 784)).numpy().reshape(1, 28, 28, 1)

    scores = {"convolution": apart(convolution, image), "dense": apart(mixed, image)}
    if verbose:
        print(f"a {y[0]}, moved {DOWN} pixels down and {RIGHT} to the right")
    report.at_most("convolution: difference", scores["convolution"], 0)
    report.at_least("dense layer: difference", scores["dense"], 0.1)
    rows = [
        [x[0, ..., 0], *np.moveaxis(np.asarray(convolution(x))[0], -1, 0)[:3]] for x in (image, moved(image))
    ]
    titles = [
        f"{what}{name}" for name in ("", ", moved") for what in ("digit", "filter 1", "filter 2", "filter 3")
    ]
    report.picture(plot, plots.images, np.concatenate(rows), titles, columns=4)
    return scores
