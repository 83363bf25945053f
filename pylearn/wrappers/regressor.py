"""A network as a regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from pylearn import validation
from pylearn.base import Regressor
from pylearn.wrappers.mlp import linear_mlp
from pylearn.wrappers.network import Network


class NetRegressor(Network, Regressor):
    """A network that is trained and used as scikit-learn's regressors are.

    Args:
        build: a function (input_shape, n_outputs, …) that returns a model, compiled or not, which ends in ``n_outputs``
            numbers. Its further parameters are parameters of the estimator. None: an MLP with ``hidden`` (100 by
            default), ``dropout`` and ``activation``.
        epochs, batch_size, learning_rate, hidden, dropout, callbacks, shuffle, warm_start, random_state, verbose: as in
            :class:`NetClassifier`.
        optimizer: name or object; ``"adam"``, or what ``build`` compiled with.
        loss: name or object; the mean squared error, or what ``build`` compiled with.
        validation_split: fraction of the rows, the last, that is not trained on but measured after every epoch.
        **build_params: further parameters of ``build``.

    Attributes:
        model_: the trained model.
        history_: name → value per epoch, of the last fit.
        n_features_in_: length of a row's first axis.
        feature_names_in_: column names, when X was a DataFrame with string names.

    Targets are learned as they are: bring them to a size of about 1, say with scikit-learn's
    TransformedTargetRegressor, when they are not.

    Example:
        >>> import numpy as np
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> net = NetRegressor(hidden=32, epochs=60, learning_rate=0.01, random_state=0).fit(X, np.sin(3 * X[:, 0]))
        >>> net.predict(X).shape, bool(net.score(X, np.sin(3 * X[:, 0])) > 0.95)
        ((200,), True)
    """

    _multi_output = True
    _default_build = staticmethod(linear_mlp)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (N, D), dense or sparse, or rows of several axes, and numbers y (N,) or (N, K).

        Raises:
            TypeError: ``build`` is not a function that returns a model; values that are not numbers.
            ValueError: shapes that do not fit together, NaN or infinity, negative weights.
            FloatingPointError: training diverged.
        """
        X, y = self._check_fit(X, y)
        return self._fit(X, y, sample_weight, self.epochs, self._continues(X, False))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch more, on these rows."""
        if getattr(self, "model_", None) is None:
            X, y = self._check_fit(X, y)
        else:
            X = self._check_predict(X)
            y = validation.check_y(y, owner=self._name, multi_output=True)
        return self._fit(X, y, sample_weight, 1, self._continues(X, True))

    def _fit(self, X: Any, y: np.ndarray, sample_weight: Any, epochs: int, again: bool) -> Self:
        targets = y[:, None] if y.ndim == 1 else y
        weight = self._weights(sample_weight, len(targets))
        with self._seeded():
            if not (again and self.model_.output_shapes()[0][1] == targets.shape[1]):
                self.model_ = self._make(X, targets.shape[1])
                self.row_shape_ = tuple(X.shape[1:])
            units = self.model_.output_shapes()[0][1]
            if units != targets.shape[1]:
                del self.model_
                raise ValueError(f"[{self._name}] the network has {units} outputs, y has {targets.shape[1]}")
            self._train(X, targets.astype(np.float32), weight, epochs)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """X (N, D) → float64 (N,), or (N, K) when y had several columns."""
        out = self._outputs(X)
        return out[:, 0] if out.shape[1] == 1 else out

    def _default_loss(self, units: int) -> str:
        return "mean_squared_error"
