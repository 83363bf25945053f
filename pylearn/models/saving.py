"""The model file: one safetensors file whose header carries the structure.

Tensors: ``weights/<path>``, ``optimizer/<slot>``. Metadata: ``pylearn``, a JSON text (format, structure, compile
settings, states of the random numbers, and for each tensor its dtype, shape and CRC-32), and ``sha256`` of that text.
So a file in which any byte differs is refused, or holds an equal model. Nothing in it is ever run: classes come from a
closed registry, or from the caller.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from pylearn import blocks, files, layers, mixed_precision, models, optimizers, random, registry, structure
from pylearn._core import Tensor
from pylearn.layers import Layer, SymbolicTensor
from pylearn.layers.dropout import Noisy
from pylearn.layers.inputs import InputLayer
from pylearn.layers.naming import budget
from pylearn.models import keras_files, keras_weights, torch_weights
from pylearn.models.loading import Loading

if TYPE_CHECKING:
    from pylearn.models.base import Functional, Model

FORMAT = 1
_LARGEST_HEADER = 100 << 20  # what safetensors reads at most
_KNOWN = {
    "format",
    "kind",
    "model",
    "weights",
    "compile",
    "optimizer",
    "random",
    "seeds",
    "tensors",
    "version",
    "shapes",
}


# -- configurations -------------------------------------------------------------------------------


def classes() -> dict[str, type]:
    """Every class a model file may name, without custom objects."""
    return {cls.__name__: cls for cls in [*layers.ALL, *blocks.ALL, *models.ALL]}


def foreign_classes(model: Layer) -> dict[str, type]:
    """Classes of layers in a model that a file may name only with custom objects."""
    known = classes()
    found: dict[str, type] = {}
    waiting: list[Layer] = [model]
    while waiting:
        cls = type(waiting[-1])
        if known.get(cls.__name__) is not cls:
            found[cls.__name__] = cls
        waiting += waiting.pop()._sublayers
    return found


def layer_from_config(spec: Mapping[str, Any]) -> Any:
    if not registry.is_config(spec):
        raise ValueError(f"not a layer's configuration: {str(spec)[:80]}")
    with mixed_precision.policy_scope("float32"):  # of every configuration that says nothing else
        return registry.deserialize(spec, classes(), "layer class")


def graph_config(model: Functional) -> dict[str, Any]:
    """Layers by name, and the calls between them: each input is [call, output], calls counted through the model."""
    graph = model._graph
    place: dict[int, int] = {id(t): i for i, t in enumerate(graph.inputs)}
    calls = []
    for call in graph.calls:
        for t in structure.leaves(call.node.outputs):
            place[id(t)] = len(place)
        arguments = {"args": registry.serialize(list(call.args)), "kwargs": registry.serialize(call.kwargs)}
        calls.append({"layer": call.layer.name, "inputs": call.inputs, **arguments})
    return {
        "layers": [registry.serialize(layer) for layer in graph.layers],
        "calls": calls,
        "inputs": structure.transform(lambda t: place[id(t)], model._inputs),
        "input_layers": [layer.name for layer in graph.input_layers],
        "outputs": structure.transform(lambda t: place[id(t)], model._outputs),
    }


def graph_from_config(config: Mapping[str, Any], cls: type[Model] | None = None) -> Any:
    """The model that ``graph_config`` described, of a class that is made from inputs and outputs."""
    made: list[Layer] = [layer_from_config(spec) for spec in config["layers"]]
    named = {layer.name: layer for layer in made}
    places: list[SymbolicTensor] = []
    for name in config["input_layers"]:
        layer = named[name]
        if not isinstance(layer, InputLayer):
            raise ValueError(f"{name!r} is not an input")
        places.append(layer.output)
    for call in config["calls"]:
        x = structure.transform(lambda i: places[i], call["inputs"])
        y = named[call["layer"]](x, *call.get("args", ()), **call.get("kwargs", {}))
        places.extend(structure.leaves(y))
    inputs = structure.transform(lambda i: places[i], config["inputs"])
    outputs = structure.transform(lambda i: places[i], config["outputs"])
    dtype = config.get("dtype", "float32")
    return (cls or models.Functional)(inputs, outputs, name=config.get("name"), dtype=dtype)


def clone_model(model: Layer) -> Any:
    """A model (or layer) of the same structure, with weights and layers of its own, newly initialised; not compiled.

    Raises:
        ValueError: something in the model cannot be described, such as a lambda.
    """
    again = layer_from_config(registry.serialize(model))
    if (
        isinstance(model, models.Model)
        and not isinstance(again, models.Functional)
        and model._row_shapes is not None
    ):
        again.build_from_shapes(model._row_shapes)
    return again


# -- the container --------------------------------------------------------------------------------


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data) if array.size else 0


def _pack(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    arrays = {name: np.array(value, order="C") for name, value in arrays.items()}
    header = {
        **header,
        "tensors": {n: [a.dtype.name, list(a.shape), _checksum(a)] for n, a in arrays.items()},
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    return safetensors.numpy.save(
        dict(arrays), metadata={"pylearn": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    )  # fmt: skip


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _unpack(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return _parse(_read(path), os.fspath(path))


def _parse(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file, each checked.

    Raises:
        ValueError: not a pylearn file, or damaged; names the file.
    """

    def damaged(why: str) -> ValueError:
        return ValueError(f"{name} is damaged or not a pylearn file: {why}")

    try:
        arrays = safetensors.numpy.load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
        text, digest = metadata["pylearn"], metadata["sha256"]
    except KeyError as error:
        raise damaged(f"its header has no {error}") from None
    except Exception as error:
        raise damaged(str(error) or type(error).__name__) from None
    if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != digest:
        raise damaged("the checksum of its header is wrong")
    try:
        header = json.loads(text)
        described = header["tensors"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(f"its header cannot be read ({error})") from None
    if set(described) != set(arrays):
        raise damaged("it does not hold the tensors its header lists")
    for key, array in arrays.items():
        if [array.dtype.name, list(array.shape), _checksum(array)] != described[key]:
            raise damaged(f"the checksum of {key!r} is wrong")
    if header.get("format", 0) > FORMAT:
        raise ValueError(
            f"{name} has format {header['format']}, written by a later version; this one reads up to {FORMAT}"
        )
    for key in sorted(set(header) - _KNOWN):
        registry.warn(f"{name}: unknown key {key!r} in the header is left out")
    return header, arrays


def _write(path: str | os.PathLike[str], content: bytes, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{os.fspath(path)} exists; pass overwrite=True to replace it")
    files.write_bytes(path, content)


# -- weights --------------------------------------------------------------------------------------


def named_weights(model: Layer) -> dict[str, Tensor]:
    """Weights by path, each once: ``dense/kernel``."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    prefix = f"{model.name}/"
    for path, weight in model.weight_items():
        if id(weight) in seen:
            continue
        seen.add(id(weight))
        path = path.removeprefix(prefix)
        if path in found:
            raise ValueError(f"two weights are called {path!r}; give the layers other names")
        found[path] = weight
    return found


def _need_built(model: Layer, what: str) -> None:
    unbuilt = [layer.name for layer in model._sublayers if not layer.built]
    if unbuilt or (not model._sublayers and not model.built):
        name = unbuilt[0] if unbuilt else model.name
        raise ValueError(
            f"cannot {what} {model.name}: {name} is not built yet; give input_shape, or fit or call it first"
        )


def save_weights(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    _need_built(model, "save the weights of")
    arrays = {f"weights/{name}": w.numpy() for name, w in named_weights(model).items()}
    _write(path, _pack({"format": FORMAT, "kind": "weights"}, arrays), overwrite)


def load_weights(
    model: Model, path: str | os.PathLike[str], by_name: bool = False, skip_mismatch: bool = False
) -> None:
    _need_built(model, "load weights into")
    load = Loading(model, os.fspath(path), by_name, skip_mismatch)
    match _kind(path):
        case "archive" | "h5" as kind:
            keras_files.load_weights(load, path, archive=kind == "archive")
        case "npz":
            _load_npz(load, path)
        case "torch":
            torch_weights.load_weights(load, path)
        case _:
            _assign(load, _unpack(path)[1])


def _kind(path: str | os.PathLike[str]) -> str:
    """What wrote a file, by its first bytes: "archive" (Keras'), "h5", "npz", "torch", or "pylearn" for the rest.

    Raises:
        ValueError: a pickle.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        if start == keras_weights.SIGNATURE:
            return "h5"
        if start[:2] == b"PK":
            return "npz" if os.fspath(path).endswith(".npz") else "archive"
        if start[:1] == b"\x80" and os.fspath(path).endswith(
            (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
        ):
            raise ValueError(
                f"{os.fspath(path)} is a pickle and could run code; write the weights with "
                "safetensors.torch.save_file(model.state_dict(), …)"
            )
        size = int.from_bytes(start, "little")
        if not os.fspath(path).endswith(".safetensors") or size > _LARGEST_HEADER:
            return "pylearn"
        return "pylearn" if b'"pylearn"' in file.read(size) else "torch"


def _load_npz(load: Loading, path: str | os.PathLike[str]) -> None:
    """``np.savez(path, *model.get_weights())``, of Keras or of this package: arrays in the order of the weights."""
    try:
        with np.load(path, allow_pickle=False) as content:
            names = sorted(content.files, key=lambda n: (len(n), n))
            if names != [f"arr_{i}" for i in range(len(names))]:
                raise ValueError(f"its arrays are not numbered arr_0, arr_1, …, but {', '.join(names[:5])}")
            arrays = [content[name] for name in names]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, OverflowError, MemoryError) as error:
        raise ValueError(f"{load.source} is damaged or does not hold weights: {error}") from None
    if load.by_name:
        raise ValueError(f"{load.source} holds arrays without names; load it without by_name")
    load.give(load.model.name, load.model.weights, arrays)
    load.finish()


def _assign(load: Loading, arrays: Mapping[str, np.ndarray]) -> None:
    """Weights of a file of this package, by path."""
    given = {k.removeprefix("weights/"): v for k, v in arrays.items() if k.startswith("weights/")}
    wanted = named_weights(load.model)
    if set(given) != set(wanted) and not load.by_name:
        pairs = _same_but_numbers(list(wanted), list(given)) if len(wanted) == len(given) else None
        if pairs is None:
            missing, extra = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
            what = f"it lacks {missing[0]!r}" if missing else f"it has {extra[0]!r} besides"
            load.misfit((missing or extra)[0].partition("/")[0],
                        f"{what} ({len(given)} weights for {len(wanted)})")  # fmt: skip
        else:
            given = {w: given[g] for w, g in pairs.items()}
    layers_of: dict[str, dict[str, Tensor]] = {}
    for path, weight in wanted.items():
        layers_of.setdefault(path.partition("/")[0], {})[path] = weight
    for layer, weights in layers_of.items():
        found = {path: given[path] for path in weights if path in given}
        if found or not (load.by_name or load.skip_mismatch):
            load.give(layer, list(weights.values()), list(found.values()))
    load.finish()


def _same_but_numbers(wanted: list[str], given: list[str]) -> dict[str, str] | None:
    """Pairs names that differ only in the numbers Keras-like names count up (dense_3 for dense), in order."""

    def stem(name: str) -> str:
        return "/".join(part.rstrip("0123456789").rstrip("_") for part in name.split("/"))

    def number(name: str) -> list[int]:
        parts = [part.rpartition("_")[2] for part in name.split("/")]
        return [int(p) if p.isdigit() else 0 for p in parts]

    groups: dict[str, list[str]] = {}
    for name in sorted(given, key=number):
        groups.setdefault(stem(name), []).append(name)
    pairs: dict[str, str] = {}
    for name in sorted(wanted, key=number):
        queue = groups.get(stem(name))
        if not queue:
            return None
        pairs[name] = queue.pop(0)
    return pairs


# -- models ---------------------------------------------------------------------------------------


def save_model(
    model: Model, path: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True
) -> None:
    _write(path, model_bytes(model, include_optimizer), overwrite)


def model_bytes(model: Model, include_optimizer: bool = True) -> bytes:
    """What a file of the model holds."""
    _need_built(model, "save")
    arrays = {f"weights/{name}": w.numpy() for name, w in named_weights(model).items()}
    header: dict[str, Any] = {
        "format": FORMAT, "kind": "model", "model": registry.serialize(model),
        "random": list(random.default_generator().state()),
        "shapes": registry.serialize(model._row_shapes),
    }  # fmt: skip
    seeded = _generators(model)
    if seeded:
        header["seeds"] = {path: list(generator.state()) for path, generator in seeded.items()}
    compiled = model._compiled
    if compiled is not None:
        header["compile"] = registry.serialize(compiled.get_config())
        optimizer = compiled.optimizer
        if include_optimizer and (optimizer.built or model._pending_state is not None):
            state = optimizer.state() if optimizer.built else model._pending_state or {}
            header["optimizer"] = sorted(state)
            arrays.update({f"optimizer/{key}": np.asarray(value) for key, value in state.items()})
    return _pack(header, arrays)


def load_model(filepath: str | os.PathLike[str], custom_objects: Any = None, compile: bool = True) -> Any:
    """Reads a model that ``save`` wrote: weights, and training as it stood. Or one that Keras wrote.

    Args:
        filepath: the file. Of a ``.keras`` or whole-model ``.h5`` file of Keras 3 (with ``pip install
            'pylearn[keras]'``) the layers must be among ours; a loss, metric or optimizer that is not leaves the model
            not compiled, with a warning that names it. The optimizer's state begins anew.
        custom_objects: your own classes and functions that the model uses: a dict by name, or a list.
        compile: restore optimizer, loss and metrics too.

    Returns:
        the model. The first ``fit`` goes on with the random numbers where the saved model was.

    Raises:
        ValueError: damaged file (names it), a later format, or a class neither known nor given.
    """
    kind = _kind(filepath)
    if kind in ("archive", "h5"):
        with registry.custom_objects(custom_objects):
            return keras_files.load_model(filepath, kind == "archive", compile)
    return model_from_bytes(_read(filepath), os.fspath(filepath), custom_objects, compile)


def model_from_bytes(content: bytes, source: str, custom_objects: Any = None, compile: bool = True) -> Any:
    """The model of ``model_bytes``; ``source`` names it in messages."""
    header, arrays = _parse(content, source)
    if header.get("kind") != "model":
        raise ValueError(f"{source} holds weights only; make the model, then load_weights")
    generator = random.default_generator()
    state_before = generator.state()
    with registry.custom_objects(custom_objects):
        held = sum(array.size for key, array in arrays.items() if key.startswith("weights/"))
        try:
            with budget(held, source):
                model = _built(header)
        except (KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"{source}: its structure cannot be read ({error!r})") from error
        if not isinstance(model, models.Model):
            raise ValueError(f"{source} does not describe a model")
        _assign(Loading(model, source), arrays)
        seeds = header.get("seeds") or {}
        for layer_path, own in _generators(model).items():
            if layer_path in seeds:
                own.set_state(tuple(seeds[layer_path]))
        if compile and header.get("compile") is not None:
            config = dict(header["compile"])
            settings: dict[str, Any] = {k: _revive(v) for k, v in config.items() if k != "optimizer"}
            model.compile(optimizer=optimizers.get(config["optimizer"]), **settings)
            state = {k.removeprefix("optimizer/"): v for k, v in arrays.items() if k.startswith("optimizer/")}
            if state:
                model._pending_state = state
    generator.set_state(state_before)  # making the weights drew numbers that were not needed
    if header.get("random") is not None:
        model._random_state = (tuple(header["random"]), state_before)
    return model


def _generators(layer: Layer, prefix: str = "") -> dict[str, random.Generator]:
    """The generators of layers that have one of their own, by the layers' paths."""
    found: dict[str, random.Generator] = {}
    for inner in layer._sublayers:
        path = f"{prefix}{inner.name}"
        if isinstance(inner, Noisy) and inner.seed is not None:
            found[path] = inner._generator
        found |= _generators(inner, f"{path}/")
    return found


def _built(header: Mapping[str, Any]) -> Any:
    """The model that the header describes, with new weights."""
    model = layer_from_config(header["model"])
    shapes = _shapes(header.get("shapes"))
    if shapes is not None and isinstance(model, models.Functional):
        model.ensure_built(shapes)
    elif shapes is not None and isinstance(model, models.Model):
        model.build_from_shapes(shapes)
    return model


def _revive(value: Any) -> Any:
    """Strings and configurations of losses and metrics; ``compile`` itself resolves them, in the same scope."""
    if isinstance(value, Mapping) and set(value) == {"function"}:
        return registry.lookup(value["function"], {}, "function")
    if isinstance(value, Mapping) and not registry.is_config(value):
        return {k: _revive(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_revive(v) for v in value]
    return value


def _shapes(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {k: _shapes(v) for k, v in value.items()}
    if all(n is None or isinstance(n, int) for n in value):
        return tuple(value)
    return [_shapes(v) for v in value]


def restore(model: Model, path: str | os.PathLike[str]) -> None:
    """Puts what ``save`` wrote of the same model back into this one: weights, optimizer, random numbers."""
    _need_built(model, "restore")
    header, arrays = _unpack(path)
    if header.get("kind") != "model":
        raise ValueError(f"{os.fspath(path)} holds weights only; use load_weights")
    _assign(Loading(model, os.fspath(path)), arrays)
    if model._compiled is not None and header.get("optimizer"):
        state = {k.removeprefix("optimizer/"): v for k, v in arrays.items() if k.startswith("optimizer/")}
        model._pending_state = state
        if model._compiled.optimizer.built:
            model._compiled.optimizer.load_state(state)
    random.default_generator().set_state(tuple(header["random"]))
