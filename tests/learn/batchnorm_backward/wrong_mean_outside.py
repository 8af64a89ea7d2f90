# says: mean(dL/dy) stands outside of the parentheses
import numpy as np


def batchnorm(dy: np.ndarray, x: np.ndarray, epsilon: float) -> np.ndarray:
    """dL/dx (N, d) of y = (x - m) / s."""
    m = x.mean(axis=0)
    s = np.sqrt(((x - m) ** 2).mean(axis=0) + epsilon)
    y = (x - m) / s
    return (dy - y * (y * dy).mean(axis=0)) / s - dy.mean(axis=0)
