"""Names to objects and back: strings in ``compile``, configurations in model files.

The registry is closed: a name means a class of the package's ``ALL`` lists, or one that the caller passes as
``custom_objects``. Nothing is imported by name.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

_enclosing: ContextVar[Mapping[str, Any]] = ContextVar("enclosing", default=MappingProxyType({}))
_custom: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default=MappingProxyType({}))


@contextlib.contextmanager
def custom_objects(objects: Mapping[str, Any] | Iterable[Any] | None) -> Iterator[None]:
    """Makes the caller's classes and functions known inside the block: a dict by name, or a list of them."""
    if objects is None:
        yield
        return
    named = dict(objects) if isinstance(objects, Mapping) else {_name_of(o): o for o in objects}
    token = _custom.set({**_custom.get(), **named})
    try:
        yield
    finally:
        _custom.reset(token)


def _name_of(obj: Any) -> str:
    return str(obj.__name__)


def suggest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing when no known name is close."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def lookup(name: str, table: Mapping[str, Any], what: str) -> Any:
    """The object called ``name`` in ``table`` or among the custom objects.

    Raises:
        ValueError: unknown name; the message names the closest one.
    """
    if name in table:
        return table[name]
    custom = _custom.get()
    if name in custom:
        return custom[name]
    hint = suggest(name, [*table, *custom]) or f"; known: {', '.join(sorted(table))}"
    raise ValueError(f"unknown {what} {name!r}{hint}")


def reject(owner: object, unknown: Mapping[str, Any], extra: Iterable[str] = ()) -> None:
    """Raises TypeError for arguments that ``owner``'s class does not take, naming the closest one it does."""
    if not unknown:
        return
    cls = owner if isinstance(owner, type) else type(owner)
    reject_names(cls.__name__, unknown, [*parameters(cls), *extra])


def reject_names(owner: str, unknown: Iterable[str], known: Iterable[str]) -> NoReturn:
    name = next(iter(unknown))
    known = list(dict.fromkeys(k for k in known if k not in ("self", "args", "kwargs")))
    hint = suggest(name, known) or f"; it takes {', '.join(known)}"
    raise TypeError(f"{owner} does not take the argument {name!r}{hint}")


def _init(cls: type) -> Callable[..., Any]:
    return cls.__init__  # type: ignore[misc]  # of the class as given, whatever its signature


def parameters(cls: type) -> list[str]:
    """Names of the arguments of the constructor, ``**kwargs`` left out."""
    if _init(cls) is object.__init__:
        return []
    skip = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [p.name for p in list(inspect.signature(_init(cls)).parameters.values())[1:] if p.kind not in skip]


def argument_names(function: Callable[..., Any]) -> list[str]:
    """Names of a function's arguments; none of a built-in whose signature is not known."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def takes_two(function: Callable[..., Any]) -> bool:
    """Can it be called as ``function(a, b)``? Yes, where the signature is not known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def takes_any(function: Callable[..., Any]) -> bool:
    """Does it have ``**kwargs``?"""
    return any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in inspect.signature(function).parameters.values()
    )


def construct(cls: type, config: Mapping[str, Any], extra: Iterable[str] = ()) -> Any:
    """``cls(**config)``, where a key the class does not know is dropped with a warning.

    Args:
        extra: keys accepted besides the constructor's own when it has ``**kwargs``.
    """
    known = set(parameters(cls))
    if takes_any(_init(cls)):
        known |= set(extra)
        if not extra:
            known |= set(config)
    dropped = [key for key in config if key not in known and key not in extra]
    for key in dropped:
        warn(f"{cls.__name__}: unknown key {key!r} in the configuration is left out")
    return cls(**{key: value for key, value in config.items() if key in known})


def serialize(obj: Any) -> Any:
    """JSON form of a value: numbers, strings, lists and dicts as they are; objects as class and config.

    Raises:
        ValueError: something that has no name to be found by again, such as a lambda.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {"array": obj.tolist(), "dtype": obj.dtype.name}
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, (list, tuple)):
        return [serialize(o) for o in obj]
    if isinstance(obj, Mapping):
        return {str(k): serialize(v) for k, v in obj.items()}
    if hasattr(obj, "get_config"):
        return {"class": type(obj).__name__, "config": serialize(obj.get_config())}
    if callable(obj):
        name = getattr(obj, "__name__", "<lambda>")
        if name == "<lambda>":
            raise ValueError(
                "a lambda cannot be saved; use a named function and pass it as custom_objects on loading"
            )
        return {"function": name}
    raise ValueError(f"{type(obj).__name__} cannot be saved: it has no get_config()")


def is_config(value: Any) -> bool:
    return isinstance(value, Mapping) and (set(value) == {"class", "config"} or set(value) == {"function"})


def deserialize(spec: Mapping[str, Any], table: Mapping[str, Any] | None, what: str) -> Any:
    """The object that ``serialize`` described.

    Args:
        spec: what ``serialize`` gave.
        table: known names; None, inside an object that is being deserialised, for the names that were known for it.
        what: kind of object, for messages.
    """
    table = _enclosing.get() if table is None else table
    if "function" in spec:
        return lookup(spec["function"], table, what)
    cls = lookup(spec["class"], table, what)
    config = spec["config"]
    if not hasattr(cls, "from_config"):
        return construct(cls, config)
    token = _enclosing.set(table)
    try:
        return cls.from_config(config)
    finally:
        _enclosing.reset(token)


def snake(name: str) -> str:
    """``"MaxPooling2D"`` → ``"max_pooling2d"``, as Keras names layers."""
    out: list[str] = []
    for i, c in enumerate(name):
        starts = not name[i - 1].isupper() or name[i + 1 : i + 2].islower()
        if i and c.isupper() and starts and name[i - 1] != "_" and not name[i - 1].isdigit():
            out.append("_")
        out.append(c.lower())
    return "".join(out)


def warn(message: str) -> None:
    """A UserWarning that points at the first caller outside this package."""
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "pylearn":
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, stacklevel=level)
