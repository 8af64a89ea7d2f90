# says: only the first use counts
import numpy as np


def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = dy[0]
    for axis, size in enumerate(shape):
        if size == 1:
            dy = np.take(dy, [0], axis=axis)
    return dy
