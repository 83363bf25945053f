"""Compile settings from the JSON that Keras writes into ``.keras`` and ``.h5`` files.

Classes are found in the lists of this package; those that Keras says are not its own, among the caller's objects only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pylearn import losses, metrics, optimizers, registry, schedules
from pylearn.optimizers.base import COMMON

_TABLES: dict[str, dict[str, Any]] = {
    "optimizer": {cls.__name__: cls for cls in optimizers.ALL},
    "schedule": {cls.__name__: cls for cls in schedules.ALL},
    "loss": {cls.__name__: cls for cls in losses.ALL},
    "metric": {cls.__name__: cls for cls in metrics.ALL} | {"R2Score": metrics.R2},
}
# Arguments that a base class takes for all of a kind.
_SHARED = {"optimizer": COMMON, "schedule": (), "loss": ("name", "reduction"), "metric": ("name",)}
# Settings with no effect here, whatever they are, or of the one value that is what happens here anyway.
_WITHOUT_EFFECT = {"dtype", "name", "jit_compile", "is_legacy_optimizer"}
_AS_HERE = [("axis", -1), ("reduction", "auto"), ("summation_method", "interpolation")]


def compile_as(model: Any, config: Any, source: str) -> None:
    """Compiles the model as the file says, or warns once with what is not known.

    Args:
        config: Keras' ``compile_config``, or ``training_config`` of an ``.h5`` file; None or empty for a model that was
            not compiled.
    """
    if not config:
        return
    problems: list[str] = []
    settings: dict[str, Any] = {}

    def attempt(key: str, make: Callable[[], Any]) -> None:
        try:
            settings[key] = make()
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
            OverflowError,
            MemoryError,
        ) as error:
            problems.append(
                f"{key}: {error}" if isinstance(error, ValueError | TypeError) else f"{key}: {error!r}"
            )

    if isinstance(config, Mapping):
        optimizer = config.get("optimizer", config.get("optimizer_config"))
        attempt("optimizer", lambda: _each("optimizer", optimizer))
        for key, kind in (("loss", "loss"), ("metrics", "metric"), ("weighted_metrics", "metric")):
            attempt(key, lambda key=key, kind=kind: _each(kind, config.get(key)))  # type: ignore[misc]
        for key in ("loss_weights", "run_eagerly"):
            settings[key] = config.get(key)
        if not problems:
            attempt("compile", lambda: model.compile(**settings))
    else:
        problems.append(f"its settings are no dict but {type(config).__name__}")
    if problems:
        what = "; ".join(problems)
        registry.warn(f"{source}: the model is not compiled ({what}). Give classes and functions of your own as "
                      "custom_objects, or call model.compile")  # fmt: skip


def _each(kind: str, given: Any) -> Any:
    """Objects for names and descriptions, in the lists and dicts by output that they stand in."""
    if isinstance(given, list):
        return [_each(kind, item) for item in given]
    if not isinstance(given, Mapping):
        return given
    if "class_name" not in given:
        return {key: _each(kind, item) for key, item in given.items()}
    name, config = str(given["class_name"]), given.get("config")
    if name == "function":  # of Keras or of the caller, which the file does not tell
        return _given(str(config)) or str(config)
    if str(given.get("module") or "keras").startswith("keras"):
        return _made(kind, name, dict(config or {}))
    own = _given(name)
    if own is None:
        raise ValueError(f"{kind} {name!r} is not Keras' own and is not given")
    return registry.construct(own, dict(config or {}))


def _given(name: str) -> Any:
    """The caller's object of this name, or None."""
    try:
        return registry.lookup(name, {}, "custom object")
    except ValueError:
        return None


def _made(kind: str, name: str, config: dict[str, Any]) -> Any:
    cls = registry.lookup(name, _TABLES[kind], kind)
    known = [*registry.parameters(cls), *_SHARED[kind]]
    kept = {}
    for key, value in config.items():
        if key in known:
            kept[key] = _rate(value) if key == "learning_rate" else value
        elif value and key not in _WITHOUT_EFFECT and (key, value) not in _AS_HERE:
            raise ValueError(f"{key}={value!r} of {name} is not supported")
    return cls(**kept)


def _rate(value: Any) -> Any:
    """A schedule, or the number that was given to Keras, which keeps it in float32."""
    if isinstance(value, float):
        with np.errstate(over="ignore"):
            short = np.float32(value)
        return float(str(short)) if float(short) == value else value
    return _each("schedule", value)
