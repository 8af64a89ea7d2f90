import math


def add(dy, a, b):
    return dy.copy(), dy.copy()


def multiply(dy, a, b):
    da, db = 0 * dy, 0 * dy
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            da[i, j] = dy[i, j] * b[i, j]
            db[i, j] = dy[i, j] * a[i, j]
    return da, db


def divide(dy, a, b):
    one = [[g / q for g, q in zip(*rows, strict=True)] for rows in zip(dy, b, strict=True)]
    two = [
        [-g * p / q / q for g, p, q in zip(*rows, strict=True)]
        for rows in zip(dy, a, b, strict=True)
    ]
    return one, two


def power(dy, a, b):
    da, db = dy.copy(), dy.copy()
    for place in [(i, j) for i in range(dy.shape[0]) for j in range(dy.shape[1])]:
        p, q = float(a[place]), float(b[place])
        da[place] *= q * math.pow(p, q - 1)
        db[place] *= math.pow(p, q) * math.log(p)
    return da, db
