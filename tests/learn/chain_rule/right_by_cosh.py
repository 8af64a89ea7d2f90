import numpy as np


def backward(x, w, b, t):
    z = np.array(w * x + b)
    g = -2 * (t - np.tanh(z)) / np.cosh(z) ** 2
    return np.array([g * x, g, g * w])
