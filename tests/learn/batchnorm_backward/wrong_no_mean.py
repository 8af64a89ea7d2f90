# says: the part through m is missing
import numpy as np


def batchnorm(dy, x, epsilon):
    m = np.mean(x, axis=0)
    s = np.sqrt(np.mean((x - m) ** 2, axis=0) + epsilon)
    y = (x - m) / s
    return (dy - y * (y * dy).mean(0)) / s
