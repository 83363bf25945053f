"""Every op on the GPU: the samples of its record against the float64 reference, gradients against the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_checks import needs_gpu, on_gpu, skip_if_missing
from op_checks import check_values, describe
from op_samples import RECORDS, Op, samples_of
from test_ops_grad import DIFFERENTIABLE, parts, weighted
from tolerances import check_close

import pylearn

pytestmark = needs_gpu
# Of ops whose sums the GPU makes in another order than NumPy's reference, which rounds at each term itself.
TOLERANCE = {"cumsum": "scan"}
CASES = [(op, dtype) for op in RECORDS.values() for dtype in op.dtypes]


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=[f"{op.name}-{dtype}" for op, dtype in CASES])
def test_value(op: Op, dtype: str) -> None:
    assert check_values(op, dtype, f=on_gpu(op), tolerance=TOLERANCE.get(op.name)) >= 3


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=[op.name for op in DIFFERENTIABLE])
def test_gradient(op: Op) -> None:
    """Against the CPU's, which are checked against differences."""
    for sample in [s for s in samples_of(op, "float64") if s.smooth][:4]:
        arrays, rebuild = parts(op, sample)
        f = weighted(op, sample, rebuild)
        slopes = pylearn.grad(f, argnums=tuple(range(len(arrays))))
        want = slopes(*map(pylearn.asarray, arrays))
        try:
            with pylearn.device("cuda"):
                got = slopes(*map(pylearn.asarray, arrays))
        except RuntimeError as error:
            skip_if_missing(error)
        for g, w in zip(got, want, strict=True):
            assert g.device == "cuda"
            check_close(np.asarray(g), np.asarray(w), 1e-10, 1e-10, f"gradient of {describe(op, sample)}")
