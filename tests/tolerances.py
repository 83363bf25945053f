"""How far a result may be from its float64 reference: |got - want| <= atol + rtol |want|, per class of op and dtype.

Float32 inputs are exact in the reference, so what is measured is the op's own rounding. Loosening a figure
needs a reason beside it.
"""

import numpy as np

VALUE: dict[str, dict[str, tuple[float, float]]] = {
    # nothing is rounded: moves, comparisons, choices
    "exact": {"float32": (0, 0), "float64": (0, 0)},
    # a few units in the last place
    "elementwise": {"float32": (6e-7, 1e-37), "float64": (1.5e-15, 1e-300)},
    # steep or cancelling near its zeros, where the C library and series too lose digits
    "special": {"float32": (2e-6, 2e-6), "float64": (5e-13, 5e-13)},
    # sums of up to a few thousand terms of size 1
    "sum": {"float32": (2e-6, 4e-6), "float64": (4e-15, 1e-14)},
    # running sums of up to a thousand terms of size 1: the reference, NumPy's, rounds at each of them itself
    "scan": {"float32": (2e-6, 4e-6), "float64": (4e-15, 1e-13)},
    # sums of up to 600 products of size 1, each held in the type itself
    "product": {"float32": (2e-6, 1.2e-5), "float64": (4e-15, 3e-14)},
    # well conditioned matrices of up to 100 rows: rounding grows with both
    "decomposition": {"float32": (1e-5, 1e-5), "float64": (2e-13, 2e-13)},
    # formulas that chain sums, exponentials and products
    "network": {"float32": (1e-5, 1e-5), "float64": (1e-13, 1e-13)},
}

# Against central differences in float64.
GRADIENT = {"rtol": 1e-5, "atol": 1e-7}
# The same along a random direction of all arguments: rounding grows with the number of terms.
DIRECTION = {"rtol": 1e-5, "atol": 1e-5}
# Second derivatives against central differences of the first.
SECOND = {"rtol": 1e-5, "atol": 1e-6}
# Against torch, values and gradients, relative to max(1, |torch's|).
TORCH = {"float32": 1e-5, "float64": 1e-10}


def check_value(got: np.ndarray, want: np.ndarray, kind: str, where: str) -> None:
    """AssertionError with the worst element, unless shapes agree and every element is close enough."""
    want = np.asarray(want)
    assert got.shape == want.shape, f"{where}: shape {got.shape}, expected {want.shape}"
    if got.dtype.kind != "f":
        differ = got != want.astype(got.dtype)
        assert not differ.any(), f"{where}: got {got[differ][:3]}, expected {want[differ][:3]}"
        return
    rtol, atol = VALUE[kind][str(got.dtype)]
    with np.errstate(all="ignore"):
        want = want.astype(got.dtype).astype(np.float64)
        got = got.astype(np.float64)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        error = np.where(same, 0, np.abs(got - want))
        worst = ~(error <= atol + rtol * np.abs(want)) & ~same
    if worst.any():
        i = np.unravel_index(np.nanargmax(np.where(worst, np.nan_to_num(error, nan=np.inf), -1)), got.shape)
        raise AssertionError(
            f"{where}: at {tuple(map(int, i))} got {got[i]!r}, expected {want[i]!r}, "
            f"error {error[i]:.3g}, {int(worst.sum())} of {got.size} elements"
        )


def check_close(got: np.ndarray, want: np.ndarray, rtol: float, atol: float, where: str) -> None:
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, err_msg=where)
