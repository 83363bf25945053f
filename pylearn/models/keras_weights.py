"""Weights from Keras' HDF5 files: ``.weights.h5``, the one inside ``.keras``, and whole models of the older ``.h5``.

A ``.weights.h5`` is a tree: ``layers/<class in snake case>[_n]/vars/0, 1, …``, counted per class in the order of
``model.layers``; each ``vars`` carries the layer's own name as an attribute. The older file has a flat list of
arrays per layer. Only links inside the file are followed, and shapes are compared before anything is read. Bytes are
interpreted by the HDF5 library, which a file made for it can still keep running for ever: read files of people
you do not trust in a process that has a time limit.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pylearn import models, registry, structure
from pylearn._core import Tensor
from pylearn._lazy import optional
from pylearn.layers import InputLayer, Layer
from pylearn.models.loading import Loading

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Where Keras keeps the weights of a layer that are ours own, in our order: in the layer itself unless said here.
PARTS = {
    "SimpleRNN": ("cell",), "LSTM": ("cell",), "GRU": ("cell",),
    "MultiHeadAttention": ("query_dense", "key_dense", "value_dense", "output_dense"),
}  # fmt: skip
_RATIO = 1100  # bytes that one byte of a compressed file can become, at most


def check_heaps(content: Any, source: str) -> None:
    """Walks the heaps that hold texts, over which the HDF5 library itself never comes to an end when they are damaged.

    Args:
        content: of the whole file, bytes or a memory map.

    Raises:
        ValueError: the objects of a heap do not fill it; names the file.
    """
    at = content.find(b"GCOL\x01\0\0\0")
    while at >= 0:
        end = at + int.from_bytes(content[at + 8 : at + 16], "little")
        place, free = at + 16, False
        while place + 16 <= min(end, len(content)) and not free:
            size = int.from_bytes(content[place + 8 : place + 16], "little")
            free = content[place : place + 2] == b"\0\0"  # the last object: what is left
            place += size if free else 16 + -(-size // 8) * 8
        if place != end and not (0 <= end - place < 16 and not free):
            raise ValueError(f"{source} is damaged: the objects of its heap do not fill it")
        at = content.find(b"GCOL\x01\0\0\0", at + 8)


@contextlib.contextmanager
def opened(file: Any, source: str) -> Iterator[Any]:
    """The HDF5 file of a binary file object.

    Raises:
        ValueError: damaged, or no HDF5; names the file.
        ImportError: h5py is absent.
    """
    h5py = optional("h5py", "keras", "reading Keras files")
    try:
        with h5py.File(file, "r") as content:
            yield content
    except (OSError, RuntimeError, KeyError, UnicodeError, OverflowError) as error:
        raise ValueError(f"{source} is damaged or not a Keras file: {error}") from error


def read(load: Loading, file: Any) -> None:
    """Pairs the model's weights with the arrays of an open file of either layout."""
    group = _child(file, "model_weights") or file
    if "layer_names" in group.attrs:
        _read_flat(load, group)
    else:
        _read_layer(load, load.model, file, top=True)


def held(file: Any) -> int:
    """How many numbers the weights in the file have, going by what is really stored."""
    group = _child(file, "model_weights") or file
    return sum(int(d.size) for name in _names(group) if name != "optimizer" for d in _below(group, name))


# -- links and arrays -------------------------------------------------------------------------------


def _names(group: Any) -> list[str]:
    """Names of what lies in the group itself; links that point elsewhere are refused."""
    h5py = optional("h5py", "keras", "reading Keras files")
    names = list(group)
    for name in names:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(
                f"{group.name}/{name} is a link to another place; a weights file has none, so it is not followed"
            )
    return names


def _child(group: Any, name: str) -> Any:
    """The group of this name, or None."""
    if name not in _names(group):
        return None
    found = group[name]
    return found if hasattr(found, "keys") else None


def _array(dataset: Any) -> Any:
    """The dataset, if the file itself holds all of it."""
    h5py = optional("h5py", "keras", "reading Keras files")
    if not isinstance(dataset, h5py.Dataset):
        what = "group" if isinstance(dataset, h5py.Group) else "type"
        raise ValueError(f"{dataset.name} is a {what} where numbers are expected")
    stored = dataset.id.get_storage_size()
    plain = dataset.compression is None and dataset.external is None and not dataset.is_virtual
    if (
        dataset.external is not None
        or dataset.is_virtual
        or dataset.nbytes > stored * (1 if plain else _RATIO)
    ):
        raise ValueError(f"{dataset.name} declares shape {dataset.shape}, which the file does not hold")
    return dataset


