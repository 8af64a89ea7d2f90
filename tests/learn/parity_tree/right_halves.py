def parity(bits, xor):
    if len(bits) == 1:
        return bits[0]
    middle = len(bits) // 2
    return xor(parity(bits[:middle], xor), parity(bits[middle:], xor))
