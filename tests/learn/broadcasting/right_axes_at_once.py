import numpy as np


def unbroadcast(dy, shape):
    padded = (1,) * (dy.ndim - len(shape)) + tuple(shape)
    axes = tuple(axis for axis, size in enumerate(padded) if size == 1)
    return np.sum(dy, axis=axes, keepdims=True).reshape(shape)
