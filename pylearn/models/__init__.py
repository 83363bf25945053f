"""Models: layers in a row (``Sequential``), in a graph (``Model``) or in a class of your own, and files of them."""

from pylearn.models.base import Functional, Model
from pylearn.models.resnet import ResNet
from pylearn.models.saving import clone_model, load_model
from pylearn.models.sequential import Sequential

ALL: list[type[Model]] = [Model, Functional, Sequential]

__all__ = ["ALL", "Functional", "Model", "ResNet", "Sequential", "clone_model", "load_model"]
