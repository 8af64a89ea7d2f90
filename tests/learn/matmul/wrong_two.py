# says: must be 3 gradients
import numpy as np


def affine(dy, x, w, b):
    return np.dot(dy, w.T), x.T @ dy
