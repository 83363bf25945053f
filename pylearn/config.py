"""``Config``: settings as a dict whose keys are also attributes, saved as JSON or YAML."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylearn import files
from pylearn._lazy import optional
from pylearn.mixed_precision import dtype_policy as dtype_policy
from pylearn.mixed_precision import set_dtype_policy as set_dtype_policy


class Config(dict[str, Any]):
    """A dict with attribute access, the shape of ``wandb.config`` in the course's listings.

    Nested mappings become ``Config`` too. Keys are strings; a key that is also a dict method
    (``items``, ``update`` …) is reached as ``config["items"]`` only.

    Example:
        >>> config = Config(hidden_nodes=100, optimizer="adam", schedule={"warmup": 10})
        >>> config.epochs = 20
        >>> config.hidden_nodes, config.schedule.warmup, config["epochs"]
        (100, 10, 20)
        >>> Config.from_json(config.to_json()) == config
        True
    """

    def __init__(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        super().__init__()
        self.update(values or {}, **more)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"Config keys are strings, got {key!r}")
        super().__setitem__(key, _nested(value))

    def update(self, *args: Any, **more: Any) -> None:
        for key, value in dict(*args, **more).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> Config:  # type: ignore[override]
        self.update(other)
        return self

    def __or__(self, other: Any) -> Config:  # type: ignore[override]
        merged = self.copy()
        merged.update(other)
        return merged

    def copy(self) -> Config:
        return Config(self)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            near = difflib.get_close_matches(name, self, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AttributeError(f"Config has no {name!r}{hint}", name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(f"{name!r} is a method of dict: write config[{name!r}] = …")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"Config has no {name!r}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self if key.isidentifier())]

    def __repr__(self) -> str:
        return f"Config({dict.__repr__(self)})"

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dicts."""
        return {key: _plain(value) for key, value in self.items()}

    def to_json(self, indent: int | None = 2) -> str:
        """JSON text; NumPy scalars and arrays become numbers and lists.

        Raises:
            TypeError: a value that JSON has no form for; the message names its key.
        """
        for key, value in self.items():
            try:
                json.dumps(_plain(value), default=_numpy_to_json)
            except (TypeError, ValueError) as error:
                raise TypeError(f"config[{key!r}] cannot be written as JSON: {error}") from None
        return json.dumps(self.to_dict(), indent=indent, default=_numpy_to_json)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read JSON text; ValueError unless it holds an object."""
        return cls._from_parsed(json.loads(text), "JSON")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``.json``, ``.yaml`` or ``.yml`` (YAML needs PyYAML), whole or not at all."""
        if _is_yaml(path):
            yaml = optional("yaml", purpose="Config.save to YAML")
            text = yaml.safe_dump(json.loads(self.to_json()), sort_keys=False)
        else:
            text = self.to_json() + "\n"
        files.write_text(path, text)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """Read a file written by :meth:`save`; ValueError naming the file when it is not one."""
        is_yaml, text = _is_yaml(path), Path(path).read_text(encoding="utf-8")
        if not is_yaml:
            try:
                return cls._from_parsed(json.loads(text), path)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: not JSON: {error}") from None
        yaml = optional("yaml", purpose="Config.load from YAML")
        try:
            return cls._from_parsed(yaml.safe_load(text) or {}, path)
        except yaml.YAMLError as error:
            raise ValueError(f"{path}: not YAML: {error}") from None

    @classmethod
    def _from_parsed(cls, parsed: Any, source: Any) -> Config:
        if not isinstance(parsed, dict):
            raise ValueError(f"{source}: expected an object of settings, got {type(parsed).__name__}")
        return cls(parsed)


def _is_yaml(path: str | os.PathLike[str]) -> bool:
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise ValueError(f"{path}: a config file ends in .json, .yaml or .yml")
    return suffix != ".json"


def _nested(value: Any) -> Any:
    if isinstance(value, Mapping) and not isinstance(value, Config):
        return Config(value)
    if type(value) in (list, tuple):
        return type(value)(_nested(item) for item in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    return value


def _numpy_to_json(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
