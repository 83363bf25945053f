"""Callbacks for ``fit``: watching, stopping, saving and recording a run."""

from pylearn.callbacks.control import (
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from pylearn.callbacks.record import BackupAndRestore, CSVLogger
from pylearn.callbacks.wandb import LocalRun, WandbCallback
from pylearn.training import Callback, CallbackList, History, ProgressBar

ALL: list[type[Callback]] = [
    Callback, History, ProgressBar, EarlyStopping, ModelCheckpoint, LambdaCallback, CSVLogger, TerminateOnNaN,
    LearningRateScheduler, ReduceLROnPlateau, SwapEMAWeights, BackupAndRestore, WandbCallback,
]  # fmt: skip

__all__ = [
    "ALL", "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback",
    "LearningRateScheduler", "LocalRun", "ModelCheckpoint", "ProgressBar", "ReduceLROnPlateau", "SwapEMAWeights",
    "TerminateOnNaN", "WandbCallback",
]  # fmt: skip
