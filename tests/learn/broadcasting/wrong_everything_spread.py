# says: operand (3,): the gradient at entry 2 is 15.3008, must be 3.85867: everything was summed
import numpy as np


def unbroadcast(dy, shape):
    return dy if dy.shape == shape else np.full(shape, dy.sum())
