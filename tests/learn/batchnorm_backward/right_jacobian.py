import numpy as np


def batchnorm(dy, x, epsilon):
    n = len(x)
    columns = []
    for column, slope in zip(x.T, dy.T, strict=True):
        y = (column - column.mean()) / np.sqrt(column.var() + epsilon)
        matrix = np.eye(n) - np.full((n, n), 1 / n) - np.outer(y, y) / n
        columns.append(matrix @ slope / np.sqrt(column.var() + epsilon))
    return np.transpose(columns).tolist()
