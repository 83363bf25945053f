"""Training on examples that are made worse, batch by batch, for the model as it is then.

What makes them is given: ``pylearn.adversarial`` has the usual ones.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pylearn import _core
from pylearn._core import Tensor
from pylearn.training.step import Step

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

Slope = Callable[[Tensor], Tensor]  # x to the gradient of the loss by it
Attack = Callable[[Tensor, Slope], Tensor]


@contextlib.contextmanager
def training(model: Trainer, attack: Attack) -> Iterator[Trainer]:
    """Inside the block, ``model.fit`` trains on adversarial examples of each batch instead of the batch.

    ``model.fit(…, adversarial=attack)`` does the same for one call.

    Args:
        model: a compiled model with one input of real numbers.
        attack: ``adversarial.FGSM`` or ``adversarial.PGD``, or your own: called with the batch and with the gradient of
            the loss by the input as a function.

    The losses and metrics of training are those of the examples; validation is on the data as they are.

    Raises:
        TypeError: attack cannot be called so.
        ValueError: the model has another kind of input; raised by ``fit``.

    >>> import numpy as np
    >>> from pylearn.adversarial import FGSM
    >>> from pylearn.layers import Dense
    >>> from pylearn.models import Sequential
    >>> model = Sequential([Dense(1, activation="sigmoid", input_shape=(2,))])
    >>> model.compile("sgd", "binary_crossentropy")
    >>> with training(model, FGSM(0.1)):
    ...     history = model.fit(np.random.rand(40, 2), np.arange(40) % 2, verbose=0)
    """
    _check_attack(attack)
    plain, outer = model.make_train_step, vars(model).get("make_train_step")

    def make_train_step(counts: tuple[int, int, int], rows: int, form: Any = ()) -> Step:
        check_input(model)
        step = plain(counts, rows, form)

        def disturbed(batch: list[Any]) -> list[Any]:
            x = attack(batch[0], slope_of(model, batch[1 : 1 + counts[1]]))
            return [x, *batch[1:]]

        def loss(batch: list[Any]) -> Tensor:
            assert step.loss is not None
            return step.loss(disturbed(batch))

        return Step(lambda batch: step.function(disturbed(batch)), step.dtypes, step.eager,
                    None if step.loss is None else loss, step.after, step.own)  # fmt: skip

    object.__setattr__(model, "make_train_step", make_train_step)
    model._forget_steps()
    try:
        yield model
    finally:
        if outer is None:
            object.__delattr__(model, "make_train_step")
        else:
            object.__setattr__(model, "make_train_step", outer)
        model._forget_steps()


def slope_of(model: Trainer, y: Sequence[Tensor]) -> Slope:
    """The gradient of the model's loss by its input, in inference mode, for these targets."""

    def slope(x: Tensor) -> Tensor:
        watched = _core.watch(_core.detach(x))
        with _core.grad_scope():
            predicted, masks, penalties = model.run_collecting([watched], False)
            total, _ = model.compiled("an attack").loss_of(y, predicted, [], masks, penalties)
        return _core.gradients(total, [watched])[0]

    return slope


def check_input(model: Trainer) -> None:
    places = model.input_places() or []
    if len(places) != 1 or not places[0].dtype.startswith("float"):
        raise ValueError(
            f"adversarial examples need a model with one input of real numbers; {model.name} has "
            f"{', '.join(f'{place.name} ({place.dtype})' for place in places)}"
        )


def _check_attack(attack: Any) -> None:
    """Raises TypeError for what cannot be called with a batch and a function."""
    fix = "give an attack such as pylearn.adversarial.FGSM(0.1), or a function (x, slope) of your own"
    if isinstance(attack, type):
        raise TypeError(f"adversarial is the class {attack.__name__}; make one of it: {attack.__name__}(0.1)")
    if not callable(attack):
        raise TypeError(f"adversarial={attack!r} is no attack; {fix}")
    try:
        inspect.signature(attack).bind(None, None)
    except TypeError as error:
        raise TypeError(f"adversarial={attack!r} cannot be called with (x, slope): {error}; {fix}") from None
    except ValueError:  # a function without a signature
        return
