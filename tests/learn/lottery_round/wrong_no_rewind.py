# says: rewind to the initial ones
"""A right solution."""

import numpy as np


def ticket(
    first: np.ndarray, trained: np.ndarray, mask: np.ndarray, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mask after this round, and the weights that the next round starts from."""
    alive = np.flatnonzero(mask)
    order = np.argsort(np.abs(trained).ravel()[alive])
    gone = alive[order[: round(fraction * len(alive))]]
    mask = mask.copy()
    mask.flat[gone] = 0
    return mask, trained * mask
