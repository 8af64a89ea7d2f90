"""A right solution."""

import numpy as np


def affine(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx = dy W^T, dL/dW = x^T dy, and dL/db is the sum of dy's rows."""
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
