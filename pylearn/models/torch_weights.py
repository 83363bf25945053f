"""Weights from PyTorch: a ``state_dict`` written with ``safetensors.torch.save_file``.

| here | there | change |
|---|---|---|
| Dense | Linear | transposed |
| Conv1D, Conv2D | Conv1d, Conv2d | (out, in, …) → (…, in, out) |
| Embedding | Embedding | none |
| BatchNormalization, LayerNormalization | BatchNorm, LayerNorm | none; epsilon, there 1e-5, is not in the file |
| SimpleRNN, LSTM | RNN, LSTM (``weight_ih_l0`` …) | transposed, biases summed; the gates i, f, g, o keep their order |
| GRU | GRU | transposed, gates r, z, n → z, r, h; both biases are kept (``reset_after=True``) |
| Bidirectional | the same with ``_reverse`` | as above; ``_l1`` and so on are layers of their own |
| MultiHeadAttention | MultiheadAttention | transposed and cut into heads |

After a Flatten of images, features are reordered from (C, H, W), torch's order, to (H, W, C).

Which module goes to which layer: by name where every layer with weights is called as a module (``fc1`` or
``encoder.fc1``); else by their shapes, equal ones in the order of their numbers (``0``, ``2``; ``conv1``, ``conv2``).
Modules of equal shape whose names are not numbered are refused, for a file holds them in no order.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from pylearn import layers, models, structure
from pylearn.layers import Layer
from pylearn.models.loading import Loading

Arrays = dict[str, np.ndarray]
_RECURRENT = re.compile(r"(?:(.*)\.)?((?:weight|bias)_(?:ih|hh))_l(\d+)(_reverse)?$")
_IMAGES = (layers.Conv1D, layers.Conv2D, layers.MaxPooling1D, layers.MaxPooling2D, layers.AveragePooling1D,
           layers.AveragePooling2D)  # fmt: skip
_ELEMENTWISE = (
    layers.Activation,
    layers.Dropout,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.Add,
)


def load_weights(load: Loading, path: str | os.PathLike[str]) -> None:
    """Pairs the model's weights with those of a state_dict.

    Raises:
        ValueError: damaged, or modules that do not fit the layers.
    """
    try:
        with open(path, "rb") as file:
            arrays = safetensors.numpy.load(file.read())
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the reader's own errors have no common class
        raise ValueError(f"{load.source} is damaged or not a safetensors file: {error}") from None
    modules = _modules(arrays)
    leaves = [layer for layer in _leaves(load.model) if layer.weights]
    order = Order(load)
    for layer, name in _match(load, leaves, modules):
        try:
            values = _convert(layer, modules[name], order.of(layer))
        except ValueError as error:
            load.misfit(layer.name, str(error))
            continue
        load.give(layer.name, layer.weights, values)
    load.finish()


def _leaves(layer: Layer) -> list[Layer]:
    """The layers that the table knows, and what else has weights, in order."""
    if type(layer) in _SHAPES:
        return [layer]
    inner = layer.layers if isinstance(layer, models.Model) else layer._sublayers
    found = [leaf for item in inner for leaf in _leaves(item)]
    return found if inner else [layer]


def _modules(arrays: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
    """Arrays by module: ``fc1``: {weight, bias}; ``lstm.l0``: {weight_ih, …, weight_ih_reverse, …}."""
    found: dict[str, Arrays] = defaultdict(dict)
    attention = {key.rpartition(".")[0] for key in arrays if key.endswith("in_proj_weight")}
    for key, value in arrays.items():
        module, _, kind = key.rpartition(".")
        recurrent = _RECURRENT.match(key)
        if recurrent:
            name = ".".join(part for part in (recurrent[1], f"l{recurrent[3]}") if part)
            found[name][recurrent[2] + (recurrent[4] or "")] = value
        elif kind == "num_batches_tracked":
            continue
        elif module.rpartition(".")[2] == "out_proj" and module.rpartition(".")[0] in attention:
            found[module.rpartition(".")[0]][f"out_proj.{kind}"] = value
        else:
            found[module][kind] = value
    return dict(found)


# -- which module goes to which layer ---------------------------------------------------------------


def _names(module: str) -> set[str]:
    """What a layer may be called to be meant by name: without the number of a lone recurrent layer, too."""
    names = {module, module.rpartition(".")[2]}
    if re.search(r"(^|\.)l0$", module):
        names |= _names(module.rpartition(".")[0]) if "." in module else set()
    return {n.replace(".", "_") for n in names} | names


def _match(load: Loading, leaves: list[Layer], modules: Mapping[str, Arrays]) -> list[tuple[Layer, str]]:
    named = {layer.name: [m for m in modules if layer.name in _names(m)] for layer in leaves}
    if load.by_name or all(len(found) == 1 for found in named.values()):
        pairs = [(layer, named[layer.name][0]) for layer in leaves if len(named[layer.name]) == 1]
        unused = set(modules) - {name for _, name in pairs}
        if unused and not load.by_name:
            load.misfit(min(unused), f"the module {min(unused)!r} has no layer")
        return pairs
    groups: dict[Any, tuple[list[Layer], list[str]]] = defaultdict(lambda: ([], []))
    for layer in leaves:
        groups[_signature(_shapes(layer))][0].append(layer)
    for name in sorted(modules, key=_natural):
        groups[_signature({key: value.shape for key, value in modules[name].items()})][1].append(name)
    pairs = []
    for wanted, given in groups.values():
        if not wanted:
            load.misfit(
                given[0], f"the module {given[0]!r} {_say(modules[given[0]])} fits no layer that is left"
            )
        elif len(wanted) != len(given):
            text = f"{wanted[0].name} needs {_say(_shapes(wanted[0]))}; the file has"
            rest = "; ".join(f"{name!r} {_say(values)}" for name, values in sorted(modules.items())[:6])
            load.misfit(wanted[0].name, f"{text} {rest or 'nothing'}")
        elif len({re.sub(r"\d+", "", name) for name in given}) > 1:
            load.misfit(
                wanted[0].name,
                f"{' and '.join(map(repr, given))} have equal shapes; call the layers as the modules, for example "
                f"name={given[0].replace('.', '_')!r}",
            )
        else:
            pairs += zip(wanted, given, strict=True)
    return pairs


def _signature(shapes: Mapping[str, Any]) -> Any:
    return frozenset((key, tuple(shape)) for key, shape in shapes.items())


def _natural(name: str) -> list[Any]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)|\.", name) if p]


def _say(shapes: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {tuple(getattr(shape, 'shape', shape))}" for key, shape in sorted(shapes.items())
    )


# -- shapes there, for each kind of layer -----------------------------------------------------------


def _shapes(layer: Any) -> dict[str, tuple[int, ...]]:
    """Names and shapes that torch gives the layer's weights; nothing for a layer it has not."""
    rule = _SHAPES.get(type(layer))
    return rule(layer) if rule is not None else {"nothing in torch": (0,)}


def _linear(layer: Any) -> dict[str, tuple[int, ...]]:
    kernel = layer.kernel.shape
    shapes: dict[str, tuple[int, ...]] = {"weight": (*reversed(kernel[-2:]), *kernel[:-2])}
    return shapes if layer.bias is None else {**shapes, "bias": (kernel[-1],)}


def _norm(layer: Any) -> dict[str, tuple[int, ...]]:
    shapes = {"weight": layer.gamma, "bias": layer.beta, "running_mean": getattr(layer, "moving_mean", None),
              "running_var": getattr(layer, "moving_variance", None)}  # fmt: skip
    return {key: tuple(w.shape) for key, w in shapes.items() if w is not None}


def _recurrent(layer: Any) -> dict[str, tuple[int, ...]]:
    (size, wide), units = layer.kernel.shape, layer.units
    shapes: dict[str, tuple[int, ...]] = {"weight_ih": (wide, size), "weight_hh": (wide, units)}
    return shapes if layer.bias is None else {**shapes, "bias_ih": (wide,), "bias_hh": (wide,)}


def _both_ways(layer: Any) -> dict[str, tuple[int, ...]]:
    one = _recurrent(layer.forward_layer)
    return {**one, **{f"{key}_reverse": shape for key, shape in one.items()}}


def _attention(layer: Any) -> dict[str, tuple[int, ...]]:
    size, out = layer.query_kernel.shape[0], layer.output_kernel.shape[-1]
    wide = layer.num_heads * layer.key_dim
    shapes: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * wide, size), "out_proj.weight": (out, wide)}
    return {**shapes, "in_proj_bias": (3 * wide,), "out_proj.bias": (out,)} if layer.use_bias else shapes


_SHAPES: dict[type, Any] = {
    layers.Dense: _linear, layers.Conv1D: _linear, layers.Conv2D: _linear,
    layers.Embedding: lambda layer: {"weight": tuple(layer.embeddings.shape)},
    layers.BatchNormalization: _norm, layers.LayerNormalization: _norm, layers.SimpleRNN: _recurrent,
    layers.LSTM: _recurrent, layers.GRU: _recurrent, layers.Bidirectional: _both_ways,
    layers.MultiHeadAttention: _attention,
}  # fmt: skip


# -- values -----------------------------------------------------------------------------------------


