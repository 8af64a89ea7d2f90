# says: everything was summed
import numpy as np


def unbroadcast(dy, shape):
    return dy if dy.shape == shape else np.sum(dy)
