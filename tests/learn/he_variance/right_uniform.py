import numpy as np


def he(rng, fan_in, fan_out):
    limit = np.sqrt(6 / fan_in)
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def mean_squares(x, weights):
    found = np.zeros(len(weights))
    for number, w in enumerate(weights):
        z = np.einsum("ni,ij->nj", x, w)
        x = np.where(z > 0, z, 0)
        found[number] = np.sum(x * x) / x.size
    return found
