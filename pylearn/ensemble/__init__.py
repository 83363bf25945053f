"""Several models as one."""

from pylearn._lazy import attach

ALL = {"DeepEnsemble": "deep"}  # public name: module

__all__ = list(ALL)
__getattr__, __dir__ = attach(__name__, sorted(set(ALL.values())), ALL)
