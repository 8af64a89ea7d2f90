# says: has 0 zeros: must be exactly 5 of 5
"""A right solution."""

import numpy as np


def prune(w: np.ndarray, fraction: float) -> np.ndarray:
    """The mask, of w's shape: 1 for what stays, 0 for what goes."""
    mask = np.zeros(w.size)
    order = np.argsort(np.abs(w).ravel())
    mask[order[-(w.size - round(fraction * w.size)) :]] = 1
    return mask.reshape(w.shape)


def step(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, mask: np.ndarray, rate: float, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """w and v after a step."""
    v = (momentum * v + g) * mask
    return (w - rate * v) * mask, v
