"""pylearn: learn, use and benchmark machine learning on kernels written in C++.

>>> import pylearn
>>> pylearn.ops.softmax([[0.0, 0.0]])
array([[0.5, 0.5]])

The kernel API is `pylearn.ops`; models are in `pylearn.models` and `pylearn.layers`, estimators in rooms named as
scikit-learn's. Importing pylearn loads NumPy and the compiled core only: the rooms load on first use.
"""

from typing import TYPE_CHECKING

from pylearn import _core
from pylearn._lazy import attach
from pylearn.tensor import Tensor, asarray, from_dlpack

if TYPE_CHECKING:
    from pylearn.autograd import grad as grad
    from pylearn.autograd import no_grad as no_grad
    from pylearn.autograd import value_and_grad as value_and_grad
    from pylearn.config import Config as Config
    from pylearn.devices import device as device
    from pylearn.devices import device_report as device_report
    from pylearn.devices import synchronize as synchronize
    from pylearn.models import Model as Model
    from pylearn.models import Sequential as Sequential
    from pylearn.ops import stop_gradient as stop_gradient
    from pylearn.replay import capture as capture
    from pylearn.sparse import CSR as CSR
    from pylearn.threads import num_threads as num_threads
    from pylearn.threads import set_num_threads as set_num_threads

__version__: str = _core.info()["version"]

_ROOMS = (
    "adversarial", "autograd", "base", "benchmark", "blocks", "callbacks", "config", "constraints",
    "curriculum", "datasets", "devices", "embeddings", "ensemble", "files", "initializers", "layers",
    "linear_model", "losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "plots",
    "preprocessing", "random", "reference", "regularizers", "replay", "schedules", "sparse", "text", "threads",
    "training", "utils", "wrappers",
)  # fmt: skip
_NAMES = {
    "grad": "autograd",
    "value_and_grad": "autograd",
    "no_grad": "autograd",
    "stop_gradient": "ops",
    "capture": "replay",
    "CSR": "sparse",
    "Config": "config",
    "Sequential": "models",
    "Model": "models",
    "device": "devices",
    "device_report": "devices",
    "synchronize": "devices",
    "num_threads": "threads",
    "set_num_threads": "threads",
}
__all__ = ["Tensor", "__version__", "asarray", "from_dlpack"]

__getattr__, __dir__ = attach(__name__, _ROOMS, _NAMES)
