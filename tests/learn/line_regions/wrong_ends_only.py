# says: a crossing is missed
import numpy as np


def cut(points, values):
    v0, v1 = values[0], values[-1]
    share = v0 / (v0 - v1)
    inside = (share > 0) & (share < 1)
    new = points[0] + share[inside] * (points[-1] - points[0])
    return np.unique(np.array([points[0], *new, points[-1]]))
