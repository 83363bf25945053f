"""An ensemble of networks: trained apart, their outputs averaged.

Source: B. Lakshminarayanan, A. Pritzel, C. Blundell (2017), "Simple and scalable predictive uncertainty estimation
using deep ensembles"; with resampled rows, L. Breiman (1996), "Bagging predictors".
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from pylearn import random, registry, structure
from pylearn.base import Estimator
from pylearn.models import Model, saving

__all__ = ["DeepEnsemble"]


class DeepEnsemble(Estimator):
    """``n`` networks of one structure, each with first weights, order of rows and, by default, a sample of its own.

    Args:
        model: a compiled model, of whose structure and settings each member is made anew (its weights are not used and
            stay as they are), or a function without arguments that returns a compiled model.
        n: members.
        bootstrap: train each member on as many rows drawn with replacement (bagging); False: on all rows.
        random_state: None (pylearn's default generator) or a whole number.

    Attributes:
        members_: the trained models.
        histories_: what ``fit`` of each returned.

    Example:
        >>> from pylearn.layers import Dense
        >>> from pylearn.models import Sequential
        >>> model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy")
        >>> X, y = np.random.rand(90, 4), np.arange(90) % 3
        >>> ensemble = DeepEnsemble(model, n=3, random_state=0).fit(X, y, epochs=2, verbose=0)
        >>> ensemble.predict(X).shape, ensemble.predict_members(X).shape
        ((90, 3), (3, 90, 3))
    """

    def __init__(
        self,
        model: Model | Callable[[], Model],
        n: int = 5,
        *,
        bootstrap: bool = True,
        random_state: int | None = None,
    ) -> None:
        self.model = model
        self.n = n
        self.bootstrap = bootstrap
        self.random_state = random_state

    def fit(self, x: Any, y: Any, sample_weight: Any = None, **options: Any) -> Self:
        """Train the members one after another.

        Args:
            x, y: arrays, or lists or dicts of them, as ``Model.fit`` takes.
            sample_weight: weight per row.
            **options: of ``Model.fit``.

        Raises:
            TypeError: ``model`` is neither a compiled model nor a function that returns one.
            ValueError: ``n`` is below 1, arrays have different numbers of rows.
        """
        count = operator.index(self.n)
        if count < 1:
            raise ValueError(f"[DeepEnsemble] n must be at least 1, got {self.n}")
        lengths = {len(a) for a in structure.leaves([_arrays(x), _arrays(y)])}
        if len(lengths) != 1:
            raise ValueError(f"[DeepEnsemble] x and y must have as many rows, they have {sorted(lengths)}")
        rows = lengths.pop()
        generator = random.default_generator()
        before = generator.state()
        if self.random_state is not None:
            random.seed(operator.index(self.random_state))
        try:
            members, histories = [], []
            for _ in range(count):
                member = self._member()
                index = generator.integers(0, rows, (rows,)).numpy() if self.bootstrap else None
                given = [_take(part, index) for part in (x, y, sample_weight)]
                histories.append(member.fit(given[0], given[1], sample_weight=given[2], **options))
                members.append(member)
        finally:
            if self.random_state is not None:
                generator.set_state(before)
        self.members_, self.histories_ = members, histories
        return self

    def predict_members(self, x: Any, **options: Any) -> np.ndarray:
        """The outputs of each member, (n, N, …)."""
        self._check_fitted()
        return np.stack([member.predict(x, **options) for member in self.members_])

    def predict(self, x: Any, **options: Any) -> np.ndarray:
        """The mean of the members' outputs, (N, …): of probabilities, a probability."""
        return self.predict_members(x, **options).mean(axis=0)

    def _member(self) -> Model:
        if isinstance(self.model, Model):
            if self.model._compiled is None:
                raise TypeError(
                    "[DeepEnsemble] compile the model first: model.compile(optimizer='adam', loss=…)"
                )
            return _anew(self.model)
        made = self.model() if callable(self.model) else self.model
        if not isinstance(made, Model) or made._compiled is None:
            raise TypeError(
                "[DeepEnsemble] model must be a compiled model or a function that returns one, got "
                f"{type(made).__name__}"
            )
        return made


def _anew(model: Model) -> Model:
    """A model of the same structure and settings with first weights of its own."""
    with registry.custom_objects(saving.foreign_classes(model)):
        made: Model = saving.layer_from_config(registry.serialize(model))
    compiled = model.compiled("making an ensemble of it")
    made.compile(
        compiled.optimizer, compiled.loss, compiled.loss_weights, compiled.metrics, compiled.weighted_metrics,
        compiled.run_eagerly,
    )  # fmt: skip
    return made


def _arrays(value: Any) -> Any:
    """A nest of arrays; a list of numbers is one."""
    several = isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and all(hasattr(item, "shape") for item in value)
    )
    return structure.transform(np.asarray, value) if several else np.asarray(value)


def _take(value: Any, index: np.ndarray | None) -> Any:
    if value is None or index is None:
        return value
    return structure.transform(lambda a: a[index], _arrays(value))
