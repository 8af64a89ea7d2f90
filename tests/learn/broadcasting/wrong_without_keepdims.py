# says: the numbers are right; keepdims=True
import numpy as np


def unbroadcast(dy, shape):
    extra = dy.ndim - len(shape)
    axes = [i + extra for i, size in enumerate(shape) if size == 1]
    return np.sum(dy, axis=(*range(extra), *axes))
