import numpy as np


def difference(f, x, h):
    above, below = f(x + h), f(x - h)
    return above / (2 * h) - below / (2 * h)


def gradient(f, x, h):
    slopes = []
    for place in np.ndindex(*x.shape):
        before = x[place]
        x[place] = before + h
        above = f(x)
        x[place] = before - h
        slopes.append((above - f(x)) / 2 / h)
        x[place] = before
    return np.reshape(slopes, x.shape)


def is_kink(f, x, h):
    gaps = [(f(x + s) + f(x - s) - 2 * f(x)) / s for s in (h, h / 2, h / 4)]
    return abs(gaps[2]) > 0.5 * abs(gaps[0])
