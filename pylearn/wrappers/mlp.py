"""The network that the wrappers build when they are given none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylearn.layers import Dense, Dropout, Flatten, Input
from pylearn.models import Sequential


def mlp(
    input_shape: tuple[int, ...], n_outputs: int, hidden: int | Sequence[int] = 100, dropout: float = 0.0,
    activation: Any = "relu", dtype: str = "float64", output: Any = None,
) -> Sequential:  # fmt: skip
    """A multilayer perceptron.

    Args:
        input_shape: of a row; rows of several axes are flattened.
        n_outputs: size of the last layer.
        hidden: size of the hidden layer, or of each, in order; () for none.
        dropout: rate of dropout behind each hidden layer.
        activation: of the hidden layers.
        dtype: ``"float64"``, as scikit-learn's estimators, or ``"float32"``, faster.
        output: activation of the last layer.

    >>> mlp((4,), 3, hidden=(8, 8), output="softmax").count_params()
    139
    """
    model = Sequential([Input(input_shape, dtype=dtype)])
    if len(input_shape) > 1:
        model.add(Flatten(dtype=dtype))
    for size in hidden if isinstance(hidden, Sequence) else (hidden,):
        model.add(Dense(int(size), activation, dtype=dtype))
        if dropout:
            model.add(Dropout(dropout, dtype=dtype))
    model.add(Dense(n_outputs, output, dtype=dtype))
    return model


def softmax_mlp(
    input_shape: tuple[int, ...], n_outputs: int, hidden: int | Sequence[int] = 100, dropout: float = 0.0,
    activation: Any = "relu", dtype: str = "float64",
) -> Sequential:  # fmt: skip
    """An MLP that ends in probabilities of classes."""
    return mlp(input_shape, n_outputs, hidden, dropout, activation, dtype, "softmax")


def linear_mlp(
    input_shape: tuple[int, ...], n_outputs: int, hidden: int | Sequence[int] = 100, dropout: float = 0.0,
    activation: Any = "relu", dtype: str = "float64",
) -> Sequential:  # fmt: skip
    """An MLP that ends in numbers."""
    return mlp(input_shape, n_outputs, hidden, dropout, activation, dtype)
