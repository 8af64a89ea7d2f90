# says: over other axes than those
import numpy as np


def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = np.sum(dy, axis=-1)
    for axis, size in enumerate(shape):
        if size == 1:
            dy = np.sum(dy, axis=axis, keepdims=True)
    return dy
