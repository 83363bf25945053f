"""What a record of an op says, and the helpers that keep records short."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
INTS = ("uint8", "int32", "int64")
NUMBERS = (*FLOATS, *INTS)
ALL = (*NUMBERS, "bool")

Rng = np.random.Generator
Names = str | tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """A valid call. ``smooth`` ones are away from kinks: their gradients are checked."""

    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True


@dataclass(frozen=True)
class Bad:
    """A call that must raise ``raises`` with a message that contains one of ``names`` as a word."""

    args: tuple
    kwargs: dict[str, Any]
    raises: type[Exception] | tuple[type[Exception], ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Op:
    name: str
    params: tuple[str, ...]  # every parameter, in order
    arrays: tuple[str, ...]  # those that are arrays (or lists of arrays)
    samples: Callable[[Rng, str], list[Sample]]  # of this dtype
    errors: Callable[[Rng], list[Bad]]
    reference: Callable
    dtypes: tuple[str, ...] = FLOATS
    # dtype of the result: "same", "float" (integers become float64), "sum" (integers become int64), or a dtype; one for
    # each output where they differ, or a function of the sample and the dtype that gives them
    result: str | tuple[str, ...] | Callable[[Sample, str], tuple[str, ...]] = "same"
    more: Callable[[Rng, str], list[Sample]] | None = None  # for values only: tails, special values
    big: Callable[[Rng, str], list[Sample]] | None = None  # big enough for several threads
    draw: Callable[[Rng, str], Sample] | None = (
        None  # one call of a random configuration (test_ops_random.py)
    )
    grad: tuple[int, ...] = ()  # positions of the differentiable arguments
    second: bool = True  # has second derivatives
    # positions of symmetric matrices: derivatives are those along symmetric changes
    symmetric: tuple[int, ...] = ()
    # values belong to whole matrices: rows are reordered with their columns, and never repeated
    matrices: bool = False
    torch: Callable | None = None
    tolerance: str = "elementwise"  # a class in tolerances.py
    same_bits: bool = True  # whatever the layout of the input
    out: bool = True  # takes out=
    writes: tuple[int, ...] = ()  # positions of the arguments changed in place
    random: bool = False  # draws from the default generator
    phrases: tuple[str, ...] = ()  # what a rejection may say instead of an argument's name


def rng_for(*key: object) -> Rng:
    """A generator that depends on the names given, never on the order of the tests."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, key)).encode()))


def array(
    rng: Rng, shape: tuple[int, ...] | int, dtype: str, low: float = -2.0, high: float = 2.0
) -> np.ndarray:
    """Uniform values of this type; unsigned ones start at 0."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if kind in "iu":
        return np.asarray(
            rng.integers(max(int(low), 0) if kind == "u" else int(low), int(high) + 1, shape)
        ).astype(dtype)
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


def distinct(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Values far apart from each other, so that no extremum is near a tie."""
    n = int(np.prod(shape))
    values = rng.permutation(n) + (0.25 if np.dtype(dtype).kind == "f" else 0)
    return (values * (0.1 if np.dtype(dtype).kind == "f" else 1)).astype(dtype).reshape(shape)


def away_from(x: np.ndarray, *kinks: float, gap: float = 0.05) -> np.ndarray:
    """x with the values that are close to a kink moved off it."""
    for k in kinks:
        x = np.where(np.abs(x - k) < gap, np.asarray(k + 2 * gap, x.dtype), x)
    return x.astype(x.dtype)


# -- error inputs ------------------------------------------------------------------------------------------------------

# What is not an array at all, or not one of ours.
NOT_ARRAYS: tuple[tuple[Callable[[], Any], tuple[type[Exception], ...]], ...] = (
    (lambda: None, (TypeError,)),
    (lambda: "text", (TypeError,)),
    (lambda: {"a": 1}, (TypeError,)),
    (lambda: np.array([None, 1], object), (TypeError,)),
    (lambda: np.ones((2, 2), np.complex64), (TypeError,)),
    (lambda: np.array(["2020-01-01"], "datetime64[D]"), (TypeError,)),
    (lambda: [[1.0, 2.0], [3.0]], (TypeError, ValueError)),
    (lambda: np.ones((1,) * 9, np.float32), (ValueError,)),
    (lambda: 2**80, (TypeError, ValueError)),
)


def bad(raises: Any, names: Names, *args: Any, **kwargs: Any) -> Bad:
    return Bad(args, kwargs, raises, (names,) if isinstance(names, str) else names)


def bad_array(args: tuple, position: int, name: str, optional: bool = False) -> Iterator[Bad]:
    """The call with one of its arrays replaced by what is not an array."""
    for make, raises in NOT_ARRAYS:
        value = make()
        if value is None and optional:
            continue
        yield Bad((*args[:position], value, *args[position + 1 :]), {}, raises, (name,))


def bad_out(args: tuple, like: np.ndarray) -> Iterator[Bad]:
    """The call with an ``out`` that cannot take a result shaped as ``like``."""
    readonly = np.zeros_like(like)
    readonly.flags.writeable = False
    other = "int32" if like.dtype != np.int32 else "float32"
    for out, raises in (
        (np.zeros(like.shape + (2,), like.dtype), ValueError),
        (np.zeros(like.shape, other), TypeError),
        (readonly, ValueError),
        (like.tolist(), TypeError),
        ("text", TypeError),
        (np.zeros(like.shape, complex), TypeError),
    ):
        yield Bad(args, {"out": out}, raises, ("out",))
