"""Updates in place. They write into their first argument (and into the slots) and return it."""

import numpy as np

from .elementwise import real


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
    p, g, m, v, step, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0, decoupled=False
):
    """Adam (Kingma & Ba 2015) with Keras' epsilon; step counts from 1.

    m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
    p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
    Weight decay adds weight_decay p to g; decoupled (AdamW), p loses lr weight_decay p instead.
    """
    start = real(p)
    g = real(g) + (0.0 if decoupled else weight_decay) * start
    m_new, v_new = beta_1 * real(m) + (1 - beta_1) * g, beta_2 * real(v) + (1 - beta_2) * g * g
    rate = lr * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    m[...], v[...] = m_new, v_new
    p[...] = (
        start - (lr * weight_decay * start if decoupled else 0.0) - rate * m_new / (np.sqrt(v_new) + epsilon)
    )
    return p


def assign(dst, value):
    """dst[...] = value"""
    dst[...] = np.asarray(value)
    return dst


def assign_add(dst, value):
    """dst += value"""
    dst[...] = dst + np.asarray(value)
    return dst
