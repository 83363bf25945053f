"""Keras' place for schedules: the names of ``pylearn.schedules``."""

from pylearn.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearWarmup,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    StepDecay,
)
from pylearn.schedules import Schedule as LearningRateSchedule

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "LinearWarmup", "OneCycle", "PiecewiseConstantDecay", "PolynomialDecay", "StepDecay",
]  # fmt: skip
