"""A metric: state, an update per batch, a result."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pylearn import ops, registry
from pylearn._core import Tensor, asarray
from pylearn.align import tensors, weighted


class _Here(threading.local):
    later = False  # is a step being run whose metrics are read after it?


_here = _Here()


@contextlib.contextmanager
def deferring() -> Iterator[None]:
    """Inside, ``result()`` of a metric gives a ``Later``: a step can be recorded only if it reads no value."""
    outer, _here.later = _here.later, True
    try:
        yield
    finally:
        _here.later = outer


class Later:
    """A metric's result, read when it is asked for as a number."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def __float__(self) -> float:
        outer, _here.later = _here.later, False
        try:
            return float(self.metric.result())
        finally:
            _here.later = outer

    def __repr__(self) -> str:
        return f"<result of {self.metric.name}>"


def _deferrable(result: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(result)
    def wrapped(self: Metric) -> Any:
        return Later(self) if _here.later else result(self)

    return wrapped


class Metric:
    """Base class: make state with ``add_variable`` in ``__init__``, write ``update_state`` and ``result``.

    Args:
        name: key in logs; the snake-cased class name by default.

    >>> from pylearn.metrics import BinaryAccuracy
    >>> metric = BinaryAccuracy()
    >>> metric.update_state([1, 0], [0.9, 0.8])
    >>> metric.update_state([1, 1], [0.9, 0.8])
    >>> metric.result()
    0.75
    """

    on_host = False  # is it updated with NumPy arrays between the steps, rather than inside them?

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "result" in vars(cls):
            cls.result = _deferrable(vars(cls)["result"])  # type: ignore[method-assign]

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        kwargs.pop("dtype", None)  # state is always float64
        registry.reject(self, kwargs, ("name",))
        self.name = name or registry.snake(type(self).__name__)
        self._variables: list[Tensor] = []

    @property
    def variables(self) -> list[Tensor]:
        """The state, float64 Tensors."""
        return list(self._variables)

    def add_variable(self, shape: Sequence[int] = (), name: str | None = None) -> Tensor:
        """A float64 Tensor of zeros that ``reset_state`` sets back to zero."""
        variable = asarray(np.zeros(tuple(shape), "float64"))
        if name:
            variable.name = f"{self.name}/{name}"
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Tensor:  # fmt: skip
        """Keras' name for ``add_variable``. State is float64 and begins with zeros, whatever ``dtype`` says.

        Raises:
            ValueError: an initializer other than zeros.
        """
        if initializer not in (None, "zeros", "zero", "Zeros") and type(initializer).__name__ != "Zeros":
            raise ValueError(
                f"{self.name}: state of a metric begins with zeros, got initializer={initializer!r}"
            )
        return self.add_variable(() if shape is None else shape, name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in a batch."""
        raise TypeError(f"{type(self).__name__} has no update_state: write one")

    def result(self) -> float:
        """The value over everything since the last reset."""
        raise TypeError(f"{type(self).__name__} has no result: write one")

    def reset_state(self) -> None:
        for variable in self._variables:
            ops.assign(variable, 0.0)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Takes in a batch and gives the value so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return registry.construct(cls, config, ("name",))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def ratio(numerator: float, denominator: float) -> float:
    """The quotient; 0 where nothing was counted."""
    return numerator / denominator if denominator else 0.0


class Mean(Metric):
    """Weighted mean of the values given."""

    def __init__(self, name: str | None = "mean", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.total, self.count = self.add_variable(), self.add_variable()

    def update_state(self, values: Any, sample_weight: Any = None, _unused: Any = None) -> None:  # type: ignore[override]
        values = values if isinstance(values, Tensor) else asarray(np.asarray(values, "float64"))
        self._add(values, sample_weight)

    def _add(self, values: Tensor, sample_weight: Any) -> None:
        if values.dtype != np.float64:
            values = ops.cast(values, "float64")
        if sample_weight is None:
            ops.assign_add(self.total, ops.sum(values) if values.ndim else values)
            ops.assign_add(self.count, float(values.size))
            return
        if not isinstance(sample_weight, Tensor):
            sample_weight = asarray(np.asarray(sample_weight, "float64"))
        values, weight = weighted(values, sample_weight, self.name)
        assert weight is not None
        ops.assign_add(self.total, ops.sum(values * weight))
        ops.assign_add(self.count, ops.sum(weight))

    def result(self) -> float:
        return ratio(self.total.item(), self.count.item())

    def __call__(self, values: Any, sample_weight: Any = None, _unused: Any = None) -> float:  # type: ignore[override]
        self.update_state(values, sample_weight)
        return self.result()


class Sum(Metric):
    """Weighted sum of the values given."""

    def __init__(self, name: str | None = "sum", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.total = self.add_variable()

    def update_state(self, values: Any, sample_weight: Any = None, _unused: Any = None) -> None:  # type: ignore[override]
        values = values if isinstance(values, Tensor) else asarray(np.asarray(values, "float64"))
        values = ops.cast(values, "float64")
        if sample_weight is not None:
            if not isinstance(sample_weight, Tensor):
                sample_weight = asarray(np.asarray(sample_weight, "float64"))
            values, weight = weighted(values, sample_weight, self.name)
            values = values * weight
        ops.assign_add(self.total, ops.sum(values))

    def result(self) -> float:
        return float(self.total.item())


class MeanOverRows(Mean):
    """Base class of metrics that are a mean of a value per row: write ``values(y_true, y_pred)``."""

    regression = False

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} has no values(y_true, y_pred): write one")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred, sample_weight, _ = tensors(y_true, y_pred, sample_weight)
        self._add(self.values(y_true, y_pred), sample_weight)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:  # type: ignore[override]
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


class FunctionMetric(MeanOverRows):
    """The mean of a function (y_true, y_pred) → a value per row, or a scalar."""

    def __init__(self, function: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name or getattr(function, "__name__", "metric"), **kwargs)
        self.function = function

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if not registry.takes_two(self.function):
            raise TypeError(f"the metric {self.name!r} must be a function of (y_true, y_pred)")
        out = self.function(y_true, y_pred)
        if out is None:
            raise TypeError(
                f"the metric {self.name!r} must return a value per row or a number, but returned nothing (None)"
            )
        return out if isinstance(out, Tensor) else asarray(np.asarray(out, "float64"))
