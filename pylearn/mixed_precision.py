"""In which precision layers compute: a policy for all of them, or for one, with Keras' names.

Under ``"mixed_bfloat16"`` (Micikevicius et al. 2018, Kalamkar et al. 2019) weights, states of the optimizer, sums and
results are float32, and the operands of large matrix products are rounded to bfloat16, which has float32's range and 8
bits of its precision; so are those of the products that give the gradients. The loss needs no scaling. Layers whose
products take bfloat16 operands: ``Dense`` (dense inputs), ``MultiHeadAttention`` (its four projections), ``Conv1D`` and
``Conv2D`` whose kernels are one place wide (strides 1, groups 1), and blocks and wrappers made of these. All others
compute in float32. Keras' layers hand bfloat16 results on under this policy; here they are float32 everywhere.

>>> from pylearn.layers import Dense
>>> with policy_scope("mixed_bfloat16"):
...     layer = Dense(3)
>>> layer.dtype_policy.name, layer.compute_dtype, layer.variable_dtype
('mixed_bfloat16', 'bfloat16', 'float32')
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from pylearn import registry

# Name of a policy: what products are computed in, what weights are kept in.
POLICIES = {
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "mixed_bfloat16": ("bfloat16", "float32"),
}


class DTypePolicy:
    """What a layer computes in and keeps its weights in.

    Args:
        name: ``"float32"``, ``"float64"`` or ``"mixed_bfloat16"``.

    Raises:
        ValueError: another name; the message names the closest one.
    """

    __slots__ = ("compute_dtype", "name", "variable_dtype")

    def __init__(self, name: str) -> None:
        self.name = str(name)
        if self.name not in POLICIES:
            near = registry.suggest(self.name, ["mixed_bfloat16"] if "16" in self.name else POLICIES)
            hint = near or f"; known: {', '.join(POLICIES)}"
            raise ValueError(f"unknown dtype policy {self.name!r}{hint}")
        self.compute_dtype, self.variable_dtype = POLICIES[self.name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<DTypePolicy {self.name!r}>"

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


_global = [DTypePolicy("float32")]
_scope: ContextVar[DTypePolicy | None] = ContextVar("dtype_policy", default=None)


def get(identifier: Any) -> DTypePolicy:
    """A policy from its name, a NumPy dtype, a policy, or None (the global one).

    Raises:
        ValueError: none of these; the message names the closest one.
    """
    if identifier is None:
        return global_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if not isinstance(identifier, str):
        try:
            identifier = np.dtype(identifier).name
        except (TypeError, ValueError):
            raise ValueError(f"a dtype policy is one of {', '.join(POLICIES)}, got {identifier!r}") from None
    return DTypePolicy(identifier)


def global_policy() -> DTypePolicy:
    """The policy of layers that are made without ``dtype``; float32 at first."""
    return _scope.get() or _global[0]


def set_global_policy(policy: Any) -> None:
    """Sets the policy of layers made from now on without ``dtype``, in all threads. Those made before keep theirs.

    Args:
        policy: ``"float32"``, ``"float64"``, ``"mixed_bfloat16"`` or a policy.

    Raises:
        ValueError: another name; the message names the closest one.
        RuntimeError: inside of ``policy_scope``, which would hide it.
    """
    chosen = get(policy)
    if _scope.get() is not None:
        raise RuntimeError("set_global_policy: a policy_scope is in force here; set the policy outside of it")
    _global[0] = chosen


@contextlib.contextmanager
def policy_scope(policy: Any) -> Iterator[DTypePolicy]:
    """The global policy is this one inside the block, for this thread.

    Args:
        policy: as of ``set_global_policy``.
    """
    token = _scope.set(get(policy))
    try:
        yield global_policy()
    finally:
        _scope.reset(token)


Policy, dtype_policy, set_dtype_policy = DTypePolicy, global_policy, set_global_policy
