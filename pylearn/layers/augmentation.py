"""Random changes of images (N, H, W, C) while training, different for each image, and crops and sizes at all times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pylearn import ops
from pylearn._core import asarray
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import check_data_format, check_rank, sizes_of
from pylearn.layers.dropout import Noisy

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
INTERPOLATIONS = ("bilinear", "nearest")


def _one_of(owner: str, argument: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"{owner}: {argument} must be one of {', '.join(known)}, got {value!r}")
    return value


def sample(
    x: Any, rows: Any, columns: Any, interpolation: str = "bilinear", fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Any:  # fmt: skip
    """Images read at other places, which may lie between pixels and outside.

    Args:
        x: (N, H, W, C).
        rows, columns: where each pixel of the output is read, (N, P, Q).
        interpolation: ``"bilinear"`` blends the four pixels around, ``"nearest"`` takes the nearest.
        fill_mode: what lies outside: ``"constant"`` (fill_value), ``"nearest"`` (a a a | a b c d | d d d),
            ``"reflect"`` (c b a | a b c d | d c b), ``"wrap"`` (b c d | a b c d | a b c).
        fill_value: the constant.

    Returns:
        (N, P, Q, C).
    """
    count, height, width, channels = x.shape
    flat = ops.reshape(x, (count * height * width, channels))
    first = asarray((np.arange(count) * height * width).reshape(count, 1, 1))

    def along(places: Any, size: int) -> list[tuple[Any, Any, Any]]:
        """The pixels that are read along an axis: index, whether it lies inside, weight."""
        if interpolation == "nearest":
            near = [(ops.round(places), None)]
        else:
            low = ops.floor(places)
            near = [(low, 1.0 - (places - low)), (low + 1.0, places - low)]
        found = []
        for index, weight in near:
            inside = None
            if fill_mode == "wrap":
                kept = ops.remainder(index, float(size))
            elif fill_mode == "reflect":
                kept = ops.remainder(index, 2.0 * size)
                kept = ops.minimum(kept, (2.0 * size - 1.0) - kept)
            else:
                kept = ops.clip(index, 0.0, size - 1.0)
                inside = ops.equal(kept, index) if fill_mode == "constant" else None
            found.append((ops.cast(kept, "int64"), inside, weight))
        return found

    total = None
    for row, row_inside, row_weight in along(rows, height):
        for column, column_inside, column_weight in along(columns, width):
            part = ops.take(flat, first + row * width + column, axis=0)
            if row_inside is not None:
                part = ops.where(
                    ops.expand_dims(ops.logical_and(row_inside, column_inside), -1), part, fill_value
                )
            if row_weight is not None:
                part = part * ops.cast(ops.expand_dims(row_weight * column_weight, -1), x.dtype)
            total = part if total is None else total + part
    return total


class _Augmentation(Noisy):
    """Changes images in training, and leaves their shape."""

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        check_data_format(type(self).__name__, data_format)

    def change(self, x: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no change: write one")

    def call(self, x: Any, training: bool = False) -> Any:
        check_rank(self, x.shape, 2)
        x = self.floats(x)
        return self.change(x) if training else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, 2)
        return input_shape

    def drawn(self, bounds: tuple[float, float], x: Any, axes: int = 2) -> Any:
        """A number for each image, with axes to spread it."""
        return self._generator.uniform((x.shape[0], *(1,) * axes), *bounds)

    def between(self, argument: str, factor: Any, low: float, high: float) -> tuple[float, float]:
        """(lower, upper) of a factor: a number f for (-f, f), or a pair, inside [low, high]."""
        pair = tuple(factor) if isinstance(factor, (list, tuple)) else (-abs(factor), abs(factor))
        if len(pair) != 2 or not low <= min(pair) <= max(pair) <= high:
            raise ValueError(
                f"{type(self).__name__}: {argument} must be a number or two of them in [{low:g}, {high:g}], "
                f"got {factor!r}"
            )
        return float(min(pair)), float(max(pair))


class RandomFlip(_Augmentation):
    """Mirrors each image with probability 1/2 along each axis of ``mode``, in training.

    Args:
        mode: ``"horizontal"`` (left and right), ``"vertical"``, or ``"horizontal_and_vertical"``.
        seed: of a generator of its own.
        data_format: ``"channels_last"``.
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        self.mode = _one_of("RandomFlip", "mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def change(self, x: Any) -> Any:
        for axis, name in ((2, "horizontal"), (1, "vertical")):
            if name in self.mode:
                x = ops.where(ops.less(self.drawn((0.0, 1.0), x, 3), 0.5), ops.flip(x, axis=axis), x)
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


class _Affine(_Augmentation):
    """Reads each pixel (x, y) of the output at a place of the input that depends on x and y linearly."""

    def __init__(
        self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float, data_format: str | None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, data_format, **kwargs)
        owner = type(self).__name__
        self.fill_mode = _one_of(owner, "fill_mode", fill_mode, FILL_MODES)
        self.interpolation = _one_of(owner, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = float(fill_value)

    def places(self, x: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        """Where the output's rows (1, H, 1) and columns (1, 1, W) are read, (N, H, W) or spread to that."""
        raise TypeError(f"{type(self).__name__} has no places: write one")

    def change(self, x: Any) -> Any:
        count, height, width, _ = x.shape
        rows = asarray(np.arange(height, dtype="float32").reshape(1, height, 1))
        columns = asarray(np.arange(width, dtype="float32").reshape(1, 1, width))
        read = self.places(x, rows, columns)
        read = tuple(ops.broadcast_to(p, (count, height, width)) for p in read)
        return sample(x, *read, self.interpolation, self.fill_mode, self.fill_value)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "fill_mode": self.fill_mode, "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }  # fmt: skip


class RandomTranslation(_Affine):
    """Shifts each image by a random part of its height and width, in training.

    Args:
        height_factor: largest shift as a fraction of the height, or (lower, upper); positive is down.
        width_factor: the same for the width; positive is to the right.
        fill_mode: what comes in: ``"reflect"``, ``"constant"`` (fill_value), ``"nearest"`` or ``"wrap"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: of a generator of its own.
        fill_value: for ``"constant"``.
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> RandomTranslation(0.1, 0.1)(np.ones((2, 8, 8, 3)), training=True).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self, height_factor: Any, width_factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = self.between("height_factor", height_factor, -1.0, 1.0)
        self.width_factor = self.between("width_factor", width_factor, -1.0, 1.0)

    def places(self, x: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        down = self.drawn(self.height_factor, x) * float(x.shape[1])
        right = self.drawn(self.width_factor, x) * float(x.shape[2])
        return rows - down, columns - right

    def get_config(self) -> dict[str, Any]:
        factors = {"height_factor": list(self.height_factor), "width_factor": list(self.width_factor)}
        return {**super().get_config(), **factors}


class RandomRotation(_Affine):
    """Turns each image by a random angle about its middle, in training.

    Args:
        factor: largest angle as a fraction of a full turn, or (lower, upper); positive is counter-clockwise.
        fill_mode: what comes in: ``"reflect"``, ``"constant"`` (fill_value), ``"nearest"`` or ``"wrap"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: of a generator of its own.
        fill_value: for ``"constant"``.
        data_format: ``"channels_last"``.
    """

    def __init__(
        self, factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear", seed: int | None = None,
        fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = self.between("factor", factor, -1.0, 1.0)

    def places(self, x: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        angle = self.drawn(self.factor, x) * (2.0 * math.pi)
        cos, sin = ops.cos(angle), ops.sin(angle)
        middle_y, middle_x = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        y, z = rows - middle_y, columns - middle_x
        return sin * z + cos * y + middle_y, cos * z - sin * y + middle_x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


class RandomZoom(_Affine):
    """Shows a larger or smaller part of each image, in training.

    Args:
        height_factor: largest zoom, or (lower, upper), in [-1, 1]: an image shows 1 + f of its height, so negative
            numbers zoom in and positive ones out.
        width_factor: the same for the width; None keeps the proportions.
        fill_mode: what comes in: ``"reflect"``, ``"constant"`` (fill_value), ``"nearest"`` or ``"wrap"``.
        interpolation: ``"bilinear"`` or ``"nearest"``.
        seed: of a generator of its own.
        fill_value: for ``"constant"``.
        data_format: ``"channels_last"``.
    """

    def __init__(
        self, height_factor: Any, width_factor: Any = None, fill_mode: str = "reflect",
        interpolation: str = "bilinear", seed: int | None = None, fill_value: float = 0.0,
        data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = self.between("height_factor", height_factor, -1.0, 1.0)
        self.width_factor = (
            None if width_factor is None else self.between("width_factor", width_factor, -1.0, 1.0)
        )

    def places(self, x: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        tall = self.drawn(self.height_factor, x) + 1.0
        wide = tall if self.width_factor is None else self.drawn(self.width_factor, x) + 1.0
        middle_y, middle_x = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        return (rows - middle_y) * tall + middle_y, (columns - middle_x) * wide + middle_x

    def get_config(self) -> dict[str, Any]:
        width = None if self.width_factor is None else list(self.width_factor)
        return {**super().get_config(), "height_factor": list(self.height_factor), "width_factor": width}


class _Values(_Augmentation):
    """Changes the values of pixels, which stay in a range."""

    def __init__(self, value_range: Any, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if len(value_range) != 2 or not value_range[0] < value_range[1]:
            raise ValueError(f"{type(self).__name__}: value_range must be (low, high), got {value_range!r}")
        self.value_range = (float(value_range[0]), float(value_range[1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": list(self.value_range)}


class RandomContrast(_Values):
    """Brings the values of each image closer to the mean of their channel or farther away, in training.

    (x - mean) · c + mean with c random in [1 - lower, 1 + upper].

    Args:
        factor: lower = upper, or (lower, upper), each in [0, 1].
        value_range: the result is clipped to it; (0, 255) by default, as in Keras: give (0, 1) for scaled images.
        seed: of a generator of its own.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        lower, upper = factor if isinstance(factor, (list, tuple)) and len(factor) == 2 else (factor, factor)
        for value in (lower, upper):
            if not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
                raise ValueError(
                    f"RandomContrast: factor must be a number or two of them in [0, 1], got {factor!r}"
                )
        self.factor = (float(lower), float(upper))

    def change(self, x: Any) -> Any:
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        c = ops.cast(self.drawn((1.0 - self.factor[0], 1.0 + self.factor[1]), x, 3), x.dtype)
        return ops.clip((x - mean) * c + mean, *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


class RandomBrightness(_Values):
    """Adds a random part of the range of values to each image, in training.

    Args:
        factor: largest part, or (lower, upper), each in [-1, 1].
        value_range: the result is clipped to it; (0, 255) by default, as in Keras: give (0, 1) for scaled images.
        seed: of a generator of its own.
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = self.between("factor", factor, -1.0, 1.0)

    def change(self, x: Any) -> Any:
        low, high = self.value_range
        more = ops.cast(self.drawn(self.factor, x, 3) * (high - low), x.dtype)
        return ops.clip(x + more, low, high)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": list(self.factor)}


class _Sized(Layer):
    """Images of a given size, in training and outside."""

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        check_data_format(owner, data_format)
        self.height = sizes_of(owner, "height", height, 1)[0]
        self.width = sizes_of(owner, "width", width, 1)[0]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, 2)
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def shape_of(self, image: tuple[int, int], larger: bool) -> tuple[int, int]:
        """The largest part of an image (or the smallest frame around it) of the proportions of the output."""
        height, width = image
        tall, wide = int(width * self.height / self.width), int(height * self.width / self.height)
        if larger:
            return max(height, tall), max(width, wide)
        return max(1, min(height, tall)), max(1, min(width, wide))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


def _middle(x: Any, height: int, width: int) -> Any:
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return x[:, top : top + height, left : left + width]


class CenterCrop(_Sized):
    """The middle of each image; one that is too small is first cut to the proportions, then enlarged.

    Args:
        height, width: of the output.
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> CenterCrop(2, 2)(np.arange(16.0).reshape(1, 4, 4, 1)).numpy().ravel()
    array([ 5.,  6.,  9., 10.], dtype=float32)
    """

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, 2)
        x = self.floats(x)
        if x.shape[1] >= self.height and x.shape[2] >= self.width:
            return _middle(x, self.height, self.width)
        return ops.resize2d(
            _middle(x, *self.shape_of(x.shape[1:3], False)), (self.height, self.width), "bilinear"
        )


class Resizing(_Sized):
    """Images of another size, in training and outside.

    Args:
        height, width: of the output.
        interpolation: ``"bilinear"`` or ``"nearest"``, with half-pixel centres.
        crop_to_aspect_ratio: cut the largest part of the output's proportions out of the middle first.
        pad_to_aspect_ratio: put each image into the smallest frame of the output's proportions first.
        fill_mode: ``"constant"``.
        fill_value: of the frame.
        antialias: False.
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> Resizing(4, 6)(np.ones((1, 8, 8, 3))).shape
    (1, 4, 6, 3)
    """

    def __init__(
        self, height: int, width: int, interpolation: str = "bilinear", crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False, fill_mode: str = "constant", fill_value: float = 0.0,
        antialias: bool = False, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(height, width, data_format, **kwargs)
        self.interpolation = _one_of("Resizing", "interpolation", interpolation, INTERPOLATIONS)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("Resizing: give one of crop_to_aspect_ratio and pad_to_aspect_ratio")
        _one_of("Resizing", "fill_mode", fill_mode, ("constant",))
        if antialias:
            raise ValueError("Resizing: antialias=True is not supported")
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = (
            bool(crop_to_aspect_ratio),
            bool(pad_to_aspect_ratio),
        )
        self.fill_value = float(fill_value)

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, 2)
        x = self.floats(x)
        if self.crop_to_aspect_ratio:
            x = _middle(x, *self.shape_of(x.shape[1:3], False))
        elif self.pad_to_aspect_ratio:
            height, width = self.shape_of(x.shape[1:3], True)
            top, left = (height - x.shape[1]) // 2, (width - x.shape[2]) // 2
            x = ops.pad(x, [(0, 0), (top, top), (left, left), (0, 0)], self.fill_value)
        return ops.resize2d(x, (self.height, self.width), self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "interpolation": self.interpolation, "fill_value": self.fill_value,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio, "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
        }  # fmt: skip
