"""Nests of lists, tuples and dicts: flattened to a list and packed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any) -> Iterator[Any]:
    """Every leaf of the nest, in order; anything that is not a list, tuple or dict is a leaf."""
    if isinstance(tree, (list, tuple)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from leaves(item)
    else:
        yield tree


def flatten(tree: Any) -> list[Any]:
    return list(leaves(tree))


def pack(tree: Any, flat: list[Any]) -> Any:
    """A nest shaped like ``tree`` holding the items of ``flat``."""
    items = iter(flat)
    return transform(lambda _: next(items), tree)


def transform(function: Callable[[Any], Any], tree: Any) -> Any:
    """The nest with ``function`` applied to every leaf."""
    if isinstance(tree, list):
        return [transform(function, item) for item in tree]
    if isinstance(tree, tuple):
        items = [transform(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, dict):
        return {key: transform(function, item) for key, item in tree.items()}
    return function(tree)


def names_of(tree: Any, name: Callable[[Any], str]) -> list[str]:
    """A name per leaf: a dict's keys, else ``name(leaf)``."""
    if isinstance(tree, dict):
        return list(tree)
    return [name(leaf) for leaf in leaves(tree)]
