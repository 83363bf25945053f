"""What a network needs to be an estimator: parameters that reach its builder, training, and its bytes when pickled."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from pylearn import random, registry, validation
from pylearn.base import Estimator
from pylearn.models import Model, saving
from pylearn.sparse import CSR

_FEW = 4
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Network(Estimator):
    """The common part of NetClassifier and NetRegressor.

    The parameters of ``build`` behind its first two are parameters of the estimator: they are among ``get_params``,
    and can be set and searched by their own names.
    """

    _sparse = True
    _nd = True
    _default_build: Callable[..., Model]
    model_: Model
    row_shape_: tuple[int, ...]

    def __init__(
        self,
        build: Callable[..., Model] | None = None,
        *,
        epochs: int = 50,
        batch_size: int = 32,
        optimizer: Any = None,
        loss: Any = None,
        learning_rate: float | None = None,
        hidden: Any = None,
        dropout: float | None = None,
        validation_split: float = 0.0,
        callbacks: Any = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: Any = 0,
        **build_params: Any,
    ) -> None:
        self.build = build
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.loss = loss
        self.learning_rate = learning_rate
        self.hidden = hidden
        self.dropout = dropout
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._take(build_params, TypeError)

    # -- parameters -------------------------------------------------------------------------------

    def _own_defaults(self) -> dict[str, Any]:
        parameters = list(inspect.signature(type(self).__init__).parameters.values())[1:]
        return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}

    def _builder(self) -> Callable[..., Model]:
        build = self.build if self.build is not None else type(self)._default_build
        if not callable(build) or isinstance(build, Model):
            raise TypeError(
                f"[{self._name}] build must be a function (input_shape, n_outputs, …) that returns a model, "
                f"got {build!r}"
            )
        return build

    def _build_defaults(self) -> tuple[dict[str, Any], bool]:
        """Parameters of ``build`` behind its first two with their defaults, and whether it takes any others."""
        try:
            parameters = list(inspect.signature(self._builder()).parameters.values())
        except (TypeError, ValueError):  # not a function: told by fit
            return {}, True
        named = [p for p in parameters if p.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)]
        skipped = 0
        defaults: dict[str, Any] = {}
        for p in named:
            if skipped < 2 and p.kind in _POSITIONAL:
                skipped += 1
            else:
                defaults[p.name] = None if p.default is p.empty else p.default
        return defaults, any(p.kind is p.VAR_KEYWORD for p in parameters)

    def _defaults(self) -> dict[str, Any]:
        own = self._own_defaults()
        build, open_ended = self._build_defaults()
        known = {**build, **own}
        if open_ended:
            known.update(
                {
                    n: None
                    for n in vars(self)
                    if not n.endswith("_") and not n.startswith("_") and n not in known
                }
            )
        return dict(sorted(known.items()))

    def _take(self, params: Mapping[str, Any], error: type[Exception]) -> None:
        """Store parameters of ``build``."""
        known, open_ended = self._build_defaults()
        for name, value in params.items():
            if name not in known and not open_ended:
                raise error(self._unknown(name))
            if name in known and value is known[name]:
                vars(self).pop(name, None)  # build's own default
            else:
                setattr(self, name, value)

    def _unknown(self, name: str) -> str:
        build, own = list(self._build_defaults()[0]), list(self._own_defaults())
        what = (
            "the default network" if self.build is None else getattr(self.build, "__name__", "build") + "()"
        )
        return (
            f"Invalid parameter {name!r} for estimator {self._name}{registry.suggest(name, [*build, *own])}. "
            f"{what} takes: {build!r}. Valid parameters besides: {own!r}."
        )

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of ``build`` among them; ``name__inner`` reaches into nested objects.

        Raises:
            ValueError: a name that neither the estimator nor ``build`` takes; the message lists those they take.
        """
        own = self._own_defaults()
        super().set_params(**{n: v for n, v in params.items() if n.partition("__")[0] in own})
        rest = {n: v for n, v in params.items() if n.partition("__")[0] not in own}
        self._take({n: v for n, v in rest.items() if "__" not in n}, ValueError)
        nested = {n: v for n, v in rest.items() if "__" in n}
        for name in nested:
            if name.partition("__")[0] not in self._defaults():
                raise ValueError(self._unknown(name.partition("__")[0]))
        super().set_params(**nested)
        return self

    def _build_arguments(self) -> dict[str, Any]:
        """What ``build`` is called with behind its first two."""
        known, open_ended = self._build_defaults()
        given = {
            n: v for n, v in vars(self).items() if n in known or (open_ended and n in self._defaults() and n not in
                                                                  self._own_defaults())
        }  # fmt: skip
        for name in ("hidden", "dropout"):
            if getattr(self, name) is not None and name not in known:
                if not open_ended:
                    raise ValueError(self._unknown(name))
                given[name] = getattr(self, name)
        own = self._own_defaults()
        return {
            n: v for n, v in given.items() if not (v is None and n in own)
        }  # None leaves build its own default

    # -- training ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _seeded(self) -> Iterator[None]:
        """With a ``random_state``, draws of its own; the default generator goes on as if nothing had happened."""
        state = self.random_state
        if state is None:
            yield
            return
        if isinstance(state, np.random.RandomState):
            seed = int(state.randint(2**31))
        elif isinstance(state, np.random.Generator):
            seed = int(state.integers(2**31))
        elif isinstance(state, int | np.integer) and not isinstance(state, bool) and 0 <= state < 2**32:
            seed = int(state)
        else:
            raise ValueError(
                f"[{self._name}] random_state must be None, a whole number from 0 or a RandomState, got {state!r}"
            )
        generator = random.default_generator()
        before = generator.state()
        random.seed(seed)
        try:
            yield
        finally:
            generator.set_state(before)

    def _make(self, X: Any, n_outputs: int) -> Model:
        """A compiled model for rows like those of X."""
        model = self._builder()(tuple(X.shape[1:]), n_outputs, **self._build_arguments())
        if not isinstance(model, Model):
            raise TypeError(
                f"[{self._name}] build must return a model, such as Sequential([…]), got {type(model).__name__}"
            )
        model.build_for(X, [X])
        shapes = model.output_shapes()
        if len(shapes) != 1 or len(shapes[0]) != 2:
            raise ValueError(
                f"[{self._name}] the network must have one output of shape (rows, n_outputs), it has {shapes}"
            )
        if model._compiled is None or self.optimizer is not None or self.loss is not None:
            loss = self.loss if self.loss is not None else model.loss or self._default_loss(shapes[0][1])
            optimizer = self.optimizer
            if optimizer is None:
                optimizer = "adam" if model._compiled is None else model.optimizer
            model.compile(optimizer=optimizer, loss=loss)
        if self.learning_rate is not None:
            model.optimizer.learning_rate = self.learning_rate
        return model

    def _default_loss(self, units: int) -> str:
        raise TypeError(f"{self._name} does not say its loss")

    def _train(
        self, X: Any, targets: np.ndarray, weight: np.ndarray | None, epochs: int, **options: Any
    ) -> None:
        """Train ``model_`` and keep the record."""
        if weight is not None:  # of mean 1, so that their size does not act like another learning rate
            weight = None if (weight == weight[0]).all() else weight * (len(weight) / weight.sum())
        history = self.model_.fit(
            X, targets, sample_weight=weight, epochs=epochs, batch_size=self.batch_size, verbose=self.verbose,
            callbacks=copy.deepcopy(self.callbacks), shuffle=self.shuffle, validation_split=self.validation_split,
            **options,
        )  # fmt: skip
        self.history_ = history.history

    def _continues(self, X: Any, again: bool) -> bool:
        """Does this fit go on with the network there is?"""
        fitted = getattr(self, "model_", None) is not None and (again or self.warm_start)
        return fitted and self.row_shape_ == tuple(X.shape[1:])

    def _outputs(self, X: Any) -> np.ndarray:
        """What the network gives for X: (N, units) float64."""
        X = self._check_predict(X)
        if tuple(X.shape[1:]) != self.row_shape_:
            raise ValueError(
                f"[{self._name}] X has rows of shape {tuple(X.shape[1:])}, the network was fitted with "
                f"{self.row_shape_}"
            )
        rows = X.shape[0]
        if rows < _FEW:  # the kernels sum a few rows in another order than many
            few = np.arange(_FEW) % rows
            X = X.rows(few) if isinstance(X, CSR) else X[few]
        return np.asarray(self.model_.predict(X), np.float64)[:rows]

    def _weights(self, sample_weight: Any, rows: int) -> np.ndarray | None:
        return validation.check_sample_weight(sample_weight, rows, owner=self._name)

    # -- pickling ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """The network goes as the bytes of its own file format, with references to classes that are not pylearn's."""
        state = dict(vars(self))
        model = state.pop("model_", None)
        if model is not None:
            state["_model_bytes"] = saving.model_bytes(model)
            state["_model_classes"] = saving.foreign_classes(model)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        content, classes = state.pop("_model_bytes", None), state.pop("_model_classes", None)
        vars(self).update(state)
        if content is not None:
            self.model_ = saving.model_from_bytes(content, "the pickled network", custom_objects=classes)
            self.model_._random_state = None  # draws belong to the process that fits
