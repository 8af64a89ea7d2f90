# says: this is a chain
def parity(bits, xor):
    result = bits[0]
    for bit in bits[1:]:
        result = xor(result, bit)
    return result
