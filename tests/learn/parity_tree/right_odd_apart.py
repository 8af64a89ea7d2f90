def parity(bits, xor):
    odd = None
    while len(bits) > 1:
        if len(bits) % 2:
            odd = bits[-1] if odd is None else xor(odd, bits[-1])
            bits = bits[:-1]
        bits = [xor(a, b) for a, b in zip(bits[::2], bits[1::2], strict=False)]
    return bits[0] if odd is None else xor(odd, bits[0])
