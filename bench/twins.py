"""One network, four times: pylearn's Sequential, NumPy by hand, torch (eager) and JAX (one jit over the step).

All start from the same weights and do the same step: forward, backward, Adam with Keras' defaults. With
float64 the NumPy one is the oracle of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import peers

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


@dataclass(frozen=True)
class Net:
    """Dense layers of these sizes, relu between them, dropout after each relu; mean squared error for a single output,
    else softmax cross-entropy on class ids."""

    sizes: tuple[int, ...]
    batch: int
    dropout: float = 0.0

    @property
    def regression(self) -> bool:
        return self.sizes[-1] == 1

    @property
    def flops(self) -> float:
        """Of forward and backward: three products a layer, but for the first no gradient of its input."""
        products = [i * o for i, o in zip(self.sizes, self.sizes[1:])]
        return 2.0 * self.batch * (3 * sum(products) - products[0])

    def weights(self) -> list[np.ndarray]:
        """w0 (in, out), b0 (out,), w1, …: the same at every call."""
        rng = np.random.default_rng(7)
        found = []
        for i, o in zip(self.sizes, self.sizes[1:]):
            found += [(rng.standard_normal((i, o)) / np.sqrt(i)).astype(np.float32), np.zeros(o, np.float32)]
        return found

    def data(self, batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
        rng, rows = np.random.default_rng(11), self.batch * batches
        x = rng.random((rows, self.sizes[0]), dtype=np.float32)
        if self.regression:
            return x, 2 * x[:, :1] + rng.random((rows, 1), dtype=np.float32)
        return x, rng.integers(0, self.sizes[-1], rows)


def pylearn_model(net: Net) -> Any:
    """Compiled, with the net's weights."""
    from pylearn.layers import Dense, Dropout, Input
    from pylearn.models import Sequential

    model = Sequential([Input((net.sizes[0],))])
    for units in net.sizes[1:-1]:
        model.add(Dense(units, activation="relu"))
        if net.dropout:
            model.add(Dropout(net.dropout))
    model.add(Dense(net.sizes[-1], activation=None if net.regression else "softmax"))
    model.compile(optimizer="adam", loss="mse" if net.regression else "sparse_categorical_crossentropy")
    model.set_weights(net.weights())
    return model


class NumpyTwin:
    """The step as one would write it by hand, in the precision of ``dtype``."""

    def __init__(self, net: Net, dtype: Any = np.float32) -> None:
        self.net, self.dtype = net, np.dtype(dtype)
        self.weights = [w.astype(dtype) for w in net.weights()]
        self.m = [np.zeros_like(w) for w in self.weights]
        self.v = [np.zeros_like(w) for w in self.weights]
        self.t = 0
        self.rng = np.random.default_rng(3)
        x, y = net.data()
        self.x, self.y = x.astype(dtype), y.astype(dtype) if net.regression else y

    def step(self) -> float:
        """One step on the first batch; the loss before it."""
        net, w, h, keep = self.net, self.weights, self.x, 1 - self.net.dropout
        inputs, masks = [], []
        for i in range(0, len(w), 2):
            inputs.append(h)
            h = h @ w[i] + w[i + 1]
            if i + 2 < len(w):
                np.maximum(h, 0, out=h)
                mask = h > 0
                if net.dropout:
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
                if net.dropout:
                    d /= self.dtype.type(keep)
        self._adam(gradients)
        return loss

    def _loss(self, h: np.ndarray) -> tuple[float, np.ndarray]:
        rows = len(h)
        if self.net.regression:
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
        for p, g, m, v in zip(self.weights, gradients, self.m, self.v):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g * g - v)
            p -= scale * m / (np.sqrt(v) + epsilon)

    def predict(self, x: np.ndarray) -> np.ndarray:
        w, h = self.weights, x.astype(self.dtype)
        for i in range(0, len(w), 2):
            h = h @ w[i] + w[i + 1]
            if i + 2 < len(w):
                h = np.maximum(h, 0)
        if self.net.regression:
            return h
        e = np.exp(h - h.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


class TorchTwin:
    """nn.Sequential and torch.optim.Adam, eager.

    torch adds epsilon after the bias correction; ``keras_epsilon`` makes up for it at each step, to compare losses.
    """

    def __init__(self, net: Net, keras_epsilon: bool = False) -> None:
        torch, self.net = peers.torch, net
        self.keras_epsilon, self.t = keras_epsilon, 0
        nn = torch.nn
        layers: list[Any] = []
        for i, o in zip(net.sizes[:-2], net.sizes[1:-1]):
            layers += [nn.Linear(i, o), nn.ReLU(), *([nn.Dropout(net.dropout)] if net.dropout else [])]
        layers.append(nn.Linear(*net.sizes[-2:]))
        self.model = nn.Sequential(*layers)
        with torch.no_grad():
            for parameter, w in zip(self.model.parameters(), net.weights(), strict=True):
                parameter.copy_(torch.from_numpy(w.T.copy()))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, eps=EPSILON)
        self.x, self.y = (torch.from_numpy(a) for a in net.data())
        self.loss = nn.functional.mse_loss if net.regression else nn.functional.cross_entropy

    def step(self) -> Any:
        if self.keras_epsilon:
            self.t += 1
            self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - BETA_2**self.t) ** 0.5
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def predictor(self, x: np.ndarray) -> Any:
        """A function that predicts these rows."""
        torch, rows, regression = peers.torch, peers.torch.from_numpy(x), self.net.regression
        self.model.eval()

        @torch.inference_mode()
        def predict() -> Any:
            y = self.model(rows)
            return y if regression else torch.softmax(y, 1)

        return predict


