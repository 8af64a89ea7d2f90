import numpy as np


def weights(n):
    # Neuron k fires where s < k: the first weight is -1 then, and the bias makes up for all.
    k = np.arange(1, n + 1)
    signs = np.where(k % 2 == 1, -1.0, 1.0)
    return -np.ones((n, n)), k - 0.5, signs[:, None], np.array([-0.5 - signs.sum()])
