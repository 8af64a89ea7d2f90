# says: has 4 zeros: must be exactly 3 of 6; of equal weights
"""A right solution."""

import numpy as np


def prune(w: np.ndarray, fraction: float) -> np.ndarray:
    """The mask, of w's shape: 1 for what stays, 0 for what goes."""
    n = round(fraction * w.size)
    sizes = np.sort(np.abs(w).ravel())
    return np.abs(w) > (sizes[n - 1] if n else -1)


def step(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, mask: np.ndarray, rate: float, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """w and v after a step."""
    v = (momentum * v + g) * mask
    return (w - rate * v) * mask, v
