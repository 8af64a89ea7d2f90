# says: dL/da at entry (2, 2) is 1.6442, must be 0.66242: this is the pullback of multiply
import numpy as np


def add(dy, a, b):
    return dy, dy


def multiply(dy, a, b):
    return dy * b, dy * a


def divide(dy, a, b):
    return dy * b, -dy * a / b**2


def power(dy, a, b):
    return dy * b * a ** (b - 1), dy * a**b * np.log(a)
