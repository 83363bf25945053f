"""Data sets: bundled ones work offline, the others read local copies first.

Each module of ``ALL`` has ``load_data()`` returning ``(X_train, y_train), (X_test, y_test)``:

- ``digits``: 1,797 handwritten digits, bundled; MNIST's shape and return type, its offline stand-in.
- ``diabetes``: 442 patients, ten measurements, a regression target; bundled.
- ``mnist``: 70,000 handwritten digits, from a local copy or downloaded once.
- ``stdlib_docs``: labelled English text, the docstrings of Python's own library.
"""

from pylearn._lazy import attach

ALL = ("diabetes", "digits", "mnist", "stdlib_docs")

__all__ = list(ALL)
__getattr__, __dir__ = attach(__name__, (*ALL, "idx", "npz"))
