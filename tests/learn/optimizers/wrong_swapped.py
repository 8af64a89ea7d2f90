# says: b1 and 1 - b1 are swapped
import numpy as np


def descent(w, g, rate):
    return w - rate * g


def momentum(w, v, g, rate, beta):
    v = beta * v + g
    return w - rate * v, v


def adam(w, m, v, g, t, rate, b1, b2, epsilon):
    m = (1 - b1) * m + b1 * g
    v = (1 - b2) * v + b2 * g**2
    return w - rate * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + epsilon), m, v
