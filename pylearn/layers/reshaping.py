"""Layers that change shapes: of rows, of steps, of images."""

from __future__ import annotations

import math
import operator
from typing import Any

from pylearn import ops
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import check_data_format, check_rank, sizes_of


class Flatten(Layer):
    """(N, A, B, …) → (N, A·B·…); a row without axes becomes (N, 1)."""

    accepts_integers = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_data_format("Flatten", data_format)

    def call(self, x: Any) -> Any:
        return x if x.ndim == 2 else ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        row = input_shape[1:]
        return (input_shape[0], None if None in row else math.prod(n for n in row if n is not None))

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


class Reshape(Layer):
    """Gives each row another shape of the same size.

    Args:
        target_shape: of one row; one axis may be -1.
    """

    accepts_integers = True

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(n) for n in target_shape)
        if sum(n == -1 for n in self.target_shape) > 1:
            raise ValueError(f"Reshape: at most one axis may be -1, got {self.target_shape}")

    def call(self, x: Any) -> Any:
        row = self._row(tuple(x.shape[1:]))
        return ops.reshape(x, (x.shape[0], *row))

    def _row(self, row: Shape) -> Shape:
        if None in row:
            return tuple(None if n == -1 else n for n in self.target_shape)
        size, known = (
            math.prod(n for n in row if n is not None),
            math.prod(n for n in self.target_shape if n != -1),
        )
        if (-1 in self.target_shape and (known == 0 or size % known)) or (
                -1 not in self.target_shape and size != known):  # fmt: skip
            raise ValueError(
                f"{self.name}: rows of shape {row} ({size} values) cannot become {self.target_shape}"
            )
        return tuple(size // known if n == -1 else n for n in self.target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._row(input_shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(Layer):
    """The axes of a row in another order.

    Args:
        dims: the axes, counted from 1; the batch axis stays first.

    >>> import numpy as np
    >>> Permute((2, 1))(np.ones((5, 10, 64))).shape
    (5, 64, 10)
    """

    accepts_integers = True

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(operator.index(n) for n in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"Permute: dims must be 1 to {len(self.dims)} in some order, got {dims!r}")

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        return ops.transpose(x, (0, *self.dims))

    def _check(self, shape: Any) -> None:
        if len(shape) != len(self.dims) + 1:
            raise ValueError(
                f"{self.name}: dims {self.dims} need rows of {len(self.dims)} axes, got shape {tuple(shape)}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return (input_shape[0], *(input_shape[n] for n in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """(N, F) → (N, n, F): each row n times, as the steps of a sequence.

    Args:
        n: how often.
    """

    accepts_integers = True

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = sizes_of("RepeatVector", "n", n, 1)[0]

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        return ops.broadcast_to(ops.expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))

    def _check(self, shape: Any) -> None:
        if len(shape) != 2:
            raise ValueError(f"{self.name}: RepeatVector needs (batch, features), got shape {tuple(shape)}")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class _Border(Layer):
    """Numbers before and after each axis between those of the batch and the channels."""

    rank: int
    argument: str

    def _ends(self, value: Any) -> tuple[tuple[int, int], ...]:
        """A number for all ends, one for each axis (of a sequence: for each end), or a pair for each axis."""
        owner = type(self).__name__
        if not hasattr(value, "__iter__"):
            value = ((value, value),) * self.rank
        elif self.rank == 1:
            value = (value,)
        pairs = [v if hasattr(v, "__iter__") else (v, v) for v in value]
        if len(pairs) != self.rank or any(len(p) != 2 for p in pairs):
            kind = (
                "a number or (before, after)"
                if self.rank == 1
                else "a number, a number per axis, or a pair per axis"
            )
            raise ValueError(f"{owner}: {self.argument} must be {kind}, got {value!r}")
        a, b = ([sizes_of(owner, self.argument, p[i], 1, least=0)[0] for p in pairs] for i in (0, 1))
        return tuple(zip(a, b, strict=True))


class _ZeroPadding(_Border):
    argument = "padding"

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_data_format(type(self).__name__, data_format)
        self.padding = self._ends(padding)

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, self.rank)
        return ops.pad(x, [(0, 0), *self.padding, (0, 0)])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        sizes = [
            None if n is None else n + a + b
            for n, (a, b) in zip(input_shape[1:-1], self.padding, strict=True)
        ]
        return (input_shape[0], *sizes, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        ends = [list(p) for p in self.padding]
        return {**super().get_config(), "padding": ends[0] if self.rank == 1 else ends}


class ZeroPadding1D(_ZeroPadding):
    """Steps of zeros at both ends: (N, T, C) → (N, T + before + after, C).

    Args:
        padding: a number for both ends, or (before, after).
        data_format: ``"channels_last"``.
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images: (N, H, W, C) → (N, H + top + bottom, W + left + right, C).

    Args:
        padding: a number for all sides, (rows, columns), or ((top, bottom), (left, right)).
        data_format: ``"channels_last"``.

    >>> import numpy as np
    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.ones((1, 4, 4, 3))).shape
    (1, 5, 8, 3)
    """

    rank = 2


class _Cropping(_Border):
    argument = "cropping"
    accepts_integers = True

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_data_format(type(self).__name__, data_format)
        self.cropping = self._ends(cropping)

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        inner = [slice(a, n - b) for n, (a, b) in zip(x.shape[1:-1], self.cropping, strict=True)]
        return x[(slice(None), *inner)]

    def _check(self, shape: Any) -> None:
        check_rank(self, shape, self.rank)
        if any(n is not None and n <= a + b for n, (a, b) in zip(shape[1:-1], self.cropping, strict=True)):
            raise ValueError(
                f"{self.name}: cropping {self.cropping} leaves nothing of rows of shape {tuple(shape[1:])}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        sizes = [
            None if n is None else n - a - b
            for n, (a, b) in zip(input_shape[1:-1], self.cropping, strict=True)
        ]
        return (input_shape[0], *sizes, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        ends = [list(p) for p in self.cropping]
        return {**super().get_config(), "cropping": ends[0] if self.rank == 1 else ends}


class Cropping1D(_Cropping):
    """Takes steps off both ends: (N, T, C) → (N, T - before - after, C).

    Args:
        cropping: a number for both ends, or (before, after).
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)


