import numpy as np


def prune(w, fraction):
    ranks = np.argsort(np.argsort(np.abs(w), axis=None, kind="stable"))
    return (ranks >= round(fraction * w.size)).astype(int).reshape(w.shape)


def step(w, g, v, mask, rate, momentum):
    mask = np.asarray(mask, bool)
    v = np.float32(v) * momentum
    v += g
    v[~mask] = 0
    w = np.float32(w) - rate * v
    w *= mask
    return [w, v]
