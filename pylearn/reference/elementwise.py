"""Elementwise functions of one array."""

import math
from functools import wraps

import numpy as np

__all__ = [
    "negative", "abs", "sign", "square", "sqrt", "rsqrt", "reciprocal", "exp", "expm1", "log", "log1p",
    "log2", "log10", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "erf",
    "erfc", "lgamma", "digamma", "floor", "ceil", "round", "trunc", "isnan", "isinf", "isfinite",
    "logical_not",
]  # fmt: skip


def numeric(x):
    """x with its floats widened to float64."""
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype.kind == "f" else x


def real(x):
    """x in float64."""
    return np.asarray(x).astype(np.float64)


def quiet(f):
    """f with NumPy's floating-point warnings off: NaN and infinity are values here."""

    @wraps(f)
    def call(*args, **kwargs):
        with np.errstate(all="ignore"):
            return f(*args, **kwargs)

    return call


def _each(f, x):
    """f over the elements of x, as float64."""
    x = real(x)
    return np.array([f(v) for v in x.ravel().tolist()], dtype=np.float64).reshape(x.shape)


def negative(x):
    """-x"""
    return -numeric(x)


def abs(x):
    """|x|"""
    return np.abs(numeric(x))


def sign(x):
    """-1, 0 or 1; NaN for NaN"""
    return np.sign(numeric(x))


@quiet
def square(x):
    """x x"""
    return np.square(numeric(x))


@quiet
def sqrt(x):
    """x^(1/2)"""
    return np.sqrt(real(x))


@quiet
def rsqrt(x):
    """x^(-1/2)"""
    return 1 / np.sqrt(real(x))


@quiet
def reciprocal(x):
    """1 / x"""
    return 1 / real(x)


@quiet
def exp(x):
    """e^x"""
    return np.exp(real(x))


@quiet
def expm1(x):
    """e^x - 1, exact near 0"""
    return np.expm1(real(x))


@quiet
def log(x):
    """natural logarithm"""
    return np.log(real(x))


@quiet
def log1p(x):
    """log(1 + x), exact near 0"""
    return np.log1p(real(x))


@quiet
def log2(x):
    """logarithm to base 2"""
    return np.log2(real(x))


@quiet
def log10(x):
    """logarithm to base 10"""
    return np.log10(real(x))


@quiet
def sin(x):
    """sine, x in radians"""
    return np.sin(real(x))


@quiet
def cos(x):
    """cosine, x in radians"""
    return np.cos(real(x))


@quiet
def tan(x):
    """tangent, x in radians"""
    return np.tan(real(x))


@quiet
def arcsin(x):
    """inverse sine, in [-pi/2, pi/2]"""
    return np.arcsin(real(x))


@quiet
def arccos(x):
    """inverse cosine, in [0, pi]"""
    return np.arccos(real(x))


def arctan(x):
    """inverse tangent, in [-pi/2, pi/2]"""
    return np.arctan(real(x))


@quiet
def sinh(x):
    """(e^x - e^-x) / 2"""
    return np.sinh(real(x))


@quiet
def cosh(x):
    """(e^x + e^-x) / 2"""
    return np.cosh(real(x))


def tanh(x):
    """sinh(x) / cosh(x)"""
    return np.tanh(real(x))


def erf(x):
    """2/sqrt(pi) times the integral of e^(-t^2) from 0 to x"""
    return _each(math.erf, x)


def erfc(x):
    """1 - erf(x), exact in the right tail"""
    return _each(math.erfc, x)


def lgamma(x):
    """log |Gamma(x)|; infinite at 0, -1, -2, ..."""
    return _each(lambda v: math.inf if (v <= 0 and v % 1 == 0) or math.isinf(v) else math.lgamma(v), x)


def _digamma(x):
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == 0:
        return math.copysign(math.inf, -x)
    if x < 0:  # reflection
        fraction = math.remainder(x, 1)
        return math.nan if fraction == 0 else _digamma(1 - x) - math.pi / math.tan(math.pi * fraction)
    shift = 0.0
    while x < 10:  # recurrence up to where the asymptotic series holds to the last digit
        shift -= 1 / x
        x += 1
    z = 1 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * 691 / 32760)))))
    return shift + math.log(x) - 0.5 / x - series


def digamma(x):
    """d lgamma(x) / dx"""
    return _each(_digamma, x)


def floor(x):
    """the largest whole number not above x"""
    return np.floor(numeric(x))


def ceil(x):
    """the smallest whole number not below x"""
    return np.ceil(numeric(x))


def round(x):
    """the nearest whole number, halves to even"""
    return np.rint(numeric(x)) if np.asarray(x).dtype.kind == "f" else np.asarray(x)


def trunc(x):
    """the whole part"""
    return np.trunc(numeric(x))


def isnan(x):
    """is x not a number?"""
    return np.isnan(numeric(x))


def isinf(x):
    """is x infinite?"""
    return np.isinf(numeric(x))


def isfinite(x):
    """is x neither NaN nor infinite?"""
    return np.isfinite(numeric(x))


def logical_not(x):
    """x == 0"""
    return np.logical_not(numeric(x))
