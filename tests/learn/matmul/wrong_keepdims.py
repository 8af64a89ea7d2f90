# says: keepdims=True leaves an axis
import numpy as np


def affine(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx, dL/dW and dL/db of y = x W + b, in this order."""
    return dy @ w.T, x.T @ dy, dy.sum(axis=0, keepdims=True)
