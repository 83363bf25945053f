"""Text to numbers, and sequences to arrays: Keras' ``text`` and ``sequence``."""

from pylearn._lazy import attach

__all__ = ["sequence", "text"]
__getattr__, __dir__ = attach(__name__, __all__)
