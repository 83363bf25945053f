"""Models from the JSON that Keras writes into ``.keras`` and ``.h5`` files.

Classes are found in the lists of this package, or among those the caller gives; ``module`` entries are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pylearn import activations, initializers, layers, mixed_precision, models, registry, regularizers
from pylearn.layers import SymbolicTensor

# Settings with no effect on what the layer computes here.
_WITHOUT_EFFECT = {
    "seed", "unroll", "ragged", "sparse", "optional", "data_format", "quantization_config", "implementation",
    "renorm_momentum", "synchronized", "batch_input_shape", "build_input_shape", "time_major",
}  # fmt: skip
# Settings that act in training only: left out with a warning.
_TRAINING_ONLY = {"dropout", "recurrent_dropout", "noise_shape", "kernel_constraint", "bias_constraint",
                  "recurrent_constraint", "embeddings_constraint", "gamma_constraint", "beta_constraint",
                  "depthwise_constraint", "pointwise_constraint"}  # fmt: skip
# Operations by which Keras passes masks on, in a graph of their own beside the layers'; masks find their own way here.
_MASKS = {
    "NotEqual",
    "LogicalOr",
    "LogicalAnd",
    "Any",
    "All",
    "OnesLike",
    "ExpandDims",
    "Concatenate",
    "BroadcastTo",
}


def model_from(config: Any, source: str) -> Any:
    """The model that Keras' configuration describes, with weights of its own.

    Raises:
        ValueError: an unknown class, or a setting that is not supported; names the layer.
    """
    try:
        made = _layer(config)
    except (KeyError, IndexError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{source}: its structure cannot be read ({error!r})") from error
    if not isinstance(made, models.Model):
        raise ValueError(f"{source} does not describe a model")
    return made


def _layer(spec: Mapping[str, Any]) -> Any:
    name, config = str(spec["class_name"]), dict(spec["config"])
    if name == "Lambda":
        raise ValueError("unknown layer class 'Lambda': its function is code, which no file may hold")
    if name == "Sequential":
        return _sequential(config)
    if name in ("Functional", "Model") and "layers" in config:
        return _functional(config)
    if _is_operation(spec) and name != "Add":
        raise ValueError(
            f"{config.get('name')}: the operation {name} between layers is not supported; use a layer"
        )
    table = {cls.__name__: cls for cls in layers.ALL}
    cls = registry.lookup(name, table, f"layer class in a Keras file, for {config.get('name', 'a layer')!r},")
    if name == "InputLayer":
        shape = config["batch_shape"] if "batch_shape" in config else config["batch_input_shape"]
        dtype = _dtype(config.get("dtype")).replace("mixed_bfloat16", "float32")
        return cls(tuple(shape[1:]), batch_size=shape[0], dtype=dtype, name=config.get("name"))
    if "batch_input_shape" in config:
        config["input_shape"] = config["batch_input_shape"][1:]
    config["dtype"] = _dtype(config.get("dtype"))
    return cls.from_config(_settings(cls, config))


def _is_operation(spec: Mapping[str, Any]) -> bool:
    """``x + y`` rather than a layer: Keras' place for it tells, or in an ``.h5``, that it has no settings."""
    if "module" in spec:
        return ".ops." in str(spec["module"])
    return "trainable" not in spec["config"] and spec["class_name"] not in (
        "InputLayer",
        "Sequential",
        "Functional",
    )


def _passes_masks(spec: Mapping[str, Any]) -> bool:
    if not _is_operation(spec) or spec["class_name"] not in _MASKS:
        return False
    if spec["class_name"] == "NotEqual" and any(node["args"][1] != 0 for node in spec["inbound_nodes"]):
        raise ValueError(f"{spec['config'].get('name')}: a mask of other values than 0 is not supported")
    return True


