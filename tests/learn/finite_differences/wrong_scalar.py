# says: must be numbers of shape (4, 3)
import numpy as np


def difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f, x, h):
    return difference(lambda s: f(x + s), 0.0, h)


def is_kink(f, x, h):
    def gap(h):
        return abs((f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h)

    return gap(h / 2) > 0.75 * gap(h)
