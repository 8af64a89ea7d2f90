import numpy as np


def cut(points, values):
    step = np.diff(points)[:, None]
    slope = np.diff(values, axis=0) / step
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = points[:-1, None] - values[:-1] / slope
    inside = np.sign(values[:-1]) * np.sign(values[1:]) == -1
    return np.unique(np.append(points, cross[inside]))
