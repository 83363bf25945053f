"""The networks of the training cases: initial weights in Keras' layout, data, and the arithmetic of a step.

models.py builds them with pylearn, models_torch.py and models_jax.py with the peers, all from these weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # Adam's, Keras' defaults
NORM_EPSILON = 1e-5

Layer = tuple[str, list[tuple[int, ...]]]  # kind, shapes of its weights
Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Net:
    """One network.

    ``layers`` are those with weights, in the order of models.py; ``products`` the multiply-adds of one forward pass,
    product by product, of which the first needs no gradient of its input when ``from_data``. ``values`` says what the
    inputs and targets are made of.
    """

    name: str
    batch: int
    layers: Sequence[Layer]
    products: Sequence[float]
    inputs: Callable[[np.random.Generator, int], np.ndarray]
    targets: Callable[[np.random.Generator, int], np.ndarray]
    from_data: bool = True
    random: bool = False  # dropout or noise, which are off when losses are compared

    @property
    def flops(self) -> float:
        """Of forward and backward: three products each, but for the gradient of the data."""
        return 2.0 * (3 * sum(self.products) - (self.products[0] if self.from_data else 0))

    def weights(self) -> list[Arrays]:
        """By layer; the same at every call."""
        rng = np.random.default_rng(7)
        return [
            [_initial(rng, kind, i, shape) for i, shape in enumerate(shapes)] for kind, shapes in self.layers
        ]

    def count(self) -> int:
        return sum(int(np.prod(shape)) for _, shapes in self.layers for shape in shapes)

    def data(self, batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
        rng, rows = np.random.default_rng(11), self.batch * batches
        return self.inputs(rng, rows), self.targets(rng, rows)


def _initial(rng: np.random.Generator, kind: str, i: int, shape: tuple[int, ...]) -> np.ndarray:
    if kind == "norm":
        return np.full(shape, 1 - i, np.float32)  # gamma 1, beta 0
    if (
        (kind == "attention" and i in (1, 3, 5, 7))
        or (kind in ("dense", "conv") and i == 1)
        or (kind == "lstm" and i % 3 == 2)
    ):
        return np.zeros(shape, np.float32)  # biases
    fan = {"embedding": 400, "attention": shape[0] if i < 6 else shape[0] * shape[1]}.get(
        kind, int(np.prod(shape[:-1]))
    )
    return (rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32)


def _uniform(*shape: int) -> Any:
    return lambda rng, rows: rng.random((rows, *shape), dtype=np.float32)


def _ids(bound: int, *shape: int) -> Any:
    return lambda rng, rows: rng.integers(0, bound, (rows, *shape))


def _bits(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.integers(0, 2, (rows, 1)).astype(np.float32)


def _dense(i: int, o: int) -> Layer:
    return "dense", [(i, o), (o,)]


def mlp(name: str, batch: int, *sizes: int, dropout: bool = False) -> Net:
    pairs = list(itertools.pairwise(sizes))
    targets = _uniform(1) if sizes[-1] == 1 else _ids(sizes[-1])
    return Net(
        name, batch, [_dense(*pair) for pair in pairs], [batch * i * o for i, o in pairs], _uniform(sizes[0]),
        targets, random=dropout,
    )  # fmt: skip


def cnn(batch: int) -> Net:
    layers = [("conv", [(3, 3, 1, 32), (32,)]), ("conv", [(3, 3, 32, 64), (64,)]), _dense(1600, 10)]
    products = [batch * 26 * 26 * 32 * 9.0, batch * 11 * 11 * 64 * 288.0, batch * 16000.0]
    return Net(f"cnn mnist b{batch}", batch, layers, products, _uniform(28, 28, 1), _ids(10), random=True)


RESNET_BLOCKS = tuple(  # channels in, out, stride
    (i if b == 0 else o, o, stride if b == 0 else 1)
    for i, o, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
    for b in range(3)
)


def resnet20(batch: int) -> Net:
    norm = lambda c: ("norm", [(c,), (c,)])  # noqa: E731
    layers, size = [("conv", [(3, 3, 3, 16)]), norm(16)], 32
    products = [batch * 1024 * 16 * 27.0]
    for i, o, stride in RESNET_BLOCKS:
        size //= stride
        layers += [("conv", [(3, 3, i, o)]), norm(o), ("conv", [(3, 3, o, o)]), norm(o)]
        products += [batch * size * size * 9.0 * i * o, batch * size * size * 9.0 * o * o]
        if stride > 1:
            layers += [("conv", [(1, 1, i, o)]), norm(o)]
            products.append(float(batch * size * size * i * o))
    return Net(
        f"resnet20 cifar b{batch}", batch, [*layers, _dense(64, 10)], [*products, batch * 640.0],
        _uniform(32, 32, 3), _ids(10),
    )  # fmt: skip


def text_cnn(batch: int, words: int, length: int, flat: bool) -> Net:
    joined = 250 * (length - 2) if flat else 250
    layers = [
        ("embedding", [(words, 50)]),
        ("conv", [(3, 50, 250), (250,)]),
        _dense(joined, 250),
        _dense(250, 1),
    ]
    products = [batch * (length - 2) * 150 * 250.0, batch * joined * 250.0, batch * 250.0]
    name = f"textcnn {'flat ' if flat else ''}l{length} b{batch}"
    return Net(name, batch, layers, products, _ids(words, length), _bits, from_data=False)


def lstm(batch: int, length: int, units: int, both_ways: int = 0) -> Net:
    """One layer, or this many that read both ways."""
    ways, layers, products, features = (2 if both_ways else 1), [("embedding", [(20_000, 128)])], [], 128
    for _ in range(both_ways or 1):
        layers.append(("lstm", ways * [(features, 4 * units), (units, 4 * units), (4 * units,)]))
        products.append(float(ways * batch * length * 4 * units * (features + units)))
        features = ways * units
    name = f"bilstm{both_ways}" if both_ways else "lstm"
    return Net(
        f"{name} l{length} h{units} b{batch}", batch, [*layers, _dense(features, 1)], [*products, batch * features],
        _ids(20_000, length), _bits, from_data=False,
    )  # fmt: skip


def vae(batch: int) -> Net:
    sizes = ((784, 400), (400, 20), (400, 20), (20, 400), (400, 784))
    return Net(
        f"vae 784-400-20 b{batch}", batch, [_dense(*size) for size in sizes], [float(batch * i * o) for i, o in sizes],
        _uniform(784), _uniform(784), random=True,
    )  # fmt: skip


GPT_WORDS, GPT_WIDTH, GPT_HEADS, GPT_BLOCKS, GPT_LENGTH = 96, 128, 4, 2, 128


def gpt(batch: int) -> Net:
    words, d, heads, length = GPT_WORDS, GPT_WIDTH, GPT_HEADS, GPT_LENGTH
    each, rows = d // heads, batch * length
    norm: Layer = ("norm", [(d,), (d,)])
    attention: Layer = ("attention", [*3 * [(d, heads, each), (heads, each)], (heads, each, d), (d,)])
    layers: list[Layer] = [("embedding", [(words, d)]), ("embedding", [(length, d)])]
    products: list[float] = []
    for _ in range(GPT_BLOCKS):
        layers += [norm, attention, norm, _dense(d, 4 * d), _dense(4 * d, d)]
        products += [4.0 * rows * d * d, batch * d * length * (length + 1.0), 8.0 * rows * d * d]
    return Net(
        f"gpt d{d} l2 t{length} b{batch}", batch, [*layers, norm, _dense(d, words)], [*products, rows * d * words],
        _ids(words, length), _ids(words, length), from_data=False,
    )  # fmt: skip


NETS = {
    net.name: net
    for net in (
        mlp("linreg 1-1 b32", 32, 1, 1),
        mlp("softmax 784-10 b32", 32, 784, 10),
        mlp("mlp 784-100-10 b32", 32, 784, 100, 10),
        mlp("mlp 784-512-512-10 dropout b128", 128, 784, 512, 512, 10, dropout=True),
        cnn(128),
        resnet20(64),
        text_cnn(32, 5000, 400, flat=False),
        text_cnn(32, 1000, 300, flat=True),
        lstm(32, 80, 128),
        lstm(32, 80, 64, both_ways=2),
        vae(128),
        gpt(16),
    )
}
SMALL = mlp("mlp 64-100-10 b32", 32, 64, 100, 10)
