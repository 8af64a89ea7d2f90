# says: operand (3,)
import numpy as np


def unbroadcast(dy, shape):
    for axis, size in enumerate(shape):
        if size == 1:
            dy = np.sum(dy, axis=axis, keepdims=True)
    return dy
