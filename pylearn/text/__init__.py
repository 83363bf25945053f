"""Generating text."""

from pylearn._lazy import attach

_NAMES = {"beam_search": "decoding"}  # public name: module

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, sorted(set(_NAMES.values())), _NAMES)
