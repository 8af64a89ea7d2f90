# says: must be two signals
def parity(bits, xor):
    result = 0
    for bit in bits:
        result = xor(result, bit)
    return result
