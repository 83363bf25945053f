"""Small helpers with Keras' names: ``to_categorical``, ``set_random_seed``, ``np_utils``."""

from pylearn._lazy import attach

ALL = {"to_categorical": "np_utils", "set_random_seed": "seeding"}  # public name: module

__all__ = [*ALL, "np_utils"]
__getattr__, __dir__ = attach(__name__, sorted(set(ALL.values())), ALL)
