"""Updates in place. They write into their first argument (and into the slots) and return it."""

import numpy as np

from .elementwise import real

__all__ = [
    "sgd_update", "adam_update", "adagrad_update", "adadelta_update", "rmsprop_update", "adamax_update",
    "nadam_update", "lion_update", "sparse_sgd_update", "sparse_adam_update", "sparse_adagrad_update",
    "assign", "assign_add",
]  # fmt: skip


def sgd_update(p, g, lr=0.01, momentum=0.0, velocity=None, nesterov=False, weight_decay=0.0):
    """Gradient descent with momentum in Keras' form.

    s = momentum s - lr g;  p += s, with nesterov p += momentum s - lr g

    Weight decay adds weight_decay p to g.
    """
    g = real(g) + weight_decay * real(p)
    step = -lr * g
    if momentum != 0:
        s = momentum * real(velocity) + step
        velocity[...] = s
        step = momentum * s + step if nesterov else s
    p[...] = real(p) + step
    return p


def adam_update(
    p, g, m, v, step, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0, decoupled=False,
    vhat=None,
):  # fmt: skip
    """Adam (Kingma & Ba 2014) with Keras' epsilon; step counts from 1.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
    p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
    Weight decay adds weight_decay p to g; decoupled (AdamW), p loses lr weight_decay p instead.
    AMSGrad (Reddi et al. 2018): vhat = max(vhat, v), in the place of v.
    """
    start = real(p)
    g = real(g) + (0.0 if decoupled else weight_decay) * start
    m[...], v[...] = beta_1 * real(m) + (1 - beta_1) * g, beta_2 * real(v) + (1 - beta_2) * g * g
    top = v
    if vhat is not None:
        vhat[...] = top = np.maximum(vhat, v)
    rate = lr * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    p[...] = start - (lr * weight_decay * start if decoupled else 0.0) - rate * m / (np.sqrt(top) + epsilon)
    return p


def adagrad_update(p, g, accumulator, lr=0.001, epsilon=1e-7, weight_decay=0.0):
    """Adagrad (Duchi et al. 2011): a += g^2;  p -= lr g / sqrt(a + epsilon)"""
    g = real(g) + weight_decay * real(p)
    accumulator[...] = real(accumulator) + g * g
    p[...] = real(p) - lr * g / np.sqrt(accumulator + epsilon)
    return p


def adadelta_update(
    p, g, accumulated_grad, accumulated_delta, lr=0.001, rho=0.95, epsilon=1e-7, weight_decay=0.0
):
    """Adadelta (Zeiler 2012), a and d the decaying means of g^2 and of the steps' squares.

    a = rho a + (1 - rho) g^2;  u = g sqrt(d + epsilon) / sqrt(a + epsilon)
    d = rho d + (1 - rho) u^2;  p -= lr u
    """
    g, d = real(g) + weight_decay * real(p), real(accumulated_delta)
    accumulated_grad[...] = rho * real(accumulated_grad) + (1 - rho) * g * g
    u = g * np.sqrt(d + epsilon) / np.sqrt(accumulated_grad + epsilon)
    accumulated_delta[...] = rho * d + (1 - rho) * u * u
    p[...] = real(p) - lr * u
    return p


def rmsprop_update(
    p, g, v, lr=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, velocity=None, average=None, weight_decay=0.0
):
    """RMSprop (Hinton 2012).

    v = rho v + (1 - rho) g^2;  u = lr g / sqrt(v + epsilon);  p -= u
    With momentum velocity = momentum velocity + u, p -= velocity.
    Centered (Graves 2013): average = rho average + (1 - rho) g, and v - average^2 in the place of v.
    """
    g = real(g) + weight_decay * real(p)
    v[...] = rho * real(v) + (1 - rho) * g * g
    spread = real(v)
    if average is not None:
        average[...] = rho * real(average) + (1 - rho) * g
        spread = np.maximum(spread - real(average) ** 2, 0.0)
    u = lr * g / np.sqrt(spread + epsilon)
    if momentum != 0:
        velocity[...] = u = momentum * real(velocity) + u
    p[...] = real(p) - u
    return p


