# says: nothing was repeated
import numpy as np


def unbroadcast(dy, shape):
    return np.full(shape, dy.sum())
