# says: this is a chain
from functools import reduce


def parity(bits, xor):
    return reduce(xor, bits)
