import numpy as np


def prune(w, fraction):
    keep = w.size - round(fraction * w.size)
    mask = np.zeros(w.shape, dtype=np.float32)
    largest = np.argpartition(-(w**2).ravel(), min(keep, w.size - 1))[:keep]
    mask.flat[largest] = 1
    return mask


def step(w, g, v, mask, rate, momentum):
    v = momentum * v + g
    return np.where(mask, w - rate * v, 0), v
