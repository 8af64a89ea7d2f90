# says: d(1/b)/db is -1/b^2
import numpy as np


def add(dy, a, b):
    return dy, dy


def multiply(dy, a, b):
    return dy * b, dy * a


def divide(dy, a, b):
    return dy / b, -dy * a / b


def power(dy, a, b):
    return dy * b * a ** (b - 1), dy * a**b * np.log(a)
