"""Records of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array

NAME = "scaled_dot_product_attention"


def _qkv(
    rng: Rng,
    dtype: str,
    b: int,
    t: int,
    s: int,
    h: int,
    d: int,
    kept: int | None = None,
    e: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept, e = kept or h, e or d
    q, k, v = (array(rng, shape, dtype, -1, 1) for shape in ((b, t, h, d), (b, s, kept, d), (b, s, kept, e)))
    return q, k, v


def _samples(rng: Rng, dtype: str) -> list[Sample]:
    q, k, v = _qkv(rng, dtype, 2, 3, 4, 2, 5)
    seen = rng.random((2, 2, 3, 4)) < 0.6
    seen[0, 0, 1] = False
    padding = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)[:, None, None]
    added = array(rng, (3, 4), dtype)
    added[0, 1] = -np.inf
    return [
        Sample((q, k, v)),
        Sample((q, k, v), {"is_causal": True}),
        Sample((q, k, v), {"scale": 0.3}),
        Sample((q, k, v), {"scale": -1.0, "is_causal": True}),
        Sample((q, k, v, seen)),
        Sample((q, k, v, padding), {"is_causal": True}),
        Sample((q, k, v, added)),
        Sample((q, k, v, seen[:1, :, :, :1])),
        Sample(_qkv(rng, dtype, 1, 3, 3, 4, 4, kept=2, e=3), {"is_causal": True}),
        Sample(_qkv(rng, dtype, 1, 2, 5, 2, 1, kept=1)),
        Sample(_qkv(rng, dtype, 1, 5, 2, 1, 3), {"is_causal": True}),
        Sample(_qkv(rng, dtype, 0, 3, 4, 2, 5)),
        Sample(_qkv(rng, dtype, 2, 0, 4, 2, 5)),
        Sample(_qkv(rng, dtype, 2, 3, 0, 2, 5)),
        Sample(_qkv(rng, dtype, 1, 1, 1, 1, 1)),
    ]


def _more(rng: Rng, dtype: str) -> list[Sample]:
    calls = [
        Sample(_qkv(rng, dtype, 1, t, s, 2, d), {"is_causal": causal})
        for t, s, d in (
            (1, 130, 16),
            (130, 1, 8),
            (49, 129, 32),
            (200, 70, 33),
            (150, 300, 64),
            (13, 40, 200),
        )
        for causal in (False, True)
    ]
    calls.append(Sample(_qkv(rng, dtype, 1, 9, 20, 1, 1024)))
    calls.append(Sample(_qkv(rng, dtype, 1, 60, 140, 1, 70, e=15), {"is_causal": True}))
    q, k, v = _qkv(rng, dtype, 2, 140, 150, 2, 16)
    seen = rng.random((2, 1, 140, 150)) < 0.3
    seen[0, 0, 7], seen[1, 0, :, :130] = False, False
    calls += [Sample((q, k, v, seen)), Sample((q, k, v, seen), {"is_causal": True, "dropout": 0.3})]
    calls += [Sample((q, k, v), {"dropout": p, "is_causal": c}) for p, c in ((0.1, False), (0.7, True))]
    large = q * 4  # a running maximum that grows
    strange = q.copy()
    strange[0, 3, 0, 0] = np.nan
    return [*calls, Sample((large.astype(dtype), k, v)), Sample((strange, k, v))]


def _draw(rng: Rng, dtype: str) -> Sample:
    b, h = (int(n) for n in rng.integers(1, 3, 2))
    t, s = (int(n) for n in rng.integers(1, rng.choice([8, 60, 150]), 2))
    d, e = (int(n) for n in rng.integers(1, rng.choice([9, 40, 70]), 2))
    group = int(rng.integers(1, 3))
    q, k, v = _qkv(rng, dtype, b, t, s, h * group, d, kept=h, e=e)
    options: dict[str, Any] = {"is_causal": bool(rng.random() < 0.4)}
    if rng.random() < 0.3:
        options["dropout"] = float(rng.choice([0.1, 0.5]))
    if rng.random() < 0.3:
        options["scale"] = float(rng.uniform(0.1, 1))
    shape = tuple(int(rng.choice([1, n])) for n in (b, h * group, t, s))
    mask = (None, rng.random(shape) < 0.7, array(rng, shape, dtype))[rng.integers(3)]
    if rng.random() < 0.3:  # slices of one projection
        whole = array(rng, (b, s, 3, h * group, d), dtype)
        q, k, v = whole[:, : min(t, s), 0], whole[:, :, 1], whole[:, :, 2]
        mask = None
    return Sample((q, k, v, mask), options)


def _errors(rng: Rng, *first: np.ndarray) -> list[Bad]:
    q, k, v = _qkv(rng, "float32", 2, 3, 4, 2, 5)
    args = (*first, q, k, v)
    n = len(first)
    names = ("q", "k", "v")
    wrong = []
    for i, name in enumerate(names):
        wrong += bad_array(args, n + i, name)
        wrong.append(bad(ValueError, name, *args[: n + i], args[n + i][0], *args[n + i + 1 :]))
        wrong.append(bad(ValueError, names, *args[: n + i], args[n + i][:1], *args[n + i + 1 :]))
    wrong += bad_array((*args, np.ones((3, 4), bool)), n + 3, "mask", optional=True)
    for mask in (np.ones((3, 3), bool), np.ones((1, 2, 2, 3, 4), bool)):
        wrong.append(bad(ValueError, "mask", *args, mask))
    return [
        *wrong,
        bad(TypeError, "mask", *args, np.ones((3, 4), np.int64)),
        bad(TypeError, "mask", *args, np.ones((3, 4))),
        bad(ValueError, ("k", "q"), *first, q, k[..., :4], v),
        bad(ValueError, ("k", "q"), *first, q[:, :, :1], k, v),
        bad(ValueError, ("v", "k"), *first, q, k, v[:, :3]),
        bad(ValueError, "q", *first, q[..., :0], k[..., :0], v),
        bad(TypeError, names, *first, q, k.astype(np.float64), v),
        bad(TypeError, "q", *first, *(a.astype(np.int64) for a in (q, k, v))),
        *(bad(ValueError, "dropout", *args, dropout=p) for p in (-0.1, 1.0, np.nan)),
        bad(TypeError, "dropout", *args, dropout="0.1"),
        bad(ValueError, "scale", *args, scale=np.inf),
        bad(TypeError, "scale", *args, scale="1"),
        bad(TypeError, "is_causal", *args, is_causal="yes"),
    ]


def _torch(t, q, k, v, mask=None, is_causal=False, dropout=0.0, scale=None):
    """Written out, for rows that see nothing and for our dropout; what is random is drawn from the tests' seed."""
    from op_checks import SEED

    heads = q.shape[2] // max(k.shape[2], 1)
    k, v = (a.repeat_interleave(heads, 2).transpose(1, 2) for a in (k, v))
    q = q.transpose(1, 2)
    s = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    seen = t.ones(s.shape[-2:], dtype=bool).tril() if is_causal else t.ones(s.shape[-2:], dtype=bool)
    if mask is not None and mask.dtype == t.bool:
        seen = seen & mask
    elif mask is not None:
        seen, s = seen & (mask > -t.inf), s + t.where(mask > -t.inf, mask, 0)
    p = t.softmax(s.masked_fill(~seen, -1e30), -1) * seen
    if dropout:
        p = p * t.tensor(ref.attention._kept(tuple(p.shape), dropout, SEED, 0), dtype=p.dtype)
    return (p @ v).transpose(1, 2)


