"""The kernel cases, by family."""

from bench.cases import Case
from bench.kernels import conv, elementwise, linalg, loss, norm, optim, rnn

CASES: tuple[Case, ...] = (
    *linalg.CASES, *conv.CASES, *rnn.CASES, *norm.CASES, *loss.CASES, *optim.CASES, *elementwise.CASES,
)  # fmt: skip
