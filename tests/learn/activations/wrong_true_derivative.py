# says: with which nothing learns
import numpy as np


def relu(dy, x):
    return np.where(x > 0, dy, 0)


def sigmoid(dy, x):
    y = 1 / (1 + np.exp(-x))
    return dy * y * (1 - y)


def tanh(dy, x):
    y = np.tanh(x)
    return dy * (1 - y**2)


def threshold(dy, x, window):
    return np.zeros_like(dy)
