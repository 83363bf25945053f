"""Adversarial examples, and training on them.

An adversarial example differs from x by at most ε in every value, in the direction that raises the loss.

>>> from pylearn import adversarial
>>> adversarial.FGSM(0.1)
FGSM(eps=0.1, clip=(0.0, 1.0))

``model.fit(x, y, adversarial=FGSM(0.1))`` trains on them.
"""

from pylearn.adversarial.attacks import FGSM, PGD, fgsm, pgd
from pylearn.training.adversaries import training

__all__ = ["FGSM", "PGD", "fgsm", "pgd", "training"]
