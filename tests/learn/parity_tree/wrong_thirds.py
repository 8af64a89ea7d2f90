# says: levels for
def parity(bits, xor):
    if len(bits) == 1:
        return bits[0]
    cut = max(1, len(bits) // 3)
    return xor(parity(bits[:cut], xor), parity(bits[cut:], xor))
