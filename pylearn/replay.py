"""Capture and replay: a step's kernel calls are recorded once, then repeated without Python in between.

>>> import pylearn
>>> double = capture(lambda x: x * 2.0)
>>> [float(double(pylearn.asarray(v))) for v in (1.0, 2.0, 3.0, 4.0)]
[2.0, 4.0, 6.0, 8.0]
>>> double.stats["replayed"]
2
"""

from __future__ import annotations

import functools
import os
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from pylearn import _core
from pylearn._core import Tensor

__all__ = ["Captured", "capture", "capture_enabled", "set_capture"]

MAX_PLANS = 16  # different shapes or arguments recorded for one function; beyond, it stays eager
MAX_MISMATCHES = 3  # replays that differed from an eager run; beyond, it stays eager
CHECK_EVERY = 512  # the first replay and every so many later are compared with an eager run

_enabled = os.environ.get("PYLEARN_CAPTURE", "1") != "0"


def capture_enabled() -> bool:
    """Are steps recorded? At first yes, unless ``PYLEARN_CAPTURE=0``."""
    return _enabled


def set_capture(on: bool) -> None:
    """Turn recording on or off for the process; results are the same bits either way."""
    global _enabled
    _enabled = bool(on)


_held: weakref.WeakSet[Any] = weakref.WeakSet()


def hold(owner: Any) -> None:
    """Note an object that keeps tensors of the step being recorded; its ``release()`` is called before the end."""
    _held.add(owner)


def release_held() -> None:
    """Make the noted objects let go."""
    for owner in list(_held):
        owner.release()
    _held.clear()


def _is_array(x: Any) -> bool:
    return isinstance(x, (Tensor, np.ndarray, np.number, np.bool_))


