import numpy as np


def cut(points, values):
    found = set(points.tolist())
    for i in range(len(points) - 1):
        for v0, v1 in zip(values[i], values[i + 1]):
            if v0 < 0 < v1 or v1 < 0 < v0:
                found.add((points[i] * v1 - points[i + 1] * v0) / (v1 - v0))
    return sorted(found)
