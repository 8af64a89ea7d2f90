import numpy as np


def difference(f, x, h):
    h = h / 2
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f, x, h):
    grid = np.eye(x.size).reshape(x.size, *x.shape) * h
    return np.array([(f(x + s) - f(x - s)) / (2 * h) for s in grid]).reshape(x.shape)


def is_kink(f, x, h):
    def gap(h):
        return (f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h

    limit = 2 * gap(h / 2) - gap(h)
    return np.abs(limit) > 0.5 * abs(gap(h))
