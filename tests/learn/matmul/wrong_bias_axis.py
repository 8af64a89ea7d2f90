# says: must be numbers of shape (4,)
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.sum(dy, axis=1)