def _backward(rng: Rng, calls: list[Sample], dtype: str) -> list[Sample]:
    return [
        Sample((array(rng, (*s.args[0].shape[:3], s.args[2].shape[3]), dtype), *s.args), s.kwargs)
        for s in calls
    ]


def _big(rng: Rng, dtype: str) -> list[Sample]:
    return [
        Sample(_qkv(rng, dtype, 2, 300, 300, 3, 32), {"is_causal": True}),
        Sample(_qkv(rng, dtype, 1, 400, 700, 1, 24), {"dropout": 0.2}),
    ]


def _backward_errors(rng: Rng) -> list[Bad]:
    dy = array(rng, (2, 3, 2, 5), "float32")
    q, k, v = _qkv(rng, "float32", 2, 3, 4, 2, 5)
    return [
        *_errors(rng, dy),
        *bad_array((dy, q, k, v), 0, "dy"),
        bad(ValueError, "dy", dy[:, :2], q, k, v),
        bad(TypeError, ("dy", "q"), dy.astype(np.float64), q, k, v),
    ]


PARAMS = ("q", "k", "v", "mask", "is_causal", "dropout", "scale")

OPS = [
    Op(
        NAME,
        PARAMS,
        PARAMS[:4],
        _samples,
        _errors,
        ref.scaled_dot_product_attention,
        more=_more,
        big=_big,
        draw=_draw,
        grad=(0, 1, 2),
        tolerance="network",
        same_bits=False,
        random=True,
        torch=_torch,
    ),
    Op(
        NAME + "_backward",
        ("dy", *PARAMS),
        ("dy", *PARAMS[:4]),
        lambda rng, dtype: _backward(rng, _samples(rng, dtype), dtype),
        _backward_errors,
        ref.scaled_dot_product_attention_backward,
        more=lambda rng, dtype: _backward(rng, _more(rng, dtype)[:-1], dtype),
        big=lambda rng, dtype: _backward(rng, _big(rng, dtype), dtype),
        draw=lambda rng, dtype: _backward(rng, [_draw(rng, dtype)], dtype)[0],
        tolerance="network",
        same_bits=False,
        random=True,
        out=False,
    ),
]