class JaxTwin:
    """One jit over forward, backward and Adam, which is given its own arrays back."""

    def __init__(self, net: Net) -> None:
        jax, jnp, self.net = peers.jax, peers.jax.numpy, net
        x, y = (jnp.asarray(a) for a in net.data())
        keep = 1 - net.dropout

        def logits(w: Any, h: Any, key: Any = None) -> Any:
            for i in range(0, len(w), 2):
                h = h @ w[i] + w[i + 1]
                if i + 2 < len(w):
                    h = jax.nn.relu(h)
                    if net.dropout and key is not None:
                        key, now = jax.random.split(key)
                        h = h * jax.random.bernoulli(now, keep, h.shape) / keep
            return h

        def loss(w: Any, key: Any) -> Any:
            h = logits(w, x, key)
            if net.regression:
                return ((h - y) ** 2).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1).mean()

        def step(w: Any, m: Any, v: Any, t: Any, key: Any) -> Any:
            key, now = jax.random.split(key)
            value, g = jax.value_and_grad(loss)(w, now)
            t, each = t + 1, jax.tree.map
            m = each(lambda a, b: BETA_1 * a + (1 - BETA_1) * b, m, g)
            v = each(lambda a, b: BETA_2 * a + (1 - BETA_2) * b * b, v, g)
            scale = RATE * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            w = each(lambda p, a, b: p - scale * a / (jnp.sqrt(b) + EPSILON), w, m, v)
            return w, m, v, t, key, value

        self._step = jax.jit(step, donate_argnums=(0, 1, 2, 3, 4))
        self._logits = jax.jit(logits if net.regression else lambda w, h: jax.nn.softmax(logits(w, h)))
        weights = [jnp.array(w, copy=True) for w in net.weights()]
        self._state = [
            weights,
            [jnp.zeros_like(w) for w in weights],
            [jnp.zeros_like(w) for w in weights],
            jnp.float32(0),
            jax.random.PRNGKey(0),
        ]

    def step(self) -> Any:
        *self._state, loss = self._step(*self._state)
        return loss.block_until_ready()

    def predictor(self, x: np.ndarray) -> Any:
        """A function that predicts these rows."""
        rows, weights = peers.jax.numpy.asarray(x), self._state[0]
        return lambda: self._logits(weights, rows).block_until_ready()
