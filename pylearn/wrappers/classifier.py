"""A network as a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from pylearn import validation
from pylearn.base import Classifier
from pylearn.losses import get as get_loss
from pylearn.models import Model
from pylearn.wrappers.mlp import softmax_mlp
from pylearn.wrappers.network import Network


class NetClassifier(Network, Classifier):
    """A network that is trained and used as scikit-learn's classifiers are.

    Args:
        build: a function (input_shape, n_outputs, …) that returns a model, compiled or not. ``input_shape`` is that of
            a row, ``n_outputs`` the number of classes; the model ends in so many probabilities, or in one, that of the
            second of two classes. Its further parameters are parameters of the estimator. None: an MLP with
            ``hidden`` (100 by default), ``dropout`` and ``activation``.
        epochs: passes over the data.
        batch_size: rows per step.
        optimizer: name or object; ``"adam"``, or what ``build`` compiled with.
        loss: name or object; the cross-entropy of the classes, or what ``build`` compiled with.
        learning_rate: of the optimizer; its own by default.
        hidden, dropout: passed to ``build``, unless None.
        class_weight: None, ``"balanced"``, or a dict from label to weight.
        validation_split: fraction of each class that is not trained on but measured after every epoch.
        callbacks: of ``fit``; every fit works on copies.
        shuffle: a new order of rows each epoch.
        warm_start: ``fit`` goes on with the weights of the last fit.
        random_state: None (pylearn's default generator), a number or a RandomState: of weights, orders and dropout.
        verbose: as in ``Model.fit``.
        **build_params: further parameters of ``build``.

    Attributes:
        classes_: (K,) labels, sorted.
        model_: the trained model.
        history_: name → value per epoch, of the last fit.
        n_features_in_: length of a row's first axis.
        feature_names_in_: column names, when X was a DataFrame with string names.

    Example:
        >>> from pylearn.datasets import digits
        >>> (X, y), (X_test, y_test) = digits.load_data(size=8)
        >>> net = NetClassifier(hidden=64, epochs=10, random_state=0).fit(X / 16, y)
        >>> bool(net.score(X_test / 16, y_test) > 0.9), net.predict_proba(X_test[:1] / 16).shape
        (True, (1, 10))
    """

    _default_build = staticmethod(softmax_mlp)

    def __init__(
        self, build: Callable[..., Model] | None = None, *, epochs: int = 50, batch_size: int = 32,
        optimizer: Any = None, loss: Any = None, learning_rate: float | None = None, hidden: Any = None,
        dropout: float | None = None, class_weight: Any = None, validation_split: float = 0.0, callbacks: Any = None,
        shuffle: bool = True, warm_start: bool = False, random_state: Any = None, verbose: Any = 0,
        **build_params: Any,
    ) -> None:  # fmt: skip
        self.class_weight = class_weight
        super().__init__(
            build, epochs=epochs, batch_size=batch_size, optimizer=optimizer, loss=loss, learning_rate=learning_rate,
            hidden=hidden, dropout=dropout, validation_split=validation_split, callbacks=callbacks, shuffle=shuffle,
            warm_start=warm_start, random_state=random_state, verbose=verbose, **build_params,
        )  # fmt: skip

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (N, D), dense or sparse, or rows of several axes, and labels y (N,).

        Raises:
            TypeError: ``build`` is not a function that returns a model; values that are not numbers.
            ValueError: shapes that do not fit together, NaN or infinity, negative weights, one class only.
            FloatingPointError: training diverged.
        """
        old = getattr(self, "classes_", None)
        X, codes = self._check_fit_labels(X, y)
        again = self._continues(X, False) and old is not None and np.array_equal(old, self.classes_)
        return self._fit(X, codes, sample_weight, self.epochs, again)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch more, on these rows.

        Args:
            classes: all labels there will be; needed in the first call when y lacks some.

        Raises:
            ValueError: labels that the first call did not name.
        """
        if getattr(self, "model_", None) is None:
            X, codes = self._check_fit_labels(X, y)
            present = self.classes_
            if classes is not None:
                self.classes_ = np.unique(np.asarray(classes))
        else:
            X = self._check_predict(X)
            present, codes = validation.check_labels(y, X.shape[0], owner=self._name)
        unknown = np.setdiff1d(present, self.classes_)
        if len(unknown):
            raise ValueError(
                f"[{self._name}] y has the label {unknown.tolist()[0]!r}, which is not among classes"
            )
        codes = np.searchsorted(self.classes_, present)[codes]
        return self._fit(X, codes, sample_weight, 1, self._continues(X, True))

    def _fit(self, X: Any, codes: np.ndarray, sample_weight: Any, epochs: int, again: bool) -> Self:
        count = len(self.classes_)
        if count < 2:
            raise ValueError(
                f"[{self._name}] needs samples of at least 2 classes, but y has only one class: "
                f"{self.classes_.tolist()[0]!r}"
            )
        weight = self._weights(sample_weight, len(codes))
        ones = np.ones(len(codes)) if weight is None else weight
        by_class = validation.check_class_weight(
            self.class_weight, self.classes_, codes, ones, owner=self._name
        )
        if by_class is not None:
            weight = ones * by_class[codes]
        with self._seeded():
            if not again:
                self.model_ = self._make(X, count)
                self.row_shape_ = tuple(X.shape[1:])
            units = self.model_.output_shapes()[0][1]
            if units != count and not (units == 1 and count == 2):
                del self.model_
                raise ValueError(f"[{self._name}] the network has {units} outputs, y has {count} classes")
            targets = self._targets(codes, units)
            self._train(X, targets, weight, epochs, stratify=bool(self.validation_split))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes in the order of ``classes_``, (N, K) float64."""
        out = self._outputs(X)
        logits = bool(getattr(self.model_.loss, "from_logits", False))
        if out.shape[1] == 1:
            second = 1 / (1 + np.exp(-np.clip(out, -700, 700))) if logits else out
            return np.concatenate([1 - second, second], axis=1)
        if logits:
            out = np.exp(out - out.max(axis=1, keepdims=True))
        return out / out.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of ``predict_proba``."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each row, (N,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def _default_loss(self, units: int) -> str:
        return "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"

    def _targets(self, codes: np.ndarray, units: int) -> np.ndarray:
        """The labels in the form that the loss takes."""
        if units == 1:
            return codes[:, None].astype(np.float32)
        if get_loss(self.model_.loss).labels:
            return codes.astype(np.int64)
        return np.eye(units, dtype=np.float32)[codes]
