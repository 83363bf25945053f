# ruff: noqa: F403
"""What every op computes, in a few lines of NumPy each.

``pylearn.reference.<op>`` has the signature of ``pylearn.ops.<op>`` and works in float64 whatever the floats
it is given, so it is both the definition of the op and the oracle of its tests. Integers keep NumPy's integer
arithmetic.
"""

from .activations import *
from .activations import __all__ as _activations
from .attention import *
from .attention import __all__ as _attention
from .binary import *
from .binary import __all__ as _binary
from .conv import *
from .conv import __all__ as _conv
from .decomp import *
from .decomp import __all__ as _decomp
from .elementwise import *
from .elementwise import __all__ as _elementwise
from .embed import *
from .embed import __all__ as _embed
from .linalg import *
from .linalg import __all__ as _linalg
from .loss import *
from .loss import __all__ as _loss
from .norm import *
from .norm import __all__ as _norm
from .pool import *
from .pool import __all__ as _pool
from .random import dropout, philox, uniform
from .reduce import *
from .reduce import __all__ as _reduce
from .resize import *
from .resize import __all__ as _resize
from .rnn import *
from .rnn import __all__ as _rnn
from .shape import *
from .shape import __all__ as _shape
from .sort import *
from .sort import __all__ as _sort
from .update import *
from .update import __all__ as _update

__all__ = [
    *_elementwise,
    *_activations,
    *_binary,
    *_reduce,
    *_linalg,
    *_conv,
    *_embed,
    *_pool,
    *_resize,
    *_decomp,
    *_shape,
    *_sort,
    *_loss,
    *_norm,
    *_attention,
    *_rnn,
    "dropout",
    "philox",
    "uniform",
    *_update,
]
