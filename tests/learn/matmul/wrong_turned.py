# says: dL/dW has shape (4, 3)
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, dy.T @ x, np.sum(dy, axis=0)
