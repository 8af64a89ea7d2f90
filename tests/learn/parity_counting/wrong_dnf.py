# says: has 4 hidden neurons: must be 3
import numpy as np


def weights(n):
    rows = [r for r in range(2**n) if bin(r).count("1") % 2]
    bits = np.array([[r >> i & 1 for i in range(n)] for r in rows])
    return (2.0 * bits - 1).T, 0.5 - bits.sum(axis=1), np.ones((len(rows), 1)), np.array([-0.5])
