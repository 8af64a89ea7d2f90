import numpy as np


def descent(w, g, rate):
    return np.add(w, np.multiply(g, -rate))


def momentum(w, v, g, rate, beta):
    new = np.add(beta * v, g)
    return w - rate * beta * v - rate * g, new


def adam(w, m, v, g, t, rate, b1, b2, epsilon):
    m, v = m + (1 - b1) * (g - m), v + (1 - b2) * (g * g - v)
    root = np.sqrt(1 - b2**t)
    return w - rate * root / (1 - b1**t) * m / (np.sqrt(v) + root * epsilon), m, v
