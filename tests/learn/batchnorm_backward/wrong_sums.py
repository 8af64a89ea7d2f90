# says: must be means
import numpy as np


def batchnorm(dy, x, epsilon):
    m = np.mean(x, axis=0)
    s = np.sqrt(np.mean((x - m) ** 2, axis=0) + epsilon)
    y = (x - m) / s
    return (dy - dy.sum(0) - y * (y * dy).sum(0)) / s
