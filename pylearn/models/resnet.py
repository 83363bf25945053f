"""Residual networks for small images."""

from __future__ import annotations

from typing import Any

from pylearn.blocks import Residual
from pylearn.layers import Activation, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Input
from pylearn.models.sequential import Sequential


def ResNet(
    depth: int = 20, input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10, width: int = 16,
    kernel_regularizer: Any = None, name: str | None = None,
) -> Sequential:  # fmt: skip
    """The residual network of He et al. (2015), section 4.2, for images such as CIFAR's.

    A convolution, then three stages of (depth - 2) / 6 blocks of two convolutions with ``width``, 2 ``width`` and
    4 ``width`` channels, the later two beginning with strides of 2; the mean over the image, and a softmax. Where a
    stage begins, the short way is a convolution of one pixel.

    Args:
        depth: number of layers with weights on the long way: 6 n + 2, such as 20, 32, 44, 56.
        input_shape: of an image (H, W, C), or (H, W).
        classes: size of the output.
        width: channels of the first stage.
        kernel_regularizer: of the convolutions; the paper has ``L2(1e-4)`` (half of it in Keras' convention).
        name: of the model.

    Raises:
        ValueError: another depth.

    >>> ResNet(depth=8, input_shape=(8, 8, 1), width=4).output_shape
    (None, 10)
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"ResNet: depth must be 6 n + 2, such as 20, 32 or 44, got {depth}")

    def convolution(filters: int, strides: int = 1, size: int = 3) -> list[Any]:
        settings = {
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": kernel_regularizer,
        }
        return [Conv2D(filters, size, strides=strides, padding="same", **settings), BatchNormalization()]

    layers: list[Any] = [*convolution(width), Activation("relu")]
    for stage in range(3):
        filters = width * 2**stage
        for block in range((depth - 2) // 6):
            strides = 2 if stage and not block else 1
            way = [*convolution(filters, strides), Activation("relu"), *convolution(filters)]
            layers.append(Residual(*way, activation="relu", normalize=True))
    rows = tuple(input_shape) if len(input_shape) == 3 else (*input_shape, 1)
    head = [GlobalAveragePooling2D(), Dense(classes, activation="softmax")]
    return Sequential([Input(rows), *layers, *head], name=name)
