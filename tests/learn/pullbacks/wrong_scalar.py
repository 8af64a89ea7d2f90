# says: must be numbers of shape (4, 3)
import numpy as np


def add(dy, a, b):
    return dy, dy


def multiply(dy, a, b):
    return dy * b, dy * a


def divide(dy, a, b):
    return dy.sum(), dy.mean() + a


def power(dy, a, b):
    return dy * b * a ** (b - 1), dy * a**b * np.log(a)
