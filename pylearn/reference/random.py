"""Counter-based random numbers: Philox4x32-10.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

import numpy as np

from .elementwise import real

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter, key):
    """Ten rounds. counter (..., 4) and key (k0, k1) of 32-bit words -> (..., 4) random words (uint32)."""
    c0, c1, c2, c3 = (np.asarray(counter, np.uint64)[..., i] for i in range(4))
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        high0, high1 = p0 >> np.uint64(32), p1 >> np.uint64(32)
        c0, c1, c2, c3 = high1 ^ c1 ^ np.uint64(k0), p1 & _LOW, high0 ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def philox(n, seed, draw=0):
    """The first n words of a draw: element i is lane i % 4 of counter (i // 4, draw) under key seed."""
    block = np.arange(-(-n // 4), dtype=np.uint64)
    d = np.full_like(block, np.uint64(draw))
    counter = np.stack([block & _LOW, block >> np.uint64(32), d & _LOW, d >> np.uint64(32)], axis=-1)
    return philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32)).reshape(-1)[:n]


def uniform(n, seed, draw=0, dtype="float32"):
    """u in [0, 1): 24 bits of a word in float32; in float64 53 bits of words 2i (low) and 2i + 1."""
    if np.dtype(dtype) == np.float32:
        return ((philox(n, seed, draw) >> np.uint32(8)) * 2.0**-24).astype(np.float32)
    words = philox(2 * n, seed, draw).astype(np.uint64)
    return ((words[1::2] << np.uint64(32) | words[0::2]) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def dropout(x, rate, *, seed=0, draw=0):
    """x / (1 - rate) where w / 2^32 >= rate, else 0; w the words of this draw of the default generator"""
    x = np.asarray(x)
    if rate == 0:
        return real(x)
    keep = philox(x.size, seed, draw).reshape(x.shape) * 2.0**-32 >= rate
    return np.where(keep, real(x) / (1 - rate), 0)
