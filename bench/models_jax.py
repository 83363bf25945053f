"""The networks of nets.py in JAX: one jit over forward, backward and Adam, which is given its own arrays back.

Parameters are the lists of ``Net.weights``: Keras' layout is JAX's too. ``plain`` turns dropout and noise off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import nets, peers
from bench.nets import BETA_1, BETA_2, EPSILON, NORM_EPSILON, RATE, Net

jax = peers.jax
jnp = jax.numpy if jax is not None else None


class Step:
    """One training step on one batch: ``step()`` gives the loss before it."""

    def __init__(self, net: Net, plain: bool = False) -> None:
        x, y = (jnp.asarray(a) for a in net.data())
        loss = _loss(net, plain)

        def step(p: Any, m: Any, v: Any, t: Any, key: Any) -> Any:
            key, now = jax.random.split(key)
            value, g = jax.value_and_grad(loss)(p, x, y, now)
            t, each = t + 1, jax.tree.map
            m = each(lambda a, b: BETA_1 * a + (1 - BETA_1) * b, m, g)
            v = each(lambda a, b: BETA_2 * a + (1 - BETA_2) * b * b, v, g)
            scale = RATE * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            p = each(lambda p, a, b: p - scale * a / (jnp.sqrt(b) + EPSILON), p, m, v)
            return p, m, v, t, key, value

        self._step = jax.jit(step, donate_argnums=(0, 1, 2, 3, 4))
        weights = [[jnp.array(w, copy=True) for w in layer] for layer in net.weights()]
        zeros = lambda: jax.tree.map(jnp.zeros_like, weights)  # noqa: E731
        self._state = [weights, zeros(), zeros(), jnp.float32(0), jax.random.PRNGKey(0)]

    def step(self) -> Any:
        *self._state, loss = self._step(*self._state)
        return loss.block_until_ready()


def predictor(net: Net, x: np.ndarray) -> Any:
    """A function that predicts these rows with an MLP."""
    rows, weights = jnp.asarray(x), [[jnp.asarray(w) for w in layer] for layer in net.weights()]
    forward = jax.jit(lambda p, x: jax.nn.softmax(_mlp(net, True)(p, x, None)))
    return lambda: forward(weights, rows).block_until_ready()


def _loss(net: Net, plain: bool) -> Callable[..., Any]:
    kind = net.name.split()[0].rstrip("0123456789")
    makers = {
        "cnn": _cnn,
        "resnet": _resnet,
        "textcnn": _text_cnn,
        "lstm": _lstm,
        "bilstm": _lstm,
        "gpt": _gpt,
    }
    if kind == "vae":
        return _vae_loss(plain)
    forward = makers.get(kind, _mlp)(net, plain)
    if kind == "linreg":
        return lambda p, x, y, key: ((forward(p, x, key) - y) ** 2).mean()
    if net.layers[-1][1][1] == (1,):
        return lambda p, x, y, key: _binary(forward(p, x, key), y).mean()

    def loss(p: Any, x: Any, y: Any, key: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(p, x, key)), y[..., None], -1).mean()

    return loss


def _binary(logits: Any, y: Any) -> Any:
    return jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def _dense(p: Any, x: Any) -> Any:
    return x @ p[0] + p[1]


def _dropout(x: Any, rate: float, key: Any) -> Any:
    return x * jax.random.bernoulli(key, 1 - rate, x.shape) / (1 - rate)


def _conv(p: Any, x: Any, stride: int = 1, padding: str = "VALID") -> Any:
    form = ("NHC", "HIO", "NHC") if x.ndim == 3 else ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, p[0], (stride,) * (x.ndim - 2), padding, dimension_numbers=form)
    return y + p[1] if len(p) > 1 else y


def _norm(p: Any, x: Any, axes: tuple[int, ...]) -> Any:
    centred = x - x.mean(axes, keepdims=True)
    scale = jax.lax.rsqrt((centred**2).mean(axes, keepdims=True) + NORM_EPSILON)
    return centred * scale * p[0] + p[1]


def _mlp(net: Net, plain: bool) -> Any:
    def forward(p: Any, x: Any, key: Any) -> Any:
        for layer in p[:-1]:
            x = jax.nn.relu(_dense(layer, x))
            if net.random and not plain:
                key, now = jax.random.split(key)
                x = _dropout(x, 0.2, now)
        return _dense(p[-1], x)

    return forward


def _cnn(net: Net, plain: bool) -> Any:
    window = (1, 2, 2, 1)

    def forward(p: Any, x: Any, key: Any) -> Any:
        for layer in p[:2]:
            x = jax.lax.reduce_window(
                jax.nn.relu(_conv(layer, x)), -np.inf, jax.lax.max, window, window, "VALID"
            )
        x = x.reshape(len(x), -1)
        return _dense(p[2], x if plain else _dropout(x, 0.5, key))

    return forward


def _resnet(net: Net, plain: bool) -> Any:
    def conv_norm(p: Any, x: Any, stride: int) -> Any:
        return _norm(p[1], _conv(p[0], x, stride, "SAME"), (0, 1, 2))

    def forward(p: Any, x: Any, key: Any) -> Any:
        h, i = jax.nn.relu(conv_norm(p[0:2], x, 1)), 2
        for _, _, stride in nets.RESNET_BLOCKS:
            y = conv_norm(p[i + 2 : i + 4], jax.nn.relu(conv_norm(p[i : i + 2], h, stride)), 1)
            i += 4
            if stride > 1:
                h, i = conv_norm(p[i : i + 2], h, stride), i + 2
            h = jax.nn.relu(y + h)
        return _dense(p[-1], h.mean((1, 2)))

    return forward


def _text_cnn(net: Net, plain: bool) -> Any:
    joined = net.layers[2][1][0][0]

    def forward(p: Any, x: Any, key: Any) -> Any:
        h = jax.nn.relu(_conv(p[1], p[0][0][x]))
        h = h.max(1) if joined == 250 else h.reshape(len(x), -1)
        return _dense(p[3], jax.nn.relu(_dense(p[2], h)))

    return forward


def _lstm(net: Net, plain: bool) -> Any:
    def run(p: Any, x: Any, reverse: bool) -> Any:
        """All states (T, B, H) in the order of x, and the last one."""
        w, u, b = p
        zero = jnp.zeros((x.shape[1], u.shape[0]), x.dtype)

        def cell(state: Any, z: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(z + h @ u, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        (h, _), y = jax.lax.scan(cell, (zero, zero), x @ w + b, reverse=reverse)
        return y, h

    def forward(p: Any, x: Any, key: Any) -> Any:
        y = p[0][0][x].transpose(1, 0, 2)
        h = None
        for layer in p[1:-1]:
            if len(layer) == 3:
                y, h = run(layer, y, False)
            else:
                (there, h_there), (back, h_back) = run(layer[:3], y, False), run(layer[3:], y, True)
                y, h = jnp.concatenate((there, back), -1), jnp.concatenate((h_there, h_back), -1)
        return _dense(p[-1], h)

    return forward


def _vae_loss(plain: bool) -> Any:
    def loss(p: Any, x: Any, y: Any, key: Any) -> Any:
        encode, to_mean, to_variance, decode, last = p
        h = jax.nn.relu(_dense(encode, x))
        mean, log_variance = _dense(to_mean, h), _dense(to_variance, h)
        z = mean if plain else mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        logits = _dense(last, jax.nn.relu(_dense(decode, z)))
        divergence = -0.5 * (1 + log_variance - mean * mean - jnp.exp(log_variance)).sum()
        return (_binary(logits, y).sum() + divergence) / len(x)

    return loss


def _gpt(net: Net, plain: bool) -> Any:
    def attend(p: Any, x: Any) -> Any:
        (batch, length, d), heads = x.shape, nets.GPT_HEADS
        kernel = jnp.concatenate([k.reshape(d, d) for k in p[0:6:2]], 1)
        qkv = x @ kernel + jnp.concatenate([b.reshape(d) for b in p[1:6:2]])
        q, k, v = (t.reshape(batch, length, heads, -1) for t in jnp.split(qkv, 3, -1))
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return y.reshape(batch, length, d) @ p[6].reshape(d, d) + p[7]

    def forward(p: Any, x: Any, key: Any) -> Any:
        h = p[0][0][x] + p[1][0]
        for i in range(2, 2 + 5 * nets.GPT_BLOCKS, 5):
            h = h + attend(p[i + 1], _norm(p[i], h, (-1,)))
            wide = jax.nn.gelu(_dense(p[i + 3], _norm(p[i + 2], h, (-1,))), approximate=False)
            h = h + _dense(p[i + 4], wide)
        return _dense(p[-1], _norm(p[-2], h, (-1,)))

    return forward
