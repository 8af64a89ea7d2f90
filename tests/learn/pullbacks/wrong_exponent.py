# says: exponent must go down
import numpy as np


def add(dy, a, b):
    return dy, dy


def multiply(dy, a, b):
    return dy * b, dy * a


def divide(dy, a, b):
    return dy / b, -dy * a / b**2


def power(dy, a, b):
    return dy * b * a**b, dy * a**b * np.log(a)
