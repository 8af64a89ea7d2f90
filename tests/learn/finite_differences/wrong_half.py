# says: the two points lie 2 h apart
import numpy as np


def difference(f, x, h):
    return (f(x + h) - f(x - h)) / h


def gradient(f, x, h):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        moved[place] = x[place] + h
        above = f(moved)
        moved[place] = x[place] - h
        slopes[place] = (above - f(moved)) / (2 * h)
    return slopes


def is_kink(f, x, h):
    def gap(h):
        return abs((f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h)

    return gap(h / 2) > 0.75 * gap(h)
