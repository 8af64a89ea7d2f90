# says: s has no root
import numpy as np


def batchnorm(dy: np.ndarray, x: np.ndarray, epsilon: float) -> np.ndarray:
    """dL/dx (N, d) of y = (x - m) / s."""
    m = x.mean(axis=0)
    s = ((x - m) ** 2).mean(axis=0) + epsilon
    y = (x - m) / s
    return (dy - dy.mean(axis=0) - y * (y * dy).mean(axis=0)) / s
