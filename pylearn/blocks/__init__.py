"""Blocks: layers made of layers."""

from pylearn.blocks.residual import Residual
from pylearn.layers import Layer

ALL: list[type[Layer]] = [Residual]

__all__ = ["ALL", "Residual"]
