# says: the ReLU is missing
import numpy as np


def he(rng, fan_in, fan_out):
    return rng.normal(0.0, np.sqrt(2 / fan_in), (fan_in, fan_out))


def mean_squares(x, weights):
    found = []
    for w in weights:
        x = x @ w
        found.append(np.mean(x**2))
    return found
