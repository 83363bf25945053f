"""L-BFGS for convex losses of linear models: min over W of Σᵢ ℓᵢ(W xᵢ + b) + ½ λ ‖W‖².

The loss sees W only through the margins, which are linear in a step. So a step's trial lengths cost no product with
the data: each iteration has one product forward, of the direction, and one back, of the slopes.

Source: J. Nocedal, S. Wright, "Numerical Optimization", 2nd edition, algorithms 7.4 and 7.5; the test of a step is the
approximate Wolfe condition of W. Hager, H. Zhang (2005), SIAM J. Optim. 16(1), which rounding does not stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

_MEMORY = 10  # pairs kept
_STEEP, _FLAT = 0.5, 0.5  # a step is long enough, and short enough, by the slope along it
_ARMIJO = 1e-4
_NOISE = 64 * np.finfo(np.float64).eps
_IDLE = 10  # iterations without progress after which rounding is all that is left
_TRIALS = 40


class Design(Protocol):
    """The data: parameters (K, P) to margins (K, N), and slopes (K, N) back to a gradient (K, P)."""

    def forward(self, parameters: np.ndarray) -> np.ndarray: ...
    def back(self, slopes: np.ndarray) -> np.ndarray: ...


Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]  # margins (K, N) to the loss and its slopes (K, N)


def minimise(
    design: Design, loss: Loss, penalty: np.ndarray, start: np.ndarray, tol: float, max_iter: int
) -> tuple[np.ndarray, int, bool]:
    """The parameters (K, P) of the least loss(forward(W)) + ½ Σ penalty · W².

    Args:
        penalty: (K, P) or what broadcasts to it, ≥ 0.
        start: (K, P) parameters.
        tol: stop when no element of the gradient is larger.
        max_iter: iterations at most.

    Returns:
        parameters, iterations, and whether ``tol`` (or the limit of rounding) was reached.
    """
    w = start.copy()
    margins = design.forward(w)
    value, slopes = loss(margins)
    value += 0.5 * _dot(w, penalty * w)
    gradient = design.back(slopes) + penalty * w
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    best, idle = np.inf, 0
    for iteration in range(max_iter + 1):
        steepest = float(np.abs(gradient).max(initial=0.0))
        if steepest <= tol:
            return w, iteration, True
        best, idle = (steepest, 0) if steepest < best else (best, idle + 1)
        if iteration == max_iter:
            break
        direction = _direction(gradient, pairs)
        slope = _dot(gradient, direction)
        if not slope < 0:  # rounding has spoilt the pairs
            pairs.clear()
            direction, slope = -gradient, -_dot(gradient, gradient)
        first = 1.0 if pairs else 1.0 / np.sqrt(-slope)
        ahead = design.forward(direction)
        quadratic = (_dot(w, penalty * direction), _dot(direction, penalty * direction))
        step, new_value, margins, slopes = _search(
            loss, margins, ahead, quadratic, value, slope, first, 0.5 * _dot(w, penalty * w)
        )
        change = step * direction
        w = w + change
        new_gradient = design.back(slopes) + penalty * w
        bend = new_gradient - gradient
        along = _dot(change, bend)
        if along > 0:
            pairs.append((change, bend, along))
            del pairs[:-_MEMORY]
        stuck = value - new_value <= _NOISE * max(abs(value), abs(new_value), 1.0)
        if step == 0 or (stuck and idle >= _IDLE):
            return w, iteration + 1, True
        gradient, value = new_gradient, new_value
    return w, max_iter, False


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a.ravel(), b.ravel()))


def _direction(gradient: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """−H⁻¹ g by the two loops over the pairs (change, change of the gradient)."""
    q = -gradient
    weights = []
    for change, bend, along in reversed(pairs):
        weights.append(_dot(change, q) / along)
        q -= weights[-1] * bend
    if pairs:
        _, bend, along = pairs[-1]
        q *= along / _dot(bend, bend)
    for (change, bend, along), weight in zip(pairs, reversed(weights)):
        q += (weight - _dot(bend, q) / along) * change
    return q


def _search(
    loss: Loss, margins: np.ndarray, ahead: np.ndarray, quadratic: tuple[float, float], value: float, slope: float,
    step: float, penalised: float,
) -> tuple[float, float, np.ndarray, np.ndarray]:  # fmt: skip
    """The length of a step: (length, value, margins, slopes) there. The slope along it rises, as the loss is convex."""
    low, low_slope, high, high_slope = 0.0, slope, np.inf, 0.0
    linear, square = quadratic
    found = margins
    at = value
    slopes = ahead
    for _ in range(_TRIALS):
        found = margins + step * ahead
        at, slopes = loss(found)
        at += penalised + step * (linear + 0.5 * step * square)
        here = _dot(slopes, ahead) + linear + step * square
        if np.isfinite(at) and np.isfinite(here):
            enough = at <= value + _ARMIJO * step * slope or (
                here <= -_FLAT * slope and at <= value + _NOISE * max(abs(value), 1.0)
            )
            if here < _STEEP * slope:
                low, low_slope = step, here
            elif not enough or here > -slope:
                high, high_slope = step, here
            else:
                return step, at, found, slopes
        else:
            high, high_slope = step, np.inf
        if not np.isfinite(high):
            step *= 4.0
        elif np.isfinite(high_slope) and high_slope > low_slope:
            share = low_slope / (low_slope - high_slope)
            step = low + (high - low) * min(max(share, 0.05), 0.95)
        else:
            step = low + 0.5 * (high - low)
    if at < value:
        return step, at, found, slopes
    return 0.0, value, margins, loss(margins)[1]
