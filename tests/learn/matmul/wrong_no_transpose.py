# says: ValueError
import numpy as np


def affine(dy, x, w, b):
    return dy @ w, x.T @ dy, np.sum(dy, axis=0)
