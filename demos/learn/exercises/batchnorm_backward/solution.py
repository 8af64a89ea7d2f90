"""A right solution."""

import numpy as np


def batchnorm(dy: np.ndarray, x: np.ndarray, epsilon: float) -> np.ndarray:
    """dL/dx = (dy - mean(dy) - y mean(y dy)) / s, with means over the samples."""
    m = x.mean(axis=0)
    s = np.sqrt(((x - m) ** 2).mean(axis=0) + epsilon)
    y = (x - m) / s
    return (dy - dy.mean(axis=0) - y * (y * dy).mean(axis=0)) / s
