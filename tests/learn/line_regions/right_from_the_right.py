import numpy as np


def cut(points, values):
    new = []
    for p0, p1, row0, row1 in zip(points[:-1], points[1:], values[:-1], values[1:]):
        new.append(p0)
        changes = (row0 > 0) != (row1 > 0)
        changes &= (row0 != 0) & (row1 != 0)
        a, b = np.abs(row0[changes]), np.abs(row1[changes])
        new.extend(np.unique(p1 - (p1 - p0) * b / (a + b)))
    return np.array([*new, points[-1]], np.float64)
