import numpy as np


def difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f, x, h):
    flat = x.ravel()
    slopes = [
        difference(lambda v, i=i: f(np.r_[flat[:i], v, flat[i + 1 :]].reshape(x.shape)), flat[i], h)
        for i in range(x.size)
    ]
    return np.array(slopes).reshape(x.shape).tolist()


def is_kink(f, x, h):
    def gap(h):
        return abs((f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h)

    return gap(h / 2) > 0.75 * gap(h)
