# says: operand (5, 1): the gradient has shape (5, 3)
import numpy as np


def unbroadcast(dy, shape):
    while dy.ndim > len(shape):
        dy = np.sum(dy, axis=0)
    return dy
