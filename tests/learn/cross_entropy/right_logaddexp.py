import numpy as np


def softmax(z):
    return np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True))


def loss(z, labels):
    n = len(z)
    return np.mean(np.logaddexp.reduce(z, axis=1) - np.take_along_axis(z, labels[:, None], 1)[:, 0])


def gradient(z, labels):
    n, t = len(z), np.eye(z.shape[1])[labels]
    p = softmax(z) / n
    np.subtract.at(p, (np.arange(n), labels), 1 / n)
    return p + 0 * t