def _convert(layer: Any, given: Arrays, features: np.ndarray | None) -> list[np.ndarray]:
    """The module's arrays in the order and the layout of the layer's weights.

    Args:
        features: where each input feature stands in torch's order, after a Flatten of images.

    Raises:
        ValueError: shapes, or a layer that torch has not.
    """
    wanted = _shapes(layer)
    if _signature(wanted) != _signature({key: value.shape for key, value in given.items()}):
        raise ValueError(f"{layer.name} needs {_say(wanted)}, the file has {_say(given)}")
    if isinstance(layer, layers.Bidirectional):
        forward = {key: value for key, value in given.items() if not key.endswith("_reverse")}
        backward = {key.removesuffix("_reverse"): v for key, v in given.items() if key.endswith("_reverse")}
        return [*_gates(layer.forward_layer, forward), *_gates(layer.backward_layer, backward)]
    if isinstance(layer, layers.SimpleRNN | layers.LSTM | layers.GRU):
        return _gates(layer, given)
    if isinstance(layer, layers.MultiHeadAttention):
        return _heads(layer, given)
    if isinstance(layer, layers.Dense):
        kernel = given["weight"].T if features is None else given["weight"].T[features]
        return [kernel] if layer.bias is None else [kernel, given["bias"]]
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        kernel = np.moveaxis(given["weight"], (0, 1), (-1, -2))
        return [kernel] if layer.bias is None else [kernel, given["bias"]]
    values = [given[key] for key in ("weight", "bias", "running_mean", "running_var") if key in given]
    return values if features is None else [value[features] for value in values]


def _gates(layer: Any, given: Arrays) -> list[np.ndarray]:
    if isinstance(layer, layers.GRU):
        if not layer.reset_after:
            raise ValueError(f"{layer.name} has reset_after=False, which torch's GRU has not")
        given = {key: np.concatenate([np.split(v, 3)[i] for i in (1, 0, 2)]) for key, v in given.items()}
    values = [given["weight_ih"].T, given["weight_hh"].T]
    if layer.bias is None:
        return values
    biases = given["bias_ih"], given["bias_hh"]
    return [*values, np.stack(biases) if isinstance(layer, layers.GRU) else biases[0] + biases[1]]


def _heads(layer: Any, given: Arrays) -> list[np.ndarray]:
    values = []
    kernels = [layer.query_kernel, layer.key_kernel, layer.value_kernel]
    for i, kernel in enumerate(kernels):
        values.append(np.split(given["in_proj_weight"], 3)[i].T.reshape(kernel.shape))
        if layer.use_bias:
            values.append(np.split(given["in_proj_bias"], 3)[i].reshape(kernel.shape[1:]))
    values.append(given["out_proj.weight"].T.reshape(layer.output_kernel.shape))
    return [*values, given["out_proj.bias"]] if layer.use_bias else values


class Order:
    """Where features stand in torch's order, for each layer after a Flatten of images."""

    def __init__(self, load: Loading) -> None:
        self.load = load
        self.before: dict[int, np.ndarray | None] = {}
        graph: Any = getattr(load.model, "_graph", None)
        if graph is not None:
            self._walk(graph, [(None, len(t.shape) == 4) for t in graph.inputs])

    def of(self, layer: Layer) -> np.ndarray | None:
        return self.before.get(id(layer))

    def _walk(self, graph: Any, inputs: list[tuple[np.ndarray | None, bool]]) -> list[Any]:
        """(order of the features, are they channels of an image?) of the graph's outputs."""
        state: list[Any] = [(None, False)] * graph.size
        state[: len(inputs)] = inputs
        for call in graph.calls:
            layer, places = call.layer, structure.flatten(call.inputs)
            given = [state[i] for i in places]
            inner: Any = getattr(layer, "_graph", None)
            if inner is not None:
                out = self._walk(inner, given)
            else:
                shapes = [t.shape for t in structure.leaves(call.node.inputs)]
                out = [self._after(layer, given, shapes)] * len(structure.flatten(call.outputs))
            for place, made in zip(structure.leaves(call.outputs), out, strict=True):
                state[place] = made
        return [state[i] for i in graph.output_places]

    def _after(self, layer: Layer, given: list[Any], shapes: list[Any]) -> tuple[np.ndarray | None, bool]:
        features, image = given[0]
        self.before[id(layer)] = features
        if isinstance(layer, layers.Flatten) and features is None:
            row = shapes[0][1:]
            if not image or len(row) < 2 or row[-1] == 1 or None in row:
                return None, False
            there = np.arange(np.prod(row)).reshape(row[-1], *row[:-1])
            return np.moveaxis(there, 0, -1).reshape(-1), False
        if isinstance(layer, _ELEMENTWISE) and all(np.array_equal(features, f) for f, _ in given):
            return features, image
        if any(f is not None for f, _ in given) and not isinstance(layer, layers.Dense | layers.Flatten):
            self.load.misfit(
                layer.name, f"the order of the features after a Flatten is not known behind {layer.name}"
            )
        if isinstance(layer, layers.Flatten):
            return features, False
        return None, isinstance(layer, _IMAGES)
