"""Layers: parameters and a forward pass, with Keras' names, arguments and defaults."""

from pylearn.layers.base import Layer
from pylearn.layers.core import Activation, Dense, Dropout, Flatten, Reshape
from pylearn.layers.inputs import Input, InputLayer
from pylearn.layers.merging import Add, Concatenate
from pylearn.layers.symbolic import SymbolicTensor

ALL: list[type[Layer]] = [InputLayer, Dense, Activation, Flatten, Reshape, Dropout, Add, Concatenate]

__all__ = [
    "ALL", "Activation", "Add", "Concatenate", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "Layer",
    "Reshape", "SymbolicTensor",
]  # fmt: skip
