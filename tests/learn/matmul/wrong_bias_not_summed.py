# says: dL/db has shape (5, 4)
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.array(dy)
