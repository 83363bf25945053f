"""The networks of nets.py as a user of torch writes them for speed: nn modules, channels_last memory for images, the
fused Adam; eager or compiled.

``plain`` makes what is compared, not timed: dropout and noise off, the strided convolutions padded as Keras does
(which torch needs a copy for), one bias a recurrent layer instead of two, Adam's epsilon where Keras has it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from bench import nets, peers
from bench.nets import BETA_2, EPSILON, NORM_EPSILON, RATE, Net


class Step:
    """One training step on one batch: ``step()`` gives the loss before it."""

    def __init__(self, net: Net, plain: bool = False, compiled: bool = False, dtype: Any = None) -> None:
        torch = peers.torch
        self.plain, self.t = plain, 0
        kind = net.name.split()[0].rstrip("0123456789")
        makers = {
            "cnn": _cnn,
            "resnet": _resnet,
            "textcnn": _text_cnn,
            "lstm": _lstm,
            "bilstm": _lstm,
            "vae": _vae,
            "gpt": _gpt,
        }
        modules, forward = makers.get(kind, _mlp)(net, plain)
        self.modules, self.forward = torch.nn.ModuleList(modules), forward
        self.modules.to(dtype or torch.float32)
        with torch.no_grad():
            for module, arrays in zip(modules, net.weights(), strict=True):
                _load(module, arrays, plain)
        self.x, self.y = (_tensor(a, dtype) for a in net.data())
        if kind in ("cnn", "resnet"):
            self.x = self.x.permute(0, 3, 1, 2)
            self.modules.to(memory_format=torch.channels_last)
        trained = [p for p in self.modules.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=RATE, eps=EPSILON, fused=True)
        self.loss = functools.partial(_loss(net, kind), forward)
        if compiled:
            self.loss = peers.compiled(self.loss)

    def step(self) -> Any:
        self.t += 1
        if self.plain:
            self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - BETA_2**self.t) ** 0.5
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.x, self.y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def predictor(net: Net, x: np.ndarray) -> Any:
    """A function that predicts these rows with an MLP."""
    torch = peers.torch
    made, rows = Step(net), torch.from_numpy(x)
    for module in made.modules:
        module.eval()

    @torch.inference_mode()
    def predict() -> Any:
        return torch.softmax(made.forward(rows), 1)

    return predict


def _tensor(a: np.ndarray, dtype: Any) -> Any:
    t = peers.torch.from_numpy(a)
    return t.to(dtype) if dtype is not None and t.is_floating_point() else t


def _load(module: Any, arrays: list[np.ndarray], plain: bool) -> None:
    torch = peers.torch
    nn, values = torch.nn, [torch.from_numpy(a) for a in arrays]
    if isinstance(module, nn.Linear):
        values[0] = values[0].T
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        axes = range(values[0].ndim)
        values[0] = values[0].permute(axes[-1], axes[-2], *axes[:-2])
    elif isinstance(module, nn.LSTM):
        zero = torch.zeros_like(values[2])
        values = [
            v for i in range(0, len(values), 3) for v in (values[i].T, values[i + 1].T, values[i + 2], zero)
        ]
        for name, parameter in module.named_parameters():
            if plain and name.startswith("bias_hh"):
                parameter.requires_grad_(False)
    elif isinstance(module, Attention):
        d = values[0].shape[0]
        kernels, biases = values[0:6:2], values[1:6:2]
        values = [
            torch.cat([k.reshape(d, d) for k in kernels], 1).T,
            torch.cat([b.reshape(d) for b in biases]),
        ]
        values += [torch.from_numpy(arrays[6]).reshape(d, d).T, torch.from_numpy(arrays[7])]
    for parameter, value in zip(module.parameters(), values, strict=True):
        parameter.copy_(value)


def _loss(net: Net, kind: str) -> Any:
    f = peers.torch.nn.functional
    if kind == "linreg":
        return lambda forward, x, y: f.mse_loss(forward(x), y)
    if kind == "vae":
        return _vae_loss
    if kind == "gpt":
        return lambda forward, x, y: f.cross_entropy(forward(x).flatten(0, 1), y.flatten())
    if net.layers[-1][1][1] == (1,):
        return lambda forward, x, y: f.binary_cross_entropy_with_logits(forward(x), y)
    return lambda forward, x, y: f.cross_entropy(forward(x), y)


def _mlp(net: Net, plain: bool) -> Any:
    torch = peers.torch
    f, drops = torch.nn.functional, net.random and not plain
    modules = [torch.nn.Linear(*shapes[0]) for _, shapes in net.layers]

    def forward(x: Any) -> Any:
        for module in modules[:-1]:
            x = f.relu(module(x))
            if drops:
                x = f.dropout(x, 0.2, module.training)
        return modules[-1](x)

    return modules, forward


def _cnn(net: Net, plain: bool) -> Any:
    nn, f = peers.torch.nn, peers.torch.nn.functional
    modules = [nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3), nn.Linear(1600, 10)]

    def forward(x: Any) -> Any:
        for module in modules[:2]:
            x = f.max_pool2d(f.relu(module(x)), 2)
        if plain:  # Keras flattens with the channels last
            return modules[2](x.permute(0, 2, 3, 1).flatten(1))
        return modules[2](f.dropout(x.flatten(1), 0.5))

    return modules, forward


def _resnet(net: Net, plain: bool) -> Any:
    nn, f = peers.torch.nn, peers.torch.nn.functional
    modules: list[Any] = []

    def conv_norm(i: int, o: int, kernel: int, stride: int) -> Any:
        keras = plain and stride > 1 and kernel > 1
        conv = nn.Conv2d(i, o, kernel, stride, 0 if keras else kernel // 2, bias=False)
        norm = nn.BatchNorm2d(o, eps=NORM_EPSILON)
        modules.extend((conv, norm))
        return lambda x: norm(conv(f.pad(x, (0, 1, 0, 1)) if keras else x))

    first = conv_norm(3, 16, 3, 1)
    blocks = [
        (
            conv_norm(i, o, 3, stride),
            conv_norm(o, o, 3, 1),
            conv_norm(i, o, 1, stride) if stride > 1 else None,
        )
        for i, o, stride in nets.RESNET_BLOCKS
    ]
    last = nn.Linear(64, 10)
    modules.append(last)

    def forward(x: Any) -> Any:
        h = f.relu(first(x))
        for a, b, shortcut in blocks:
            h = f.relu(b(f.relu(a(h))) + (shortcut(h) if shortcut else h))
        return last(h.mean((2, 3)))

    return modules, forward


def _text_cnn(net: Net, plain: bool) -> Any:
    nn, f = peers.torch.nn, peers.torch.nn.functional
    (words, features), (joined, _) = net.layers[0][1][0], net.layers[2][1][0]
    modules = [
        nn.Embedding(words, features),
        nn.Conv1d(features, 250, 3),
        nn.Linear(joined, 250),
        nn.Linear(250, 1),
    ]
    embedding, conv, dense, last = modules

    def forward(x: Any) -> Any:
        h = f.relu(conv(embedding(x).transpose(1, 2)))
        if joined == 250:
            h = h.amax(-1)
        else:  # Keras flattens with the channels last
            h = (h.transpose(1, 2) if plain else h).flatten(1)
        return last(f.relu(dense(h)))

    return modules, forward


def _lstm(net: Net, plain: bool) -> Any:
    torch = peers.torch
    nn, both_ways = torch.nn, len(net.layers[1][1]) == 6
    recurrent = [
        nn.LSTM(shapes[0][0], shapes[1][0], batch_first=True, bidirectional=both_ways)
        for _, shapes in net.layers[1:-1]
    ]
    embedding, last = nn.Embedding(*net.layers[0][1][0]), nn.Linear(*net.layers[-1][1][0])

    def forward(x: Any) -> Any:
        y = embedding(x)
        for layer in recurrent:
            y, (h, _) = layer(y)
        return last(torch.cat((h[0], h[1]), 1) if both_ways else h[0])

    return [embedding, *recurrent, last], forward


def _vae(net: Net, plain: bool) -> Any:
    torch = peers.torch
    f = torch.nn.functional
    modules = [torch.nn.Linear(*shapes[0]) for _, shapes in net.layers]
    encode, to_mean, to_variance, decode, last = modules

    def forward(x: Any) -> Any:
        h = f.relu(encode(x))
        mean, log_variance = to_mean(h), to_variance(h)
        z = mean if plain else mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return last(f.relu(decode(z))), mean, log_variance

    return modules, forward


def _vae_loss(forward: Any, x: Any, y: Any) -> Any:
    logits, mean, log_variance = forward(x)
    likelihood = peers.torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean * mean - log_variance.exp()).sum()
    return (likelihood + divergence) / len(x)


class Attention(peers.torch.nn.Module if peers.torch is not None else object):
    """Causal self-attention with one product for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = peers.torch.nn.Linear(width, 3 * width), peers.torch.nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        y = peers.torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


def _gpt(net: Net, plain: bool) -> Any:
    torch = peers.torch
    nn, f, d = torch.nn, torch.nn.functional, nets.GPT_WIDTH
    make = {
        "embedding": lambda shapes: nn.Embedding(*shapes[0]),
        "norm": lambda shapes: nn.LayerNorm(d, eps=NORM_EPSILON),
        "attention": lambda shapes: Attention(d, nets.GPT_HEADS),
        "dense": lambda shapes: nn.Linear(*shapes[0]),
    }
    modules = [make[kind](shapes) for kind, shapes in net.layers]

    def forward(x: Any) -> Any:
        h = modules[0](x) + modules[1].weight
        for i in range(2, 2 + 5 * nets.GPT_BLOCKS, 5):
            norm_1, attend, norm_2, widen, narrow = modules[i : i + 5]
            h = h + attend(norm_1(h))
            h = h + narrow(f.gelu(widen(norm_2(h))))
        return modules[-1](modules[-2](h))

    return modules, forward
