import numpy as np


def ticket(first, trained, mask, fraction):
    dead = int(mask.size - mask.sum())
    n = round(fraction * mask.sum())
    scores = np.abs(trained) - 10 * (1 - mask) * (1 + np.abs(trained).max())
    rank = scores.ravel().argsort().argsort().reshape(mask.shape)
    new = (rank >= dead + n).astype(np.int64)
    return new, new * first
