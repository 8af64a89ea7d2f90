# says: dL/db has shape (1, 4)
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.sum(dy, axis=0, keepdims=True)
