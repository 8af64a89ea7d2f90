# says: summed over the wrong axis
import numpy as np


def unbroadcast(dy, shape):
    for axis in range(dy.ndim)[::-1]:
        if dy.shape[axis] not in shape:
            dy = np.sum(dy, axis=axis, keepdims=dy.ndim == len(shape))
    return dy if dy.shape == shape else np.sum(dy, axis=1)
