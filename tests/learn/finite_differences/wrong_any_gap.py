# says: says True for 100 x^2 at 0
import numpy as np


def difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


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
    return abs(f(x + h) - 2 * f(x) + f(x - h)) / h > 0.1
