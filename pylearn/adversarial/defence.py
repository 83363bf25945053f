"""Training on adversarial examples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pylearn._core import Tensor
from pylearn.adversarial.attacks import FGSM, check_input, slope_of
from pylearn.models import Model
from pylearn.training.step import Step


@contextlib.contextmanager
def training(model: Model, attack: FGSM) -> Iterator[Model]:
    """Inside the block, ``model.fit`` trains on adversarial examples of each batch instead of the batch.

    Args:
        model: a compiled model with one input of real numbers.
        attack: :class:`FGSM` or :class:`PGD`, or your own: called with the batch and with the gradient of the loss by
            the input as a function.

    The losses and metrics of training are those of the examples; validation is on the data as they are.

    >>> import numpy as np
    >>> from pylearn.layers import Dense
    >>> from pylearn.models import Sequential
    >>> model = Sequential([Dense(1, activation="sigmoid", input_shape=(2,))])
    >>> model.compile("sgd", "binary_crossentropy")
    >>> with training(model, FGSM(0.1)):
    ...     history = model.fit(np.random.rand(40, 2), np.arange(40) % 2, verbose=0)
    """
    plain = model.make_train_step

    def make_train_step(counts: tuple[int, int, int], rows: int, form: Any = ()) -> Step:
        check_input(model)
        step = plain(counts, rows, form)

        def disturbed(batch: list[Any]) -> list[Any]:
            x = attack(batch[0], slope_of(model, batch[1 : 1 + counts[1]]))
            return [x, *batch[1:]]

        def loss(batch: list[Any]) -> Tensor:
            assert step.loss is not None
            return step.loss(disturbed(batch))

        return Step(lambda batch: step.function(disturbed(batch)), step.dtypes, step.eager, loss)

    object.__setattr__(model, "make_train_step", make_train_step)
    model._forget_steps()
    try:
        yield model
    finally:
        object.__delattr__(model, "make_train_step")
        model._forget_steps()
