"""1×1 convolutions: a dense layer at every pixel.

A window of one pixel sees no neighbours: it mixes the channels of each pixel, with the same weights everywhere.
That is Dense on the last axis, and it costs as little. Networks use it to change the number of channels between
larger windows: a "bottleneck" of 1×1, 3×3, 1×1 has a fraction of the parameters of one 3×3 (Lin et al. 2013; He et
al. 2016).

The data: 16 handwritten digits as images of 28×28 pixels with 64 random features per pixel.
The course's number: Conv2D(32, 1) and Dense(32) with the same weights differ by at most 1e-6 of the largest output.

Question: 256 channels in and out: how many parameters has a 3×3 convolution, and how many a bottleneck of 64?

Try: (a) Conv2D(32, 1, strides=2): which pixels are left out? (b) Time both on 256 images.
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import Conv2D, Dense, Input
from pylearn.models import Sequential
from pylearn.utils import set_random_seed


def main(seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Compare the two, and count; returns the results by name."""
    set_random_seed(seed)
    rng = np.random.default_rng(seed)
    (X, _), _ = digits.load_data()
    features = (X[:16, ..., None] / 255.0 * rng.standard_normal(64)).astype("float32")
    convolution, dense = Conv2D(32, 1), Dense(32)
    a, _ = convolution(features), dense(features)
    kernel, bias = convolution.get_weights()
    dense.set_weights([kernel[0, 0], bias])
    a, b = convolution(features).numpy(), dense(features).numpy()
    apart = float(np.abs(a - b).max() / np.abs(b).max())

    full = Sequential([Input((28, 28, 256)), Conv2D(256, 3, padding="same")])
    bottleneck = Sequential([Input((28, 28, 256)), Conv2D(64, 1, activation="relu"),
                             Conv2D(64, 3, padding="same", activation="relu"), Conv2D(256, 1)])  # fmt: skip
    if verbose:
        bottleneck.summary()
    share = bottleneck.count_params() / full.count_params()
    report.at_most("1×1 convolution from a dense layer", apart, 1e-6)
    report.at_most("bottleneck's parameters, as a part of 3×3's", share, 0.13)
    if plot is not None:
        path = plot.rpartition(".")[0] + ".svg"
        plots.model_diagram(bottleneck).save(path)
        print(f"drawn in {path}")
    return {"apart": apart, "share": share}
