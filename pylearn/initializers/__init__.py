"""First values of weights, with Keras' names and defaults.

Without a ``seed`` they draw from pylearn's default generator, so ``set_random_seed`` fixes them; with one, each
call gives the same values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import random, registry
from pylearn._core import Tensor, asarray

# Standard deviation of a normal cut at two sigmas: the divisor that restores the wanted variance.
_TRUNCATION = 0.87962566103423978


class Initializer:
    """``initializer(shape, dtype)`` → Tensor."""

    def __init__(self, **kwargs: Any) -> None:
        registry.reject(self, kwargs)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        raise TypeError(f"{type(self).__name__} has no __call__: write one")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return registry.construct(cls, config)


class _Random(Initializer):
    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    @property
    def _generator(self) -> Any:
        return random.default_generator() if self.seed is None else random.Generator(self.seed)


class Constant(Initializer):
    """Every element ``value`` (a number, or an array of the weight's shape)."""

    def __init__(self, value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        value = np.asarray(self.value, dtype)
        if value.ndim and value.shape != tuple(shape):
            raise ValueError(
                f"Constant has a value of shape {value.shape} for a weight of shape {tuple(shape)}"
            )
        return asarray(np.broadcast_to(value, tuple(shape)).copy())

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class Zeros(Initializer):
    """0"""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        return asarray(np.zeros(tuple(shape), dtype))


class Ones(Initializer):
    """1"""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        return asarray(np.ones(tuple(shape), dtype))


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gain = float(gain)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        if len(shape) != 2:
            raise ValueError(f"Identity is for matrices, got shape {tuple(shape)}")
        return asarray((self.gain * np.eye(shape[0], shape[1])).astype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class RandomUniform(_Random):
    """Uniform on [minval, maxval)."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.minval, self.maxval = float(minval), float(maxval)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        return self._generator.uniform(tuple(shape), self.minval, self.maxval, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(_Random):
    """Normal(mean, stddev)."""

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.mean, self.stddev = float(mean), float(stddev)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        return self._generator.normal(tuple(shape), self.mean, self.stddev, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """Normal(mean, stddev), redrawn beyond two standard deviations."""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        return self._generator.truncated_normal(tuple(shape), self.mean, self.stddev, dtype=dtype)


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """Fan in and fan out: of a matrix (in, out), of a kernel (…, in, out) times its receptive field."""
    if not shape:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class VarianceScaling(_Random):
    """Zero mean and variance scale / n, n the fan in, the fan out or their average.

    Args:
        scale: > 0.
        mode: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"``, ``"untruncated_normal"`` or ``"uniform"``.
        seed: None draws from the default generator.

    >>> VarianceScaling(2.0, seed=0)((300, 200)).numpy().std().round(2)  # sqrt(2 / 300)
    np.float32(0.08)
    """

    MODES = ("fan_in", "fan_out", "fan_avg")
    DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal",
        seed: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(seed, **kwargs)
        if scale <= 0:
            raise ValueError(f"scale must be > 0, got {scale}")
        if mode not in self.MODES:
            raise ValueError(f"mode must be one of {self.MODES}, got {mode!r}")
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in self.DISTRIBUTIONS:
            raise ValueError(f"distribution must be one of {self.DISTRIBUTIONS}, got {distribution!r}")
        self.scale, self.mode, self.distribution = float(scale), mode, distribution

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        shape, generator = tuple(shape), self._generator
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(shape, -limit, limit, dtype=dtype)
        if self.distribution == "untruncated_normal":
            return generator.normal(shape, 0.0, math.sqrt(variance), dtype=dtype)
        return generator.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATION, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


class _Scaled(VarianceScaling):
    SCALE, MODE, DISTRIBUTION = 1.0, "fan_in", "truncated_normal"

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(self.SCALE, self.MODE, self.DISTRIBUTION, seed, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform on ±sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010)."""

    MODE, DISTRIBUTION = "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (fan in + fan out)."""

    MODE = "fan_avg"


class HeUniform(_Scaled):
    """Uniform on ±sqrt(6 / fan in) (He et al. 2015)."""

    SCALE, DISTRIBUTION = 2.0, "uniform"


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / fan in."""

    SCALE = 2.0


class LecunUniform(_Scaled):
    """Uniform on ±sqrt(3 / fan in)."""

    DISTRIBUTION = "uniform"


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / fan in."""


class Orthogonal(_Random):
    """Orthogonal rows or columns, times ``gain`` (Saxe et al. 2013); all axes but the last are one."""

    def __init__(self, gain: float = 1.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.gain = float(gain)

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Tensor:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs at least two axes, got shape {tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        size = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(self._generator.normal(size, dtype="float64").numpy())
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # makes the distribution uniform
        q = q if rows >= columns else q.T
        return asarray(np.ascontiguousarray(self.gain * q.reshape(tuple(shape)), dtype=dtype))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


ALL: list[type[Initializer]] = [
    Zeros, Ones, Constant, Identity, RandomUniform, RandomNormal, TruncatedNormal, VarianceScaling, GlorotUniform,
    GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
]  # fmt: skip

zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_uniform, random_normal, truncated_normal = RandomUniform, RandomNormal, TruncatedNormal
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal

_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in ALL}, **{registry.snake(c.__name__): c for c in ALL},
    "uniform": RandomUniform, "normal": RandomNormal, "zero": Zeros, "one": Ones, "lecun": LecunNormal,
    "he": HeNormal, "glorot": GlorotUniform,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """An initializer from its name, an object, a number (constant), a function of (shape, dtype) or a configuration."""
    if identifier is None:
        return Zeros()
    if isinstance(identifier, str):
        found = registry.lookup(identifier, _TABLE, "initializer")
        return found() if isinstance(found, type) else found
    if registry.is_config(identifier):
        return registry.deserialize(identifier, _TABLE, "initializer")
    if isinstance(identifier, (int, float, np.ndarray, np.generic)) and not isinstance(identifier, bool):
        return Constant(identifier)
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(f"an initializer must be a name, an object or a number, got {identifier!r}")