def _below(group: Any, name: str, seen: set[int] | None = None) -> Iterator[Any]:
    """The arrays in a group and in its groups, each of which lies in one place."""
    h5py = optional("h5py", "keras", "reading Keras files")
    seen = set() if seen is None else seen
    found = group[name]
    if not hasattr(found, "keys"):
        yield _array(found)
        return
    address = h5py.h5o.get_info(found.id).addr
    if address in seen:
        raise ValueError(
            f"{found.name} is a link to another place; a weights file has none, so it is not followed"
        )
    seen.add(address)
    for inner in _names(found):
        yield from _below(found, inner, seen)


def _variables(group: Any) -> list[Any]:
    found = _child(group, "vars")
    names = sorted(_names(found), key=lambda n: (len(n), n)) if found is not None else []
    return [_array(found[name]) for name in names]


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


# -- the tree ---------------------------------------------------------------------------------------


def own_weights(layer: Layer) -> list[Tensor]:
    """The layer's own weights, without those of layers inside it, in Keras' order."""
    return [*layer._own_trainable, *layer._own_frozen]


def _read_layer(load: Loading, layer: Layer, group: Any, top: bool = False) -> None:
    own = own_weights(layer)
    if own:
        parts = PARTS.get(type(layer).__name__)
        groups = [group] if parts is None else [_child(group, part) for part in parts]
        load.give(layer.name, own, [v for g in groups if g is not None for v in _variables(g)])
    for key in ("layers", "_layer_checkpoint_dependencies"):
        inner = _child(group, key)
        if isinstance(layer, models.Model) and inner is not None:
            _read_several(load, layer.name, ordered(layer), inner, top)
            return
    for attribute, value in vars(layer).items():
        if attribute[0] == "_":
            continue
        if isinstance(value, Layer) and value.weights:
            found = _child(group, attribute)
            if found is None:
                load.misfit(layer.name, f"it has no {attribute!r} in {layer.name}")
            else:
                _read_layer(load, value, found)
        elif isinstance(value, list | tuple) and any(isinstance(v, Layer) and v.weights for v in value):
            found = _child(group, attribute)
            if found is None:
                load.misfit(layer.name, f"it has no {attribute!r} in {layer.name}")
            else:
                _read_several(load, layer.name, [v for v in value if isinstance(v, Layer)], found, False)


def _read_several(load: Loading, owner: str, layers: list[Layer], group: Any, top: bool) -> None:
    """Layers in a row: by their own names where all of these agree, else by class and order."""
    children = {name: group[name] for name in _names(group) if hasattr(group[name], "keys")}
    holding = [name for name, child in children.items() if any(True for _ in _below(group, name))]
    stored: dict[str, str] = {}  # by the layer's own name
    for key in holding:
        named = _child(children[key], "vars")
        stored[_text(named.attrs["name"]) if named is not None and "name" in named.attrs else key] = key
    weighty = [layer for layer in layers if layer.weights]
    if top and load.by_name:
        for layer in weighty:
            if layer.name in stored:
                _read_layer(load, layer, children[stored[layer.name]])
        return
    if len(stored) == len(holding) and {layer.name for layer in weighty} == set(stored):
        places = {layer.name: stored[layer.name] for layer in weighty}
    else:
        places = _counted(layers)
    for layer in weighty:
        child = children.get(places[layer.name])
        if child is None:
            load.misfit(
                layer.name, f"it has no {places[layer.name]!r} for {layer.name}, only {', '.join(holding)}"
            )
        else:
            _read_layer(load, layer, child)
    for name in holding:
        if name not in {places[layer.name] for layer in weighty}:
            load.misfit(name, f"it has {name!r} besides what {owner} has")


def _counted(layers: list[Layer]) -> dict[str, str]:
    """Each layer's place: ``dense``, ``dense_1``, … by class, in order."""
    counts: dict[str, int] = defaultdict(int)
    places: dict[str, str] = {}
    for layer in layers:
        stem = registry.snake(type(layer).__name__)
        places[layer.name] = f"{stem}_{counts[stem]}" if counts[stem] else stem
        counts[stem] += 1
    return places


