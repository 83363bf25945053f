"""Layers: parameters and a forward pass, with Keras' names, arguments and defaults."""

from pylearn.layers.attention import MultiHeadAttention
from pylearn.layers.base import Layer
from pylearn.layers.convolutional import Conv1D, Conv2D
from pylearn.layers.core import Activation, Dense, Dropout, Flatten, Reshape
from pylearn.layers.embedding import Embedding
from pylearn.layers.inputs import Input, InputLayer
from pylearn.layers.merging import Add, Concatenate
from pylearn.layers.normalization import BatchNormalization, LayerNormalization
from pylearn.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from pylearn.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN
from pylearn.layers.symbolic import SymbolicTensor

ALL: list[type[Layer]] = [
    InputLayer, Dense, Activation, Flatten, Reshape, Dropout, Add, Concatenate, Conv1D, Conv2D, MaxPooling1D,
    MaxPooling2D, AveragePooling1D, AveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalAveragePooling1D,
    GlobalAveragePooling2D, BatchNormalization, LayerNormalization, Embedding, SimpleRNN, LSTM, GRU, Bidirectional,
    MultiHeadAttention,
]  # fmt: skip

__all__ = [
    "ALL", "GRU", "LSTM", "Activation", "Add", "AveragePooling1D", "AveragePooling2D", "BatchNormalization",
    "Bidirectional", "Concatenate", "Conv1D", "Conv2D", "Dense", "Dropout", "Embedding", "Flatten",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Input",
    "InputLayer", "Layer", "LayerNormalization", "MaxPooling1D", "MaxPooling2D", "MultiHeadAttention", "Reshape",
    "SimpleRNN", "SymbolicTensor",
]  # fmt: skip
