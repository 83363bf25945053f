"""Scaled dot-product attention."""

import numpy as np

from .elementwise import quiet, real
from .random import philox

__all__ = ["scaled_dot_product_attention", "scaled_dot_product_attention_backward"]


def _wide(t, heads):
    """Each head of k or v for the neighbouring heads of q that share it."""
    return np.repeat(real(t), heads, axis=2)


def _shared(t, heads):
    """The adjoint: summed over the heads that share."""
    return t.reshape(*t.shape[:2], t.shape[2] // max(heads, 1), heads, t.shape[3]).sum(axis=3)


def _probabilities(q, k, mask, is_causal, scale):
    """(B, H, T, S); a row that sees nothing is zero."""
    heads = q.shape[2] // max(k.shape[2], 1)
    k = _wide(k, heads)
    scores = np.einsum("bthd,bshd->bhts", real(q), k) * (q.shape[3] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if np.asarray(mask).dtype == bool else scores + real(mask)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[2:]) > 0, scores, -np.inf)
    most = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
    p = np.exp(scores - np.where(most == -np.inf, 0, most))
    total = np.sum(p, axis=-1, keepdims=True)
    return p / np.where(total == 0, 1, total)


def _kept(shape, dropout, seed, draw):
    words = philox(int(np.prod(shape)), seed, draw).reshape(shape)
    return (words * 2.0**-32 >= dropout) / (1 - dropout)


@quiet
def scaled_dot_product_attention(
    q, k, v, mask=None, is_causal=False, dropout=0.0, scale=None, *, seed=0, draw=0
):
    """out[b,t,h] = sum_s softmax_s(scale q[b,t,h] . k[b,s,h] + mask[b,h,t,s]) v[b,s,h] (Vaswani et al. 2017)

    q (B,T,H,D), k (B,S,G,D), v (B,S,G,E) -> (B,T,H,E). G divides H: H / G neighbouring heads share one of k and v.
    scale is 1 / sqrt(D) unless given. mask broadcasts to (B,H,T,S): bool, true where attended to, or of q's type, added
    to the scores. is_causal: query t sees the keys s <= t, counted from the beginning of both (with a cache of earlier
    keys pass a mask instead). A row that sees no key gives zeros. dropout zeroes probabilities as ops.dropout does.
    """
    p = _probabilities(q, k, mask, is_causal, scale)
    if dropout:
        p = p * _kept(p.shape, dropout, seed, draw)
    return np.einsum("bhts,bshe->bthe", p, _wide(v, q.shape[2] // max(k.shape[2], 1)))


@quiet
def scaled_dot_product_attention_backward(
    dy, q, k, v, mask=None, is_causal=False, dropout=0.0, scale=None, *, seed=0, draw=0
):
    """dq, dk, dv: dp = dy v', ds = p (dp - sum(p dp)), dq = scale ds k, dk = scale ds' q, dv = p' dy"""
    heads = q.shape[2] // max(k.shape[2], 1)
    p = _probabilities(q, k, mask, is_causal, scale)
    kept = _kept(p.shape, dropout, seed, draw) if dropout else 1.0
    dp = np.einsum("bthe,bshe->bhts", real(dy), _wide(v, heads)) * kept
    ds = p * (dp - np.sum(p * dp, axis=-1, keepdims=True)) * (q.shape[3] ** -0.5 if scale is None else scale)
    dq = np.einsum("bhts,bshd->bthd", ds, _wide(k, heads))
    dk = np.einsum("bhts,bthd->bshd", ds, real(q))
    dv = np.einsum("bhts,bthe->bshe", p * kept, real(dy))
    return dq, _shared(dk, heads), _shared(dv, heads)
