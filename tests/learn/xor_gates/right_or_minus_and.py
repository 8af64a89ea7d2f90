import numpy as np


def weights():
    W1 = np.ones((2, 2), np.float32)
    return W1, -np.array([0.5, 1.5]), np.array([[1], [-2]]), np.array([-0.5])
