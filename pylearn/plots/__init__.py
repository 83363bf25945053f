"""Plots of models and of what was learned.

They need matplotlib (the ``plot`` extra), except ``model_diagram``, which needs nothing. All work without a display and
return the figure, which notebooks show; ``path=`` writes it too.
"""

from pylearn.plots.decisions import calibration, confusion_matrix, precision_recall, roc
from pylearn.plots.diagram import Diagram, model_diagram
from pylearn.plots.pictures import activations, filters, images, latent_walk
from pylearn.plots.training import curve, history, learning_rate

ALL = (
    "history", "learning_rate", "confusion_matrix", "roc", "precision_recall", "calibration", "images", "filters",
    "activations", "latent_walk", "model_diagram", "curve",
)  # fmt: skip

__all__ = [
    "ALL", "Diagram", "activations", "calibration", "confusion_matrix", "curve", "filters", "history", "images",
    "latent_walk", "learning_rate", "model_diagram", "precision_recall", "roc",
]  # fmt: skip