def adamax_update(p, g, m, u, step, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0):
    """Adamax (Kingma & Ba 2014, section 7); step counts from 1.

    m = b1 m + (1 - b1) g;  u = max(b2 u, |g|);  p -= lr / (1 - b1^t) m / (u + epsilon)
    """
    g = real(g) + weight_decay * real(p)
    m[...], u[...] = beta_1 * real(m) + (1 - beta_1) * g, np.maximum(beta_2 * real(u), np.abs(g))
    p[...] = real(p) - lr / (1 - beta_1**step) * m / (u + epsilon)
    return p


def nadam_update(p, g, m, v, step, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0):
    """Nadam (Dozat 2016); step counts from 1. m and v as Adam's, and with b(t) = b1 (1 - 0.96^t / 2),
    B(t) = b(1) ... b(t):

    p -= lr (b(t+1) m / (1 - B(t+1)) + (1 - b(t)) g / (1 - B(t))) / (sqrt(v / (1 - b2^t)) + epsilon)
    """
    g = real(g) + weight_decay * real(p)
    m[...], v[...] = beta_1 * real(m) + (1 - beta_1) * g, beta_2 * real(v) + (1 - beta_2) * g * g
    b = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1.0, step + 2))
    now, ahead = np.prod(b[:-1]), np.prod(b)
    m_hat = b[-1] * m / (1 - ahead) + (1 - b[-2]) * g / (1 - now)
    p[...] = real(p) - lr * m_hat / (np.sqrt(v / (1 - beta_2**step)) + epsilon)
    return p


def lion_update(p, g, m, lr=0.001, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
    """Lion (Chen et al. 2023): p -= lr sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g"""
    g, before = real(g) + weight_decay * real(p), real(m)
    m[...] = beta_2 * before + (1 - beta_2) * g
    p[...] = real(p) - lr * np.sign(beta_1 * before + (1 - beta_1) * g)
    return p


def _rows(update, p, ids, g, slots, *args, **kwargs):
    """The dense update of the rows that ids names, from the sum of the gradients of each."""
    rows, place = np.unique(np.asarray(ids).reshape(-1), return_inverse=True)
    if rows.size and not 0 <= rows[0] <= rows[-1] < len(p):
        raise IndexError("'ids' out of range")
    total = np.zeros((len(rows), *p.shape[1:]))
    np.add.at(total, place.reshape(-1), real(g).reshape(-1, *p.shape[1:]))
    own = [p[rows], *(None if s is None else s[rows] for s in slots)]
    update(own[0], total, *own[1:], *args, **kwargs)
    for array, changed in zip((p, *slots), own, strict=True):
        if array is not None:
            array[rows] = changed
    return p


def sparse_sgd_update(p, ids, g, lr=0.01, momentum=0.0, velocity=None, nesterov=False, weight_decay=0.0):
    """sgd_update of the rows of p that ids names; g has one row an id, and rows of equal ids are added up."""

    def update(p, g, velocity):
        sgd_update(p, g, lr, momentum, velocity, nesterov, weight_decay)

    return _rows(update, p, ids, g, (velocity,))


def sparse_adam_update(
    p, ids, g, m, v, step, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0
):
    """adam_update of the rows of p that ids names (lazily: dense Adam moves the others by their momentum too)."""
    return _rows(adam_update, p, ids, g, (m, v), step, lr, beta_1, beta_2, epsilon, weight_decay)


def sparse_adagrad_update(p, ids, g, accumulator, lr=0.001, epsilon=1e-7, weight_decay=0.0):
    """adagrad_update of the rows of p that ids names; without weight decay the same as the dense update"""
    return _rows(adagrad_update, p, ids, g, (accumulator,), lr, epsilon, weight_decay)


def assign(dst, value):
    """dst[...] = value"""
    dst[...] = np.asarray(value)
    return dst


def assign_add(dst, value):
    """dst += value"""
    dst[...] = dst + np.asarray(value)
    return dst
