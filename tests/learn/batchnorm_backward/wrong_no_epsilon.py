# says: epsilon is missing
import numpy as np


def batchnorm(dy, x, epsilon):
    s = np.std(x, axis=0)
    y = (x - x.mean(0)) / s
    return (dy - dy.mean(0) - y * (y * dy).mean(0)) / s