def _settings(cls: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments among Keras' settings."""
    known = {*registry.parameters(cls), *layers.base.BASE_ARGUMENTS}
    kept: dict[str, Any] = {}
    who = f"{config.get('name')} ({cls.__name__})"
    for key, value in config.items():
        if key in known:
            kept[key] = _value(key, value)
        elif not value or key in _WITHOUT_EFFECT:
            continue
        elif key in _TRAINING_ONLY:
            registry.warn(f"{who}: {key} acts in training only and is left out")
        elif (key, value) not in (("attention_axes", [1]), ("zero_output_for_mask", True)):
            raise ValueError(f"{who}: {key}={value!r} is not supported")
    return kept


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    name, inner = value["class_name"], value["config"]
    if key.endswith("initializer"):
        return _known(value, {cls.__name__: cls for cls in initializers.ALL}, "initializer")
    if key.endswith("regularizer"):
        return _known(value, {cls.__name__: cls for cls in regularizers.ALL}, "regularizer")
    if key.endswith("activation"):
        return registry.lookup(inner if name == "function" else name, activations.ALL, "activation")
    if key == "dtype":
        return _dtype(value)
    return _layer(value)


def _known(value: Mapping[str, Any], table: Mapping[str, type], what: str) -> Any:
    cls = registry.lookup(value["class_name"], table, what)
    known = registry.parameters(cls)
    if registry.takes_any(cls.__init__):
        known = [*known, "seed"]
    return registry.construct(cls, {k: v for k, v in value["config"].items() if k in known})


def _dtype(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value["config"]["name"]
    name = str(value or "float32")
    if name in mixed_precision.POLICIES:
        return name
    return name.replace("mixed_", "").replace("bfloat16", "float32").replace("float16", "float32")


def _sequential(config: Mapping[str, Any]) -> Any:
    model = models.Sequential(name=config.get("name"))
    for spec in config["layers"]:
        made = _layer(spec)
        model.add(made.output if isinstance(made, layers.InputLayer) else made)
    shape = config.get("build_input_shape")
    if model._graph is None and shape:
        model.build(tuple(shape))
    return model


def _functional(config: Mapping[str, Any]) -> Any:
    masks = {spec["config"]["name"] for spec in config["layers"] if _passes_masks(spec)}
    specs = {spec["config"]["name"]: spec for spec in config["layers"] if spec["config"]["name"] not in masks}
    made = {name: _layer(spec) for name, spec in specs.items()}
    places: dict[tuple[str, int, int], SymbolicTensor] = {}
    waiting: list[tuple[str, int, Any]] = []
    for name, spec in specs.items():
        if isinstance(made[name], layers.InputLayer):
            places[name, 0, 0] = made[name].output
        waiting += [(name, i, node) for i, node in enumerate(spec["inbound_nodes"])]

    def value(leaf: Any) -> Any:
        """A nest of arguments with tensors in the place of their descriptions."""
        if isinstance(leaf, Mapping):
            if leaf.get("class_name") == "__keras_tensor__":
                return places[_key(leaf["config"]["keras_history"])]
            return {key: value(item) for key, item in leaf.items()}
        return [value(item) for item in leaf] if isinstance(leaf, list) else leaf

    while waiting:
        rest = []
        for name, i, node in waiting:
            if not isinstance(node, Mapping):
                raise ValueError(
                    f"{name}: the connections are in a form of Keras 2; save the model with Keras 3"
                )
            kwargs = {key: item for key, item in node["kwargs"].items() if item is not None}
            kwargs = {key: item for key, item in kwargs.items() if not (key == "training" and item is False)}
            kwargs = {
                key: item for key, item in kwargs.items() if not (key == "mask" and _comes_from(item, masks))
            }
            if all(key in places for key in _histories([node["args"], kwargs])):
                args = value(node["args"])
                x, *args = [args] if _is_operation(specs[name]) else args
                y = made[name](x, *args, **value(kwargs))
                outputs = y if isinstance(y, list) else [y]
                places.update({(name, i, j): t for j, t in enumerate(outputs)})
            else:
                rest.append((name, i, node))
        if len(rest) == len(waiting):
            raise ValueError(f"{rest[0][0]} reads what no layer of the model gives")
        waiting = rest
    return models.Functional(
        _ends(config["input_layers"], places), _ends(config["output_layers"], places), name=config.get("name")
    )


def _key(history: Any) -> tuple[str, int, int]:
    return (str(history[0]), int(history[1]), int(history[2]))


def _histories(tree: Any) -> list[tuple[str, int, int]]:
    """Which outputs the arguments of a call need."""
    if isinstance(tree, Mapping):
        if tree.get("class_name") == "__keras_tensor__":
            return [_key(tree["config"]["keras_history"])]
        return [key for item in tree.values() for key in _histories(item)]
    return [key for item in tree for key in _histories(item)] if isinstance(tree, list) else []


def _comes_from(tree: Any, names: set[str]) -> bool:
    found = _histories(tree)
    return bool(found) and all(name in names for name, _, _ in found)


def _ends(nest: Any, places: Mapping[tuple[str, int, int], SymbolicTensor]) -> Any:
    """Inputs or outputs: one ``[name, node, tensor]``, or a list or dict of them."""
    if isinstance(nest, Mapping):
        return {key: _ends(item, places) for key, item in nest.items()}
    if len(nest) == 3 and isinstance(nest[0], str) and isinstance(nest[1], int):
        return places[_key(nest)]
    ends = [_ends(item, places) for item in nest]
    return ends[0] if len(ends) == 1 else ends
