import numpy as np


def prune(w, fraction):
    n = round(w.size * fraction)
    mask = np.full(w.shape, True)
    left = np.abs(w)
    for _ in range(n):
        place = np.unravel_index(np.argmin(left), w.shape)
        mask[place] = False
        left[place] = np.inf
    return mask


def step(w, g, v, mask, rate, momentum):
    w, g, v = w * mask, g * mask, v * mask
    v = momentum * v + g
    return w - rate * v, v
