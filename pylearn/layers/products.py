"""Products of inputs and kernels, in the precision that the layer's policy asks for."""

from __future__ import annotations

from typing import Any

from pylearn import activations, ops
from pylearn.mixed_precision import DTypePolicy


def linear(policy: DTypePolicy, x: Any, kernel: Any, bias: Any = None, activation: str | None = None) -> Any:
    """activation(x · kernel + bias) over the last axis, with bfloat16 operands where the policy computes in it.

    Args:
        policy: of the layer.
        x: of the kernel's dtype.
        kernel: (D, units).
        bias: (units,) or None.
        activation: name of one that ``ops.linear`` applies itself, or None.

    Shapes:
        x (N, …, D) → (N, …, units).
    """
    if policy.compute_dtype != "bfloat16":
        return ops.linear(x, kernel, bias, activation=activation)
    # as rows of one matrix, so that the gradient of the kernel is one product too
    rows = ops.reshape(x, (x.size // max(1, x.shape[-1]), x.shape[-1])) if x.ndim > 2 else x
    y = ops.matmul_bf16(rows, kernel)
    if bias is not None:
        y = y + bias
    if activation is not None:
        y = activations.ALL[activation](y)
    return ops.reshape(y, (*x.shape[:-1], kernel.shape[1])) if x.ndim > 2 else y
