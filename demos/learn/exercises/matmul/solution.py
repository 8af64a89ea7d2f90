"""A right solution."""

import numpy as np


def affine(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
