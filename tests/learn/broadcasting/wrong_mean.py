# says: a mean, must be a sum
import numpy as np


def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = np.mean(dy, axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            dy = np.mean(dy, axis=axis, keepdims=True)
    return dy
