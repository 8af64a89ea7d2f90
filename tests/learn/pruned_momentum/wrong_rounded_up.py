# says: must be rounded, to the nearest
import numpy as np


def prune(w: np.ndarray, fraction: float) -> np.ndarray:
    """The mask, of w's shape: 1 for what stays, 0 for what goes."""
    count = int(np.ceil(fraction * w.size))
    mask = np.ones(w.size)
    mask[np.argsort(np.abs(w).ravel())[:count]] = 0
    return mask.reshape(w.shape)


def step(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, mask: np.ndarray, rate: float, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """w and v after a step."""
    v = momentum * v + g
    w = (w - rate * v) * mask
    return w, v
