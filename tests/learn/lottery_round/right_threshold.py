import numpy as np


def ticket(first, trained, mask, fraction):
    left = np.sort(np.abs(trained[mask > 0]))
    n = round(fraction * left.size)
    limit = left[n - 1] if n else -1.0
    new = (mask > 0) & (np.abs(trained) > limit)
    start = first.copy()
    start[~new] = 0.0
    return new, start
