# says: must be the uncorrected
import numpy as np


def descent(w, g, rate):
    return w - rate * g


def momentum(w, v, g, rate, beta):
    v = beta * v + g
    return w - rate * v, v


def adam(w, m, v, g, t, rate, b1, b2, epsilon):
    m = (b1 * m + (1 - b1) * g) / (1 - b1**t)
    v = (b2 * v + (1 - b2) * g**2) / (1 - b2**t)
    return w - rate * m / (np.sqrt(v) + epsilon), m, v
