# says: must be the mean over the samples
import numpy as np


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def loss(z, labels):
    n = len(z)
    return -np.sum(np.log(softmax(z)[range(n), labels]))


def gradient(z, labels):
    n, t = len(z), np.eye(z.shape[1])[labels]
    return (softmax(z) - t) / n
