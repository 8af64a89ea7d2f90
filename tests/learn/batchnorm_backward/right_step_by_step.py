import numpy as np


def batchnorm(dy, x, epsilon):
    n = len(x)
    centred = x - x.sum(axis=0) / n
    variance = (centred**2).sum(axis=0) / n
    inverse = 1 / np.sqrt(variance + epsilon)
    d_centred = dy * inverse
    d_inverse = (dy * centred).sum(axis=0)
    d_variance = d_inverse * -0.5 * inverse**3
    d_centred += 2 * centred / n * d_variance
    return d_centred - d_centred.sum(axis=0) / n
