"""Convolutions (cross-correlations, as in Keras): images NHWC, kernels HWIO."""

import numpy as np

from .activations import relu, sigmoid
from .elementwise import real, tanh

__all__ = [
    "conv1d",
    "conv1d_transpose",
    "conv2d",
    "conv2d_backward",
    "conv2d_transpose",
    "depthwise_conv2d",
    "same_padding",
]


def _pair(v):
    return (v, v) if np.ndim(v) == 0 else tuple(v)


def same_padding(size, kernel, stride, dilation):
    """Zeros before and after, so that there are ceil(size / stride) results; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _geometry(x, w, strides, padding, dilation):
    """Zeros around each axis, and the number of results."""
    strides, dilation = _pair(strides), _pair(dilation)
    if padding == "valid":
        pads = ((0, 0), (0, 0))
    elif padding == "same":
        pads = tuple(same_padding(x.shape[1 + i], w.shape[i], strides[i], dilation[i]) for i in range(2))
    else:
        pads = tuple(_pair(p) for p in _pair(padding))
    out = [
        (x.shape[1 + i] + sum(pads[i]) - (w.shape[i] - 1) * dilation[i] - 1) // strides[i] + 1
        for i in range(2)
    ]
    return strides, dilation, pads, out


def _taps(x, w, strides, padding, dilation):
    """For every kernel position: its indices, and the part of the padded image it meets at each result."""
    (sh, sw), (dh, dw), _, (oh, ow) = _geometry(x, w, strides, padding, dilation)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            rows = slice(i * dh, i * dh + (oh - 1) * sh + 1, sh) if oh > 0 else slice(0, 0)
            cols = slice(j * dw, j * dw + (ow - 1) * sw + 1, sw) if ow > 0 else slice(0, 0)
            yield i, j, (slice(None), rows, cols)


def _finish(y, b, activation):
    y = y if b is None else y + real(b)
    return {None: real, "relu": relu, "sigmoid": sigmoid, "tanh": tanh}[activation](y)


def conv2d(x, w, b=None, strides=1, padding="valid", dilation=1, groups=1, activation=None):
    """x (N,H,W,C), w (KH,KW,C/groups,F), b (F,) -> y (N,OH,OW,F)

    y[n,p,q,f] = act(b[f] + sum over i,j,c of x[n, p s - pad + i d, q s - pad + j d, c] w[i,j,c,f]), 0 outside x.
    padding is "valid", "same" or ((top, bottom), (left, right)).
    """
    x, w = real(x), real(w)
    _, _, pads, (oh, ow) = _geometry(x, w, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    y = np.zeros((x.shape[0], oh, ow, w.shape[3]))
    for i, j, place in _taps(x, w, strides, padding, dilation):
        parts = np.split(padded[place], groups, axis=-1), np.split(w[i, j], groups, axis=-1)
        y += np.concatenate([a @ k for a, k in zip(*parts)], axis=-1)
    return _finish(y, b, activation)


def conv2d_backward(dy, x, w, strides=1, padding="valid", dilation=1, groups=1):
    """Gradients of x, w and b (the last as if there was one) of conv2d without activation."""
    dy, x, w = real(dy), real(x), real(w)
    _, _, pads, _ = _geometry(x, w, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    grads = np.split(dy, groups, axis=-1)
    for i, j, place in _taps(x, w, strides, padding, dilation):
        kernels, images = np.split(w[i, j], groups, axis=-1), np.split(padded[place], groups, axis=-1)
        dx[place] += np.concatenate([g @ k.T for g, k in zip(grads, kernels)], axis=-1)
        dw[i, j] = np.concatenate(
            [np.tensordot(a, g, ([0, 1, 2],) * 2) for a, g in zip(images, grads)], axis=-1
        )
    (top, _), (left, _) = pads
    return dx[:, top : top + x.shape[1], left : left + x.shape[2]], dw, dy.sum(axis=(0, 1, 2))


def conv1d(x, w, b=None, strides=1, padding="valid", dilation=1, groups=1, activation=None):
    """x (N,T,C), w (K,C/groups,F), b (F,) -> y (N,OT,F): conv2d of images of one row.

    padding "causal" puts all zeros before, so that no result sees a later input.
    """
    if padding == "causal":
        padding = ((w.shape[0] - 1) * dilation, 0)
    if not isinstance(padding, str):
        padding = ((0, 0), _pair(padding))
    x, w = real(x)[:, None], real(w)[None]
    return conv2d(x, w, b, (1, strides), padding, (1, dilation), groups, activation)[:, 0]


def depthwise_conv2d(x, w, b=None, strides=1, padding="valid", dilation=1, activation=None):
    """x (N,H,W,C), w (KH,KW,C,M), b (C*M,) -> y (N,OH,OW,C*M): every channel has M kernels of its own."""
    kernels = real(w).reshape(*w.shape[:2], min(w.shape[2], 1), w.shape[2] * w.shape[3])
    return conv2d(x, kernels, b, strides, padding, dilation, max(w.shape[2], 1), activation)


def conv2d_transpose(
    x, w, b=None, strides=1, padding="valid", output_padding=None, dilation=1, activation=None
):
    """x (N,H,W,C), w (KH,KW,F,C), b (F,) -> y (N,OH,OW,F): the adjoint of conv2d, plus b.

    Every x[n,p,q] adds w @ x[n,p,q] to the window of y whose corner is p s - pad, q s - pad. "same" gives OH = H s;
    "valid" all windows, at least H s. With output_padding OH = (H - 1) s + span - 2 pad + output_padding, where
    span = (KH - 1) d + 1 and pad = span // 2 for "same", else 0: sizes are Keras', but such an output begins where
    torch's does.
    """
    x, w, strides, dilation = real(x), real(w), _pair(strides), _pair(dilation)
    sizes, starts = [], []
    for i in range(2):
        span, beyond = (w.shape[i] - 1) * dilation[i] + 1, (w.shape[i] - 1) * dilation[i] + 1 - strides[i]
        if output_padding is not None:
            pad = span // 2 if padding == "same" else 0
            size = (x.shape[1 + i] - 1) * strides[i] + span - 2 * pad + _pair(output_padding)[i]
        else:
            pad = max(beyond, 0) // 2 if padding == "same" else 0
            size = x.shape[1 + i] * strides[i] + (0 if padding == "same" else max(beyond, 0))
        sizes.append(max(size, 0) if x.shape[1 + i] else 0)
        starts.append(pad)
    reach = [(x.shape[1 + i]) * strides[i] + w.shape[i] * dilation[i] for i in range(2)]
    y = np.zeros((x.shape[0], *(s + p + r for s, p, r in zip(sizes, starts, reach)), w.shape[2]))
    for i, j in np.ndindex(w.shape[:2]):
        rows, cols = (k * d + s * np.arange(n) for k, d, s, n in zip((i, j), dilation, strides, x.shape[1:3]))
        y[:, rows[:, None], cols] += x @ w[i, j].T
    (top, left), (oh, ow) = starts, sizes
    return _finish(y[:, top : top + oh, left : left + ow], b, activation)


def conv1d_transpose(
    x, w, b=None, strides=1, padding="valid", output_padding=None, dilation=1, activation=None
):
    """x (N,T,C), w (K,F,C), b (F,) -> y (N,OT,F): conv2d_transpose of images of one row, the adjoint of conv1d."""
    extra = None if output_padding is None else (0, output_padding)
    x, w = real(x)[:, None], real(w)[None]
    return conv2d_transpose(x, w, b, (1, strides), padding, extra, (1, dilation), activation)[:, 0]
