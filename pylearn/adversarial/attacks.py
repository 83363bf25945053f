"""Adversarial examples from the gradient of the loss with respect to the input.

Sources: I. Goodfellow, J. Shlens, C. Szegedy (2015), "Explaining and harnessing adversarial examples" (FGSM);
A. Madry et al. (2018), "Towards deep learning models resistant to adversarial attacks" (PGD).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import _core, ops, random
from pylearn._core import Tensor
from pylearn.models import Model
from pylearn.training.adversaries import Slope, check_input, slope_of
from pylearn.training.feed import prepare

Clip = tuple[float, float] | None


class FGSM:
    """x + ε · sign ∇ₓ loss, the fast gradient sign method.

    Args:
        eps: largest change of a value, in the units of x.
        clip: range of the values of x, into which the result is brought; None for none.
    """

    def __init__(self, eps: float, clip: Clip = (0.0, 1.0)) -> None:
        self.eps = _positive("eps", eps)
        self.clip = _range(clip)

    def __call__(self, x: Tensor, slope: Slope) -> Tensor:
        """The examples for a batch x, given the gradient of the loss as a function of x."""
        return self._within(x + ops.sign(slope(x)) * self.eps)

    def _within(self, x: Tensor) -> Tensor:
        return x if self.clip is None else ops.clip(x, *self.clip)

    def __repr__(self) -> str:
        return f"FGSM(eps={self.eps}, clip={self.clip})"


class PGD(FGSM):
    """Several steps of FGSM, brought back to within ε of x after each: projected gradient descent.

    Args:
        eps, clip: as in :class:`FGSM`.
        steps: number of steps.
        step: length of each; 2.5 · eps / steps by default.
        random_start: begin at a random place within ε.
    """

    def __init__(
        self, eps: float, steps: int = 10, step: float | None = None, random_start: bool = True,
        clip: Clip = (0.0, 1.0),
    ) -> None:  # fmt: skip
        super().__init__(eps, clip)
        if steps < 1:
            raise ValueError(f"PGD: steps must be at least 1, got {steps}")
        self.steps = int(steps)
        self.step = 2.5 * self.eps / self.steps if step is None else _positive("step", step)
        self.random_start = bool(random_start)

    def __call__(self, x: Tensor, slope: Slope) -> Tensor:
        low, high = x - self.eps, x + self.eps
        found = x
        if self.random_start:
            found = self._within(x + random.uniform(x.shape, -self.eps, self.eps, x.dtype))
        for _ in range(self.steps):
            found = found + ops.sign(slope(found)) * self.step
            found = self._within(ops.minimum(ops.maximum(found, low), high))
        return found

    def __repr__(self) -> str:
        return f"PGD(eps={self.eps}, steps={self.steps}, step={self.step}, clip={self.clip})"


def fgsm(
    model: Model, x: Any, y: Any, eps: float, clip: Clip = (0.0, 1.0), batch_size: int = 256
) -> np.ndarray:
    """Adversarial examples by the fast gradient sign method.

    Args:
        model: a compiled model with one input of real numbers; used in inference mode.
        x: (N, …) inputs.
        y: their targets, in the form that ``fit`` takes.
        eps, clip: as in :class:`FGSM`.
        batch_size: rows at a time.

    Returns:
        (N, …) of the input's dtype.

    Raises:
        ValueError: several inputs, an input of whole numbers, data that do not fit the model.
    """
    return attack(model, x, y, FGSM(eps, clip), batch_size)


def pgd(
    model: Model, x: Any, y: Any, eps: float, steps: int = 10, step: float | None = None, random_start: bool = True,
    clip: Clip = (0.0, 1.0), batch_size: int = 256,
) -> np.ndarray:  # fmt: skip
    """Adversarial examples by projected gradient descent; arguments as in :class:`PGD` and :func:`fgsm`."""
    return attack(model, x, y, PGD(eps, steps, step, random_start, clip), batch_size)


def attack(model: Model, x: Any, y: Any, how: FGSM, batch_size: int = 256) -> np.ndarray:
    """What ``how`` makes of x, batch by batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    arrays = prepare(model, x, y, None, None)
    check_input(model)
    dtypes = model._dtypes((1, len(arrays.y), 0))
    out = np.empty(arrays.x[0].shape, dtypes[0])
    for begin in range(0, arrays.rows, batch_size):
        batch = arrays.slice(slice(begin, begin + batch_size))
        inputs, *targets = (
            _core.asarray(np.ascontiguousarray(a, d)) for a, d in zip(batch, dtypes, strict=True)
        )
        out[begin : begin + batch_size] = how(inputs, slope_of(model, targets)).numpy()
    return out


def _positive(name: str, value: float) -> float:
    if not 0 < float(value) < np.inf:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")
    return float(value)


def _range(clip: Clip) -> Clip:
    if clip is None:
        return None
    low, high = clip
    if not low < high:
        raise ValueError(f"clip must be (lowest, highest) or None, got {clip!r}")
    return float(low), float(high)
