"""Two-dimensional convolution (cross-correlation, as in Keras): images NHWC, kernels HWIO."""

import numpy as np

from .elementwise import real


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


def conv2d(x, w, b=None, strides=1, padding="valid", dilation=1, groups=1):
    """x (N,H,W,C), w (KH,KW,C/groups,F), b (F,) -> y (N,OH,OW,F)

    y[n,p,q,f] = b[f] + sum over i,j,c of x[n, p s - pad + i d, q s - pad + j d, c] w[i,j,c,f], 0 outside x.
    padding is "valid", "same" or ((top, bottom), (left, right)).
    """
    x, w = real(x), real(w)
    _, _, pads, (oh, ow) = _geometry(x, w, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    y = np.zeros((x.shape[0], oh, ow, w.shape[3]))
    for i, j, place in _taps(x, w, strides, padding, dilation):
        parts = np.split(padded[place], groups, axis=-1), np.split(w[i, j], groups, axis=-1)
        y += np.concatenate([a @ k for a, k in zip(*parts)], axis=-1)
    return y if b is None else y + real(b)


def conv2d_backward(dy, x, w, strides=1, padding="valid", dilation=1, groups=1):
    """Gradients of x, w and b (the last as if there was one)."""
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
