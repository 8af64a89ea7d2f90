# says: for a, a^b is a power
import numpy as np


def add(dy, a, b):
    return dy, dy


def multiply(dy, a, b):
    return dy * b, dy * a


def divide(dy, a, b):
    return dy / b, -dy * a / b**2


def power(dy, a, b):
    return dy * a**b * np.log(a), dy * b * a ** (b - 1)
