"""A network of dense layers as one trains it by hand in NumPy; in float64 the oracle of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.nets import BETA_1, BETA_2, EPSILON, RATE, Net

DROPOUT = 0.2


class NumpyMLP:
    """Forward, backward and Adam on the net's first batch, in the precision of ``dtype``."""

    @staticmethod
    def can(net: Net) -> bool:
        return net.name.startswith(("linreg", "softmax", "mlp"))

    def __init__(self, net: Net, dtype: Any = np.float32, plain: bool = False) -> None:
        self.dtype = np.dtype(dtype)
        self.dropout = DROPOUT if net.random and not plain else 0.0
        self.weights = [w.astype(dtype) for layer in net.weights() for w in layer]
        self.m = [np.zeros_like(w) for w in self.weights]
        self.v = [np.zeros_like(w) for w in self.weights]
        self.t = 0
        self.rng = np.random.default_rng(3)
        x, y = net.data()
        self.regression = y.dtype.kind == "f"
        self.x, self.y = x.astype(dtype), y.astype(dtype) if self.regression else y

    def step(self) -> float:
        """One step; the loss before it."""
        w, h, keep = self.weights, self.x, 1 - self.dropout
        inputs, masks = [], []
        for i in range(0, len(w), 2):
            inputs.append(h)
            h = h @ w[i] + w[i + 1]
            if i + 2 < len(w):
                np.maximum(h, 0, out=h)
                mask = h > 0
                if self.dropout:
                    kept = self.rng.random(h.shape, dtype=self.dtype) < keep
                    mask &= kept
                    h *= kept / self.dtype.type(keep)
                masks.append(mask)
        loss, d = self._loss(h)
        gradients: list[Any] = [None] * len(w)
        for i in range(len(w) - 2, -1, -2):
            gradients[i], gradients[i + 1] = inputs[i // 2].T @ d, d.sum(axis=0)
            if i:
                d = d @ w[i].T
                d *= masks[i // 2 - 1]
                if self.dropout:
                    d /= self.dtype.type(keep)
        self._adam(gradients)
        return loss

    def _loss(self, h: np.ndarray) -> tuple[float, np.ndarray]:
        rows = len(h)
        if self.regression:
            d = h - self.y
            return float((d * d).mean()), d * self.dtype.type(2 / d.size)
        z = h - h.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        row = np.arange(rows)
        loss = float((np.log(total[:, 0]) - z[row, self.y]).mean())
        e /= total
        e[row, self.y] -= 1
        return loss, e / self.dtype.type(rows)

    def _adam(self, gradients: list[np.ndarray]) -> None:
        self.t += 1
        scale = self.dtype.type(RATE * np.sqrt(1 - BETA_2**self.t) / (1 - BETA_1**self.t))
        b1, b2, epsilon = (self.dtype.type(v) for v in (BETA_1, BETA_2, EPSILON))
        for p, g, m, v in zip(self.weights, gradients, self.m, self.v, strict=True):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g * g - v)
            p -= scale * m / (np.sqrt(v) + epsilon)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the classes."""
        w, h = self.weights, x.astype(self.dtype)
        for i in range(0, len(w), 2):
            h = h @ w[i] + w[i + 1]
            if i + 2 < len(w):
                h = np.maximum(h, 0)
        e = np.exp(h - h.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
