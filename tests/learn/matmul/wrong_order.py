# says: the order is dL/dx, dL/dW, dL/db
import numpy as np


def affine(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx, dL/dW and dL/db of y = x W + b, in this order."""
    return x.T @ dy, dy @ w.T, dy.sum(axis=0)
