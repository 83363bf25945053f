"""Layers: parameters and a forward pass, with Keras' names, arguments and defaults."""

from pylearn.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from pylearn.layers.attention import AdditiveAttention, Attention
from pylearn.layers.augmentation import (
    CenterCrop,
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from pylearn.layers.base import Layer
from pylearn.layers.bidirectional import Bidirectional
from pylearn.layers.convolutional import Conv1D, Conv2D
from pylearn.layers.core import Activation, ActivityRegularization, Dense, Lambda, Masking
from pylearn.layers.dropout import Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D
from pylearn.layers.embedding import Embedding
from pylearn.layers.inputs import Input, InputLayer
from pylearn.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from pylearn.layers.multi_head import KeyValueCache, MultiHeadAttention
from pylearn.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
)
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
from pylearn.layers.preprocessing import Normalization, Rescaling
from pylearn.layers.recurrent import GRU, LSTM, SimpleRNN
from pylearn.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Flatten,
    Permute,
    PixelShuffle,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from pylearn.layers.separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from pylearn.layers.symbolic import SymbolicTensor
from pylearn.layers.transposed import Conv1DTranspose, Conv2DTranspose
from pylearn.layers.wrappers import TimeDistributed

ALL: list[type[Layer]] = [
    InputLayer, Dense, Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax, Lambda, Masking, ActivityRegularization,
    Rescaling, Normalization, Flatten, Reshape, Permute, RepeatVector, Dropout, SpatialDropout1D, SpatialDropout2D,
    GaussianDropout, GaussianNoise, Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot, Conv1D,
    Conv2D, DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D, Conv1DTranspose, Conv2DTranspose,
    ZeroPadding1D, ZeroPadding2D, Cropping1D, Cropping2D, UpSampling1D, UpSampling2D, PixelShuffle, MaxPooling1D,
    MaxPooling2D, AveragePooling1D, AveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalAveragePooling1D,
    GlobalAveragePooling2D, BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization, Embedding,
    SimpleRNN, LSTM, GRU, Bidirectional, TimeDistributed, Attention, AdditiveAttention, MultiHeadAttention, RandomFlip,
    RandomTranslation, RandomRotation, RandomZoom, RandomContrast, RandomBrightness, CenterCrop, Resizing,
]  # fmt: skip

MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D = MaxPooling1D, MaxPooling2D, AveragePooling1D, AveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D

__all__ = [
    "ALL", "Activation", "ActivityRegularization", "Add", "AdditiveAttention", "Attention", "Average",
    "AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D", "BatchNormalization", "Bidirectional",
    "CenterCrop", "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Cropping1D", "Cropping2D",
    "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Dot", "Dropout", "ELU", "Embedding", "Flatten", "GRU",
    "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAvgPool1D",
    "GlobalAvgPool2D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "GroupNormalization", "Input", "InputLayer", "KeyValueCache", "LSTM", "Lambda", "Layer", "LayerNormalization",
    "LeakyReLU", "Masking", "MaxPool1D", "MaxPool2D", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum",
    "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute", "PixelShuffle", "RMSNormalization",
    "RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "ReLU",
    "RepeatVector", "Rescaling", "Reshape", "Resizing", "SeparableConv1D", "SeparableConv2D", "SimpleRNN", "Softmax",
    "SpatialDropout1D", "SpatialDropout2D", "Subtract", "SymbolicTensor", "TimeDistributed", "UpSampling1D",
    "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D", "add", "average", "concatenate", "dot", "maximum", "minimum",
    "multiply", "subtract",
]  # fmt: skip
