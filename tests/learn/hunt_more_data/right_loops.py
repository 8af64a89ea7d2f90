import math


def train(X, y, rate, steps):
    w = [0.0] * len(X[0])
    for _ in range(steps):
        total = [0.0] * len(w)
        for row, label in zip(X, y):
            z = sum(a * b for a, b in zip(row, w))
            error = 1 / (1 + math.exp(-z)) - label
            for j, x in enumerate(row):
                total[j] += error * x / len(X)
        w = [a - rate * g for a, g in zip(w, total)]
    return w
