"""The update rules. The formulas are in the kernels; here are their settings and Keras' defaults.

Every class takes the arguments of ``Optimizer`` too: weight decay, clipping, averages, accumulation.
"""

from __future__ import annotations

from typing import Any

from pylearn.optimizers.base import Optimizer, Rate


def _unit(name: str, value: float, closed: bool = False) -> float:
    if not (0.0 <= value < 1.0 or (closed and value == 1.0)):
        raise ValueError(f"{name} must be in [0, 1{']' if closed else ')'}, got {value}")
    return float(value)


def _at_least_zero(name: str, value: float) -> float:
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number ≥ 0, got {value}")
    return float(value)


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum p -= r g. With it, v = momentum v - r g and p += v; Nesterov's form p += momentum v - r g.

    Args:
        learning_rate: r, a float or a schedule.
        momentum: in [0, 1].
        nesterov: look ahead (Nesterov 1983; Sutskever et al. 2013).
        weight_decay: decoupled, p -= r · decay · p.

    >>> import numpy as np, pylearn
    >>> w = pylearn.asarray(np.array([1.0, 2.0]))
    >>> loss, grads = pylearn.value_and_grad(lambda: (w * w).sum(), wrt=[w])()
    >>> SGD(0.25).apply(grads, [w])
    >>> w.numpy()
    array([0.5, 1. ])
    """

    kind = "sgd"
    settings = ("momentum", "nesterov")

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float | None = None, name: str | None = "SGD", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.momentum, self.nesterov = _unit("momentum", momentum, closed=True), bool(nesterov)
        super().__init__(learning_rate, weight_decay, name, **kwargs)


class _Moments(Optimizer):
    """What the relatives of Adam share: two decays and epsilon."""

    settings: tuple[str, ...] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self, learning_rate: Rate, beta_1: float, beta_2: float, epsilon: float, weight_decay: float | None,
        name: str | None, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.beta_1, self.beta_2 = _unit("beta_1", beta_1), _unit("beta_2", beta_2)
        self.epsilon = _at_least_zero("epsilon", epsilon)
        super().__init__(learning_rate, weight_decay, name, **kwargs)


class Adam(_Moments):
    """Adam (Kingma and Ba 2014): m and v are decaying means of g and g², p -= r m̂ / (sqrt(v̂) + epsilon).

    Args:
        learning_rate: r, a float or a schedule.
        beta_1, beta_2: decay of m and of v, in [0, 1).
        epsilon: added beside sqrt(v), before bias correction, as in Keras.
        weight_decay: decoupled, p -= r · decay · p.
        amsgrad: divide by the largest v so far (Reddi et al. 2018).
    """

    kind = "adam"
    settings = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        amsgrad: bool = False, weight_decay: float | None = None, name: str | None = "adam", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.amsgrad = bool(amsgrad)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, name, **kwargs)


class AdamW(Adam):
    """Adam with decoupled weight decay by default (Loshchilov and Hutter 2017)."""

    def __init__(
        self, learning_rate: Rate = 0.001, weight_decay: float | None = 0.004, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-7, amsgrad: bool = False, name: str | None = "adamw", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, name, **kwargs)


class Adamax(_Moments):
    """Adam with the largest recent gradient in the place of sqrt(v) (Kingma and Ba 2014, section 7).

    u = max(beta_2 u, |g|), p -= r m̂ / (u + epsilon).

    Args:
        learning_rate: r, a float or a schedule.
        beta_1, beta_2: decay of m and of u, in [0, 1).
        epsilon: added to u.
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "adamax"

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        weight_decay: float | None = None, name: str | None = "adamax", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, name, **kwargs)


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016), beta_1 warmed up as b(t) = beta_1 (1 - 0.96^t / 2).

    Args:
        learning_rate: r, a float or a schedule.
        beta_1, beta_2: decay of m and of v, in [0, 1).
        epsilon: added beside sqrt(v̂).
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "nadam"

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        weight_decay: float | None = None, name: str | None = "nadam", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, name, **kwargs)


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): a += g², p -= r g / sqrt(a + epsilon). Suits sparse features.

    Args:
        learning_rate: r, a float or a schedule.
        initial_accumulator_value: where a starts.
        epsilon: added to a.
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "adagrad"
    settings = ("initial_accumulator_value", "epsilon")

    def __init__(
        self, learning_rate: Rate = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7,
        weight_decay: float | None = None, name: str | None = "adagrad", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.initial_accumulator_value = _at_least_zero(
            "initial_accumulator_value", initial_accumulator_value
        )
        self.epsilon = _at_least_zero("epsilon", epsilon)
        super().__init__(learning_rate, weight_decay, name, **kwargs)

    def hyper(self) -> dict[str, Any]:
        return {"initial": self.initial_accumulator_value, "epsilon": self.epsilon}


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012): steps of the size that recent steps had, u = g sqrt(d + epsilon) / sqrt(a + epsilon).

    a and d are decaying means of g² and u²; p -= r u. The paper's r is 1.

    Args:
        learning_rate: r, a float or a schedule.
        rho: decay of a and d, in [0, 1).
        epsilon: added to both, also what makes the first step.
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "adadelta"
    settings = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.95, epsilon: float = 1e-7,
        weight_decay: float | None = None, name: str | None = "adadelta", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.rho, self.epsilon = _unit("rho", rho), _at_least_zero("epsilon", epsilon)
        super().__init__(learning_rate, weight_decay, name, **kwargs)


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): v is the decaying mean of g², p -= r g / sqrt(v + epsilon).

    Args:
        learning_rate: r, a float or a schedule.
        rho: decay of v, in [0, 1).
        momentum: s = momentum s + r g / sqrt(v + epsilon), p -= s; in [0, 1).
        epsilon: added to v.
        centered: divide by the spread around the mean gradient instead (Graves 2013).
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "rmsprop"
    settings = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
        centered: bool = False, weight_decay: float | None = None, name: str | None = "rmsprop", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.rho, self.momentum = _unit("rho", rho), _unit("momentum", momentum)
        self.epsilon, self.centered = _at_least_zero("epsilon", epsilon), bool(centered)
        super().__init__(learning_rate, weight_decay, name, **kwargs)


class Lion(Optimizer):
    """Lion (Chen et al. 2023): p -= r sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.

    Args:
        learning_rate: r, a float or a schedule: the size of every step.
        beta_1, beta_2: in (0, 1) and [0, 1).
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "lion"
    settings = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99,
        weight_decay: float | None = None, name: str | None = "lion", **kwargs: Any,
    ) -> None:  # fmt: skip
        self.beta_1, self.beta_2 = _unit("beta_1", beta_1), _unit("beta_2", beta_2)
        super().__init__(learning_rate, weight_decay, name, **kwargs)
