"""The update rules. The formulas are in the kernels; here are their settings and Keras' defaults."""

from __future__ import annotations

from typing import Any

from pylearn.optimizers.base import Optimizer, Rate


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

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float | None = None, name: str | None = "SGD", **kwargs: Any,
    ) -> None:  # fmt: skip
        if not 0.0 <= momentum <= 1.0:
            raise ValueError(f"momentum must be in [0, 1], got {momentum}")
        self.momentum, self.nesterov = float(momentum), bool(nesterov)
        super().__init__(learning_rate, weight_decay, name, **kwargs)

    def hyper(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.nesterov, "decoupled": True}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014): m and v are decaying means of g and g², p -= r m̂ / (sqrt(v̂) + epsilon).

    Args:
        learning_rate: r, a float or a schedule.
        beta_1, beta_2: decay of m and of v, in [0, 1).
        epsilon: added beside sqrt(v), before bias correction, as in Keras.
        weight_decay: decoupled, p -= r · decay · p.
    """

    kind = "adam"

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        weight_decay: float | None = None, name: str | None = "adam", **kwargs: Any,
    ) -> None:  # fmt: skip
        for key, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"{key} must be in [0, 1), got {beta}")
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)
        super().__init__(learning_rate, weight_decay, name, **kwargs)

    def hyper(self) -> dict[str, Any]:
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "decoupled": True}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Adam):
    """Adam with decoupled weight decay by default (Loshchilov and Hutter 2017)."""

    def __init__(
        self, learning_rate: Rate = 0.001, weight_decay: float | None = 0.004, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float = 1e-7, name: str | None = "adamw", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, name, **kwargs)
