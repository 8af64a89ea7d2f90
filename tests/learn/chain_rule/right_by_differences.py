import math


def loss(x, w, b, t):
    return (math.tanh(w * x + b) - t) ** 2


def backward(x, w, b, t):
    h = 1e-6
    return [
        (loss(x, w + h, b, t) - loss(x, w - h, b, t)) / (2 * h),
        (loss(x, w, b + h, t) - loss(x, w, b - h, t)) / (2 * h),
        (loss(x + h, w, b, t) - loss(x - h, w, b, t)) / (2 * h),
    ]
