"""Upsampling: three ways to a larger image, and what "transposed" means.

Repeating pixels and blending neighbours enlarge without weights. A transposed convolution is a convolution's matrix
turned on its side: A takes an image x to a smaller one, Aᵀ takes a small one y to the large, and both say the same
of a pair, ⟨Ax, y⟩ = ⟨x, Aᵀy⟩. It is what carries the gradient back through a convolution; here its weights learn.

The data: handwritten digits of 8×8 pixels.
The course's numbers: ⟨Ax, y⟩ and ⟨x, Aᵀy⟩ differ by at most 1e-5 of their size; repeated pixels averaged again give
the digit to 1e-6.

Question: a kernel of 3 with a stride of 2 covers some pixels once, some twice, some four times. What does one see?

Try: (a) a kernel of 4 instead of 3: where has the pattern gone? (b) padding="same" in both: still the adjoint?
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import AveragePooling2D, Conv2D, Conv2DTranspose, UpSampling2D
from pylearn.utils import set_random_seed


def main(seed: int = 0, verbose: int = 1, plot: str | None = None, kernel: int = 3) -> dict[str, float]:
    """Compare and enlarge; returns the differences."""
    set_random_seed(seed)
    (X, y), _ = digits.load_data(size=8)
    small = X[:4, ..., None].astype("float32") / 16
    down = Conv2D(1, kernel, strides=2, use_bias=False)
    up = Conv2DTranspose(1, kernel, strides=2, use_bias=False)
    large = np.random.default_rng(seed).normal(size=np.asarray(up(small)).shape).astype("float32")
    down(large)
    up.set_weights(down.get_weights())  # the same kernel: A and Aᵀ
    one = float(np.vdot(np.asarray(down(large)), small))
    two = float(np.vdot(large, np.asarray(up(small))))
    scores = {"adjoint": abs(one - two) / max(abs(one), abs(two))}
    repeated, blended = UpSampling2D(2), UpSampling2D(2, interpolation="bilinear")
    scores["repeated"] = float(np.abs(np.asarray(AveragePooling2D(2)(repeated(small))) - small).max())
    if verbose:
        print(f"{small.shape[1:3]} to {large.shape[1:3]}: ⟨Ax, y⟩ = {one:.6f}, ⟨x, Aᵀy⟩ = {two:.6f}")
    report.at_most("⟨Ax, y⟩ − ⟨x, Aᵀy⟩, relative", scores["adjoint"], 1e-5)
    report.at_most("repeated and averaged: difference", scores["repeated"], 1e-6)
    up.set_weights([np.full((kernel, kernel, 1, 1), 1 / kernel, "float32")])
    ways = {"nearest": repeated, "bilinear": blended, "transposed": up}
    sheets = [np.asarray(way(small))[:, :16, :16, 0] for way in ways.values()]
    titles = [f"{name}, a {label}" for name in ways for label in y[:4]]
    report.picture(plot, plots.images, np.concatenate(sheets), titles, columns=4)
    return scores
