# says: dL/dy is missing
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ np.ones(dy.shape), np.sum(dy, axis=0)
