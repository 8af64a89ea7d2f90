import random


def dropout(x, rate, rng, training):
    y, kept = [], []
    for row in x.tolist():
        draws = [rng.random() for _ in row]
        keep = [not training or u < 1 - rate for u in draws]
        kept.append(keep)
        scale = 1 / (1 - rate) if training else 1
        y.append([v * scale if k else 0.0 for v, k in zip(row, keep)])
    return y, kept


def dropout_backward(dy, kept, rate):
    return [
        [g / (1 - rate) if k else 0.0 for g, k in zip(row, keep)]
        for row, keep in zip(dy.tolist(), kept)
    ]
