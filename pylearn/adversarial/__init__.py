"""Adversarial examples, and training on them.

An adversarial example differs from x by at most ε in every value, in the direction that raises the loss.

>>> from pylearn import adversarial
>>> adversarial.FGSM(0.1)
FGSM(eps=0.1, clip=(0.0, 1.0))
"""

from pylearn._lazy import attach

_NAMES = {"FGSM": "attacks", "PGD": "attacks", "fgsm": "attacks", "pgd": "attacks", "training": "defence"}

__all__ = list(_NAMES)
__getattr__, __dir__ = attach(__name__, sorted(set(_NAMES.values())), _NAMES)