class _Tree:
    """Nested lists, tuples and dicts, taken apart into arrays and the rest, and put together again."""

    def __init__(self, is_leaf: Callable[[Any], bool]) -> None:
        self.is_leaf = is_leaf
        self.leaves: list[Any] = []

    def pack(self, x: Any) -> Any:
        if self.is_leaf(x):
            self.leaves.append(x)
            return _Slot(len(self.leaves) - 1)
        if isinstance(x, dict):
            return {k: self.pack(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            items = [self.pack(v) for v in x]
            return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
        return x


class _Slot:
    """The place of a leaf."""

    def __init__(self, index: int) -> None:
        self.index = index


def _unpack(tree: Any, leaves: list[Any]) -> Any:
    if isinstance(tree, _Slot):
        return leaves[tree.index]
    if isinstance(tree, dict):
        return {k: _unpack(v, leaves) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [_unpack(v, leaves) for v in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return tree


class _Entry:
    """What is known for one key: nothing recorded yet, a plan, or that it cannot be recorded."""

    def __init__(self) -> None:
        self.calls = 0
        self.plan: Any = None
        self.outputs: Any = None  # the result's structure
        self.replays = 0
        self.eager = False


class Captured:
    """A function whose calls are recorded and replayed; see `capture`."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.stats = {"eager": 0, "recorded": 0, "replayed": 0, "mismatches": 0}
        self._entries: dict[Any, _Entry] = {}
        self._watched: dict[int, weakref.finalize] = {}
        self._warned = False

    def reset(self) -> None:
        """Forget what was recorded."""
        self._entries.clear()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _enabled or _core.is_recording() or _core.grad_enabled():
            return self.fn(*args, **kwargs)
        if not kwargs and all(type(x) is Tensor or type(x) is np.ndarray for x in args):
            packed: Any = (tuple(map(_Slot, range(len(args)))), {})
            inputs = list(args)
            key: Any = tuple([(x.shape, x.dtype.char) for x in args])
        else:
            tree = _Tree(_is_array)
            packed = tree.pack((args, kwargs))
            inputs = tree.leaves
            key = (self._key(packed), tuple([(x.shape, x.dtype.char) for x in inputs]))
        entry = self._entries.get(key) or self._entry(key)
        entry.calls += 1
        if entry.eager or entry.calls == 1:
            return self._eager(packed, inputs)
        if entry.plan is None:
            return self._record(entry, packed, inputs)
        if entry.replays % CHECK_EVERY == 0:
            return self._checked(entry, packed, inputs)
        return self._replay(entry, inputs)

    def _eager(self, packed: Any, inputs: list[Any]) -> Any:
        self.stats["eager"] += 1
        args, kwargs = _unpack(packed, [_core.asarray(x) for x in inputs])
        return self.fn(*args, **kwargs)

    def _replay(self, entry: _Entry, inputs: list[Any]) -> Any:
        entry.replays += 1
        self.stats["replayed"] += 1
        return _unpack(entry.outputs, entry.plan.run(inputs))

    def _record(self, entry: _Entry, packed: Any, inputs: list[Any]) -> Any:
        plan = _core.Plan()
        places = plan.begin(inputs)
        try:
            args, kwargs = _unpack(packed, places)
            tree = _Tree(lambda x: isinstance(x, Tensor))
            outputs = tree.pack(self.fn(*args, **kwargs))
            kept = [_core.detach(t) for t in tree.leaves]
        except BaseException:
            _core.abandon_recording("the step raised")
            plan.end([])
            raise
        del tree, args, kwargs, places  # whatever the step made is free now, unless someone kept it
        release_held()
        reason = plan.end(kept)
        results = [_core.asarray(t, copy=True) for t in kept]
        if reason:
            entry.eager = True
            self._warn(f"{self._name()} runs eagerly: {reason}")
        else:
            entry.plan, entry.outputs = plan, outputs
            self.stats["recorded"] += 1
        return _unpack(outputs, results)

    def _checked(self, entry: _Entry, packed: Any, inputs: list[Any]) -> Any:
        """Replay, then run eagerly from the same state: both must agree in every bit."""
        plan = entry.plan
        before = plan.save_state()
        replayed = plan.run(inputs)
        after = plan.save_state()
        plan.restore_state(before)
        result = self._eager(packed, inputs)
        tree = _Tree(lambda x: isinstance(x, Tensor))
        tree.pack(result)
        same = len(tree.leaves) == len(replayed) and plan.state_equals(after)
        same = same and all(
            a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
            for a, b in zip(tree.leaves, replayed, strict=True)
        )
        entry.replays += 1
        if same:
            self.stats["replayed"] += 1
            return result
        self.stats["mismatches"] += 1
        entry.plan, entry.replays = None, 0
        entry.eager = self.stats["mismatches"] >= MAX_MISMATCHES
        self._warn(
            f"a replay of {self._name()} differed from running it: a Python number or array that it uses has changed "
            f"since it was recorded (keep what changes in a Tensor). "
            + ("It runs eagerly from now on." if entry.eager else "It is recorded again.")
        )
        return result

    def _entry(self, key: Any) -> _Entry:
        entry = _Entry()
        if len(self._entries) < MAX_PLANS:
            self._entries[key] = entry
        else:
            entry.eager = True
            self._warn(
                f"{self._name()} was called with more than {MAX_PLANS} combinations of shapes and arguments: "
                f"new ones run eagerly"
            )
        return entry

    def _key(self, packed: Any) -> Any:
        if isinstance(packed, dict):
            return ("dict", tuple((k, self._key(v)) for k, v in packed.items()))
        if isinstance(packed, (list, tuple)):
            return (type(packed), tuple(self._key(v) for v in packed))
        if isinstance(packed, _Slot):
            return "array"
        if packed is None or isinstance(packed, (bool, int, float, complex, str, bytes)):
            return (type(packed), packed)
        self._forget_with(packed)
        return ("object", id(packed))

    def _forget_with(self, obj: Any) -> None:
        """Drops the plans of an object when it dies: a cache must not keep it, nor mistake its successor for it."""
        number = id(obj)
        if number in self._watched and self._watched[number].alive:
            return
        self_ref = weakref.ref(self)

        def forget() -> None:
            captured = self_ref()
            if captured is not None:
                captured._watched.pop(number, None)
                captured._entries = {
                    k: e for k, e in captured._entries.items() if not _mentions(k, ("object", number))
                }

        try:
            self._watched[number] = weakref.finalize(obj, forget)
        except TypeError as error:
            raise TypeError(
                f"{self._name()}: an argument of type {type(obj).__name__} can neither be compared nor watched; "
                f"pass arrays, Tensors, numbers, strings or objects that allow weak references"
            ) from error

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, RuntimeWarning, stacklevel=4)

    def _name(self) -> str:
        return getattr(self.fn, "__qualname__", repr(self.fn))


def _mentions(key: Any, part: tuple[str, int]) -> bool:
    return key == part or (isinstance(key, tuple) and any(_mentions(k, part) for k in key))


def capture(fn: Callable[..., Any]) -> Captured:
    """A function that is recorded on its second call and replayed from the third on.

    Arrays and Tensors among the arguments (also inside lists, tuples and dicts) are inputs; other arguments are part
    of what identifies a recording, as are shapes and dtypes. The result's Tensors are new ones at every call. What
    the function writes in place (weights, optimizer state, random counters) it also writes when replayed. Python
    code inside does not run in a replay: keep what changes between calls in Tensors. Reading a value inside
    (``.item()``, ``.numpy()``, ``if t:``) makes the function run eagerly, with one warning that says why.
    The first replay, and every 512th, is compared with an eager run.

    A call inside `pylearn.grad` runs eagerly, so that gradients flow through it.
    """
    return Captured(fn)
