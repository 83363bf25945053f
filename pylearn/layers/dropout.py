"""Noise while training: values dropped, or disturbed."""

from __future__ import annotations

import math
import operator
from typing import Any

from pylearn import ops, random
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import check_data_format, check_rank


class Noisy(Layer):
    """A layer that draws random numbers: from the default generator, or with ``seed`` from one of its own."""

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = None if seed is None else operator.index(seed)
        self._generator = (
            random.default_generator() if seed is None else random.Generator(operator.index(seed))
        )

    def fraction(self, argument: str, value: Any) -> float:
        """A checked fraction to drop."""
        if not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
            raise ValueError(
                f"{type(self).__name__}: {argument} is the fraction dropped and must be in [0, 1), got {value!r}"
            )
        return float(value)

    def dropped(self, x: Any, rate: float, shape: tuple[int, ...] | None = None) -> Any:
        """x with a fraction of its values 0 and the others scaled up; together along axes of size 1 of ``shape``."""
        if rate == 0.0:
            return x
        if shape is None:
            return ops.dropout(x, rate, self._generator._state)
        return x * self.kept(shape, rate, x.dtype)

    def kept(self, shape: tuple[int, ...], rate: float, dtype: Any) -> Any:
        """0 with probability ``rate``, else 1 / (1 - rate)."""
        draws = self._generator.uniform(shape)
        return ops.cast(ops.greater_equal(draws, rate), dtype) * (1.0 / (1.0 - rate))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self.seed is None else {**config, "seed": self.seed}


class _Rated(Noisy):
    """Noise of a rate, that leaves the shape as it is."""

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = self.fraction("rate", rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class Dropout(_Rated):
    """While training, sets a fraction of the values to zero and scales the others up (Srivastava et al. 2014).

    Args:
        rate: fraction dropped, in [0, 1).
        noise_shape: shape of the mask, the batch axis first: values along its axes of size 1 are dropped together.
            None stands for the input's size.
        seed: of a generator of its own; the default generator otherwise.

    >>> import numpy as np
    >>> bool((Dropout(0.5)(np.ones((2, 2))).numpy() == 1).all())  # at rest outside training
    True
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        return self.dropped(self.floats(x), self.rate, self._shape(x.shape))

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        if self.noise_shape is None:
            return None
        given = self.noise_shape
        if len(given) != len(shape) or any(g not in (None, 1, n) for g, n in zip(given, shape, strict=True)):
            raise ValueError(
                f"{self.name}: noise_shape {given} does not fit an input of shape {tuple(shape)}"
            )
        return tuple(n if g is None else g for g, n in zip(given, shape, strict=True))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self.noise_shape is None else {**config, "noise_shape": list(self.noise_shape)}


class _SpatialDropout(_Rated):
    rank: int

    def call(self, x: Any, training: bool = False) -> Any:
        check_rank(self, x.shape, self.rank)
        if not training or self.rate == 0.0:
            return x
        return self.dropped(self.floats(x), self.rate, (x.shape[0], *(1,) * self.rank, x.shape[-1]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        check_rank(self, input_shape, self.rank)
        return input_shape


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of a sequence (N, T, C) (Tompson et al. 2014).

    Args:
        rate: fraction dropped, in [0, 1).
        seed: of a generator of its own.
    """

    rank = 1


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images (N, H, W, C) (Tompson et al. 2014).

    Args:
        rate: fraction dropped, in [0, 1).
        data_format: ``"channels_last"``.
        seed: of a generator of its own.
    """

    rank = 2

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        check_data_format("SpatialDropout2D", data_format)


class GaussianDropout(_Rated):
    """While training, multiplies by normal noise of mean 1 and variance rate / (1 - rate) (Srivastava et al. 2014).

    Args:
        rate: as for ``Dropout``, in [0, 1).
        seed: of a generator of its own.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        x = self.floats(x)
        return x * self._generator.normal(x.shape, 1.0, math.sqrt(self.rate / (1.0 - self.rate)), x.dtype)


class GaussianNoise(Noisy):
    """While training, adds normal noise of mean 0.

    Args:
        stddev: its standard deviation, ≥ 0.
        seed: of a generator of its own.
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not 0.0 <= stddev < float("inf"):
            raise ValueError(f"GaussianNoise: stddev must be a finite number ≥ 0, got {stddev!r}")
        self.stddev = float(stddev)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0.0:
            return x
        x = self.floats(x)
        return x + self._generator.normal(x.shape, 0.0, self.stddev, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}
