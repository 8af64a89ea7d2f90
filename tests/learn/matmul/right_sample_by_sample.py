import numpy as np


def affine(dy, x, w, b):
    rows = zip(x, dy, strict=True)
    outer = sum(np.outer(sample, row) for sample, row in rows)
    return (w @ dy.T).T, outer, np.ones(len(dy)) @ dy
