import numpy as np


def parity(bits, xor):
    bits = np.array(bits, dtype=object)
    step = 1
    while step < len(bits):
        for i in range(0, len(bits) - step, 2 * step):
            bits[i] = xor(bits[i], bits[i + step])
        step *= 2
    return bits[0]
