# says: was not summed over the axes
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.array(dy)
