import numpy as np


def ticket(first, trained, mask, fraction):
    size = np.where(mask == 1, np.abs(trained), np.inf)
    new = mask.copy()
    for _ in range(round(fraction * int(mask.sum()))):
        place = np.unravel_index(np.argmin(size), size.shape)
        size[place] = np.inf
        new[place] = 0
    return new, np.where(new, first, 0)
