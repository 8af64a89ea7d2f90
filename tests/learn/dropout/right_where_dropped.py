import numpy as np


def dropout(x, rate, rng, training):
    dropped = rng.uniform(size=x.shape) < rate if training else np.zeros(x.shape, bool)
    scale = 1 / (1 - rate) if training else 1.0
    y = np.where(dropped, 0, x * scale)
    return [y, {"dropped": np.nonzero(dropped)}]


def dropout_backward(dy, kept, rate):
    dx = np.array(dy) / (1 - rate)
    dx[kept["dropped"]] = 0
    return dx
