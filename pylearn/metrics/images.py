"""How alike two images are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import Tensor
from pylearn.align import reshaped
from pylearn.metrics.base import MeanOverRows


class PSNR(MeanOverRows):
    """10 log10(max² / mean squared error) of each image, in decibels; the mean over images.

    Args:
        max_val: the largest value a pixel can have, 1.0 or 255.

    Shapes: (N, H, W, C), both.
    """

    def __init__(self, max_val: float = 1.0, name: str | None = "psnr", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        if not max_val > 0:
            raise ValueError(f"max_val must be > 0, got {max_val}")
        self.max_val = float(max_val)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y, p = _images(y_true, y_pred, self.name)
        error = ops.mean(ops.reshape(ops.square(y - p), (y.shape[0], -1)), axis=1)
        return ops.log(self.max_val**2 / ops.maximum(error, 1e-300)) * (10.0 / math.log(10.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_val": self.max_val}


class SSIM(MeanOverRows):
    """Structural similarity (Wang et al. 2004): the mean over windows, channels and images of

    (2 μ_x μ_y + c1) (2 σ_xy + c2) / ((μ_x² + μ_y² + c1) (σ_x² + σ_y² + c2)), with means and (co)variances under a
    Gaussian window, c1 = (k1 L)², c2 = (k2 L)².

    Args:
        max_val: L, the largest value a pixel can have.
        filter_size, filter_sigma: of the window.
        k1, k2: as above.

    Shapes: (N, H, W, C), both, H and W at least filter_size.
    """

    def __init__(
        self, max_val: float = 1.0, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01,
        k2: float = 0.03, name: str | None = "ssim", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        if not max_val > 0:
            raise ValueError(f"max_val must be > 0, got {max_val}")
        self.max_val, self.filter_size, self.filter_sigma = (
            float(max_val),
            int(filter_size),
            float(filter_sigma),
        )
        self.k1, self.k2 = float(k1), float(k2)
        place = np.arange(self.filter_size) - (self.filter_size - 1) / 2
        window = np.exp(-(place**2) / (2 * self.filter_sigma**2))
        self._window = window / window.sum()

    def _blurred(self, x: Tensor) -> Tensor:
        for shape in ((self.filter_size, 1, 1, 1), (1, self.filter_size, 1, 1)):
            kernel = np.broadcast_to(self._window.reshape(shape), (*shape[:2], x.shape[-1], 1))
            x = ops.depthwise_conv2d(x, np.ascontiguousarray(kernel))
        return x

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y, p = _images(y_true, y_pred, self.name)
        if y.ndim != 4 or min(y.shape[1:3]) < self.filter_size:
            raise ValueError(f"[{self.name}] images must be (N, H, W, C) with H and W at least {self.filter_size}, got "
                             f"{y.shape}")  # fmt: skip
        c1, c2 = (self.k1 * self.max_val) ** 2, (self.k2 * self.max_val) ** 2
        a, b = self._blurred(y), self._blurred(p)
        aa, bb, ab = a * a, b * b, a * b
        spread = self._blurred(y * y + p * p) - aa - bb
        shared = self._blurred(y * p) - ab
        like = (2.0 * ab + c1) * (2.0 * shared + c2) / ((aa + bb + c1) * (spread + c2))
        return ops.mean(ops.reshape(like, (y.shape[0], -1)), axis=1)

    def get_config(self) -> dict[str, Any]:
        settings = ("max_val", "filter_size", "filter_sigma", "k1", "k2")
        return {**super().get_config(), **{name: getattr(self, name) for name in settings}}


def _images(y_true: Tensor, y_pred: Tensor, owner: str) -> tuple[Tensor, Tensor]:
    y_true = reshaped(y_true, y_pred.shape, owner)
    return ops.cast(y_true, "float64"), ops.cast(y_pred, "float64")
