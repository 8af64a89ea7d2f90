"""A right solution."""

import numpy as np


def unbroadcast(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """dy summed over the added axes, then over the axes of length 1, which are kept."""
    for _ in range(dy.ndim - len(shape)):
        dy = dy.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy
