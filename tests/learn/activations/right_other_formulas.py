import numpy as np


def relu(dy, x):
    return dy * np.heaviside(x, 0.0)


def sigmoid(dy, x):
    y = 1 / (1 + np.exp(-x))
    return dy * (y - y**2)


def tanh(dy, x):
    y = np.tanh(x)
    return dy / np.cosh(x) ** 2


def threshold(dy, x, window):
    return dy * ((x >= -window) & (x <= window))
