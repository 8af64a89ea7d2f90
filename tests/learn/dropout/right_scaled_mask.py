import numpy as np


def dropout(x, rate, rng, training):
    if not training:
        return x, None
    mask = rng.binomial(1, 1 - rate, size=x.shape).astype(np.float32) / (1 - rate)
    x *= mask
    return x, mask


def dropout_backward(dy, kept, rate):
    dy *= kept
    return dy