class Cropping2D(_Cropping):
    """Takes the borders off images: (N, H, W, C) → (N, H - top - bottom, W - left - right, C).

    Args:
        cropping: a number for all sides, (rows, columns), or ((top, bottom), (left, right)).
        data_format: ``"channels_last"``.
    """

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class _UpSampling(Layer):
    rank: int

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_data_format(type(self).__name__, data_format)
        self.size = sizes_of(type(self).__name__, "size", size, self.rank)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        sizes = [None if n is None else n * s for n, s in zip(input_shape[1:-1], self.size, strict=True)]
        return (input_shape[0], *sizes, input_shape[-1])


class UpSampling1D(_UpSampling):
    """Each step repeated: (N, T, C) → (N, T · size, C).

    Args:
        size: how often.
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, 1)
        return ops.upsample1d(self.floats(x), self.size[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size[0]}


class UpSampling2D(_UpSampling):
    """Images enlarged: (N, H, W, C) → (N, H · rows, W · columns, C).

    Args:
        size: one number for both axes, or (rows, columns).
        data_format: ``"channels_last"``.
        interpolation: ``"nearest"`` repeats pixels, ``"bilinear"`` blends the nearest 2 x 2 (half-pixel centres).

    >>> import numpy as np
    >>> UpSampling2D(2)(np.array([[[[1.0], [2.0]]]])).numpy()[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(
                f"UpSampling2D: interpolation must be 'nearest' or 'bilinear', got {interpolation!r}"
            )
        self.interpolation = interpolation

    def call(self, x: Any) -> Any:
        check_rank(self, x.shape, 2)
        return ops.upsample2d(self.floats(x), self.size, self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size), "interpolation": self.interpolation}


class PixelShuffle(Layer):
    """Channels become pixels: (N, H, W, f² C) → (N, f H, f W, C) (Shi et al. 2016).

    Pixel (f p + i, f q + j) of channel c is channel (f i + j) C + c of pixel (p, q): TensorFlow's depth_to_space.

    Args:
        upscale_factor: f.

    >>> import numpy as np
    >>> PixelShuffle(2)(np.ones((1, 4, 4, 12))).shape
    (1, 8, 8, 3)
    """

    def __init__(self, upscale_factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.upscale_factor = sizes_of("PixelShuffle", "upscale_factor", upscale_factor, 1)[0]

    def call(self, x: Any) -> Any:
        self._check(x.shape)
        return ops.pixel_shuffle(self.floats(x), self.upscale_factor)

    def _check(self, shape: Any) -> None:
        check_rank(self, shape, 2)
        if shape[-1] is not None and shape[-1] % self.upscale_factor**2:
            raise ValueError(
                f"{self.name}: the channels must be a multiple of {self.upscale_factor}² = {self.upscale_factor**2}, "
                f"got shape {tuple(shape)}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check(input_shape)
        rows, height, width, channels = input_shape
        f = self.upscale_factor
        larger = (None if n is None else n * f for n in (height, width))
        return (rows, *larger, None if channels is None else channels // f**2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "upscale_factor": self.upscale_factor}
