"""The one training loop: data in, recorded steps, callbacks as objects."""

from pylearn.training.hooks import Callback, CallbackList, History
from pylearn.training.progress import ProgressBar
from pylearn.training.trainer import Trainer

__all__ = ["Callback", "CallbackList", "History", "ProgressBar", "Trainer"]
