# says: alive[places] are the places in all
import numpy as np


def ticket(
    first: np.ndarray, trained: np.ndarray, mask: np.ndarray, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mask after this round, and the weights that the next round starts from."""
    remaining = np.flatnonzero(mask)
    count = round(fraction * len(remaining))
    order = np.argsort(np.abs(trained).ravel()[remaining])
    new = mask.astype(float).copy()
    new.ravel()[order[:count]] = 0
    return new, first * new
