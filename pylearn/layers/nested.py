"""Layers inside layers, from their configurations."""

from __future__ import annotations

from typing import Any

from pylearn import registry


def layer_from(given: Any) -> Any:
    """A layer, also from its configuration inside that of a layer or model being made; anything else as it is."""
    return registry.deserialize(given, None, "layer class") if registry.is_config(given) else given
