# says: 1/N belongs to the loss
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.mean(dy, axis=0)