def ordered(model: Any) -> list[Layer]:
    """A model's layers in Keras' order: by depth from the outputs, then by when a walk from them meets the layer."""
    if isinstance(model, models.Sequential) or getattr(model, "_graph", None) is None:
        return list(model.layers)
    graph = model._graph
    given = {id(t) for t in graph.inputs}
    met: dict[int, Layer] = {}
    finished: list[Any] = []
    done: set[int] = set()
    stack: list[tuple[Any, bool]] = [(t.node, False) for t in reversed(graph.outputs)]
    while stack:
        node, ready = stack.pop()
        if ready:
            finished.append(node)
        elif node is not None and id(node) not in done:
            done.add(id(node))
            met.setdefault(id(node.layer), node.layer)
            stack.append((node, True))
            if not any(id(t) in given for t in structure.leaves(node.outputs)):
                stack += [(t.node, False) for t in reversed(structure.flatten(node.inputs))]
    depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    for node in reversed(finished):
        here = max(depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        depth[id(node)] = layer_depth[id(node.layer)] = here
        if not any(id(t) in given for t in structure.leaves(node.outputs)):
            for t in structure.leaves(node.inputs):
                if t.node is not None:
                    depth[id(t.node)] = max(here + 1, depth.get(id(t.node), 0))
    when = list(met)
    order = sorted(met, key=lambda key: (-layer_depth[key], when.index(key)))
    return [met[key] for key in order]


# -- the older, flat layout -------------------------------------------------------------------------


def _attribute(group: Any, name: str) -> list[str]:
    """A list of names; long ones are cut into name0, name1, …"""
    if name in group.attrs:
        return [_text(v) for v in group.attrs[name]]
    parts: list[str] = []
    while f"{name}{len(parts)}" in group.attrs and len(parts) < 1000:
        parts.append(f"{name}{len(parts)}")
    return [_text(v) for part in parts for v in group.attrs[part]]


def _read_flat(load: Loading, group: Any) -> None:
    stored: dict[str, list[tuple[str, Any]]] = {}
    for name in _attribute(group, "layer_names"):
        inner = _child(group, name)
        paths = _attribute(inner, "weight_names") if inner is not None else []
        if paths:
            stored[name] = [(path, _array(_follow(inner, path))) for path in paths]
    weighty = [layer for layer in ordered(load.model) if layer.weights and not isinstance(layer, InputLayer)]
    if load.by_name or {layer.name for layer in weighty} == set(stored):
        pairs: Iterable[tuple[Layer, str]] = [
            (layer, layer.name) for layer in weighty if layer.name in stored
        ]
    elif len(weighty) != len(stored):
        load.misfit(load.model.name, f"it has {len(stored)} layers with weights for {len(weighty)}")
        return
    else:
        pairs = list(zip(weighty, stored, strict=True))
    for layer, name in pairs:
        _give_flat(load, layer, stored[name])


def _follow(group: Any, path: str) -> Any:
    """A dataset by the path its attribute gives, link by link inside the file."""
    parts = path.split("/")
    for part in parts[:-1]:
        group = _child(group, part)
        if group is None:
            raise ValueError(f"weight_names lists {path!r}, which the file does not hold")
    if parts[-1] not in _names(group):
        raise ValueError(f"weight_names lists {path!r}, which the file does not hold")
    return group[parts[-1]]


def _give_flat(load: Loading, layer: Layer, arrays: list[tuple[str, Any]]) -> None:
    """The arrays of a layer, those of one layer inside it together, though frozen ones are listed last."""
    inner = [part for part in _leaves(layer) if own_weights(part)]
    by_folder: dict[str, list[Any]] = {}
    for path, value in arrays:
        by_folder.setdefault(path.rpartition("/")[0], []).append(value)
    if len(inner) == 1:
        load.give(layer.name, own_weights(inner[0]), [value for _, value in arrays])
    elif len(by_folder) == len(inner):
        named = {folder.split("/")[-1]: values for folder, values in by_folder.items()}
        agree = {part.name for part in inner} == set(named)
        for part, values in zip(inner, by_folder.values(), strict=True):
            load.give(layer.name, own_weights(part), named[part.name] if agree else values)
    else:
        load.give(layer.name, layer.weights, [value for _, value in arrays])


def _leaves(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in ordered(layer) if isinstance(layer, models.Model) else layer._sublayers:
        yield from _leaves(inner)
