# says: must be sqrt(2 / fan_in)
import numpy as np


def he(rng, fan_in, fan_out):
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2) / fan_in


def mean_squares(x, weights):
    found = []
    for w in weights:
        x = np.maximum(x @ w, 0)
        found.append(np.mean(x**2))
    return found
