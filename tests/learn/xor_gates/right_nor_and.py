import numpy as np


def weights():
    # NOR of NOR and AND.
    return np.array([[-7, 3], [-7, 3]]), np.array([2, -5]), np.array([[-1], [-1]]), np.array([0.5])
