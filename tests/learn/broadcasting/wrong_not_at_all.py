# says: nothing was summed
import numpy as np


def unbroadcast(dy, shape):
    return np.array(dy)
