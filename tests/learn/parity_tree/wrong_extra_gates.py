# says: gates for 2 bits
def parity(bits, xor):
    while len(bits) > 1:
        pairs = [xor(xor(xor(a, b), a), a) for a, b in zip(bits[::2], bits[1::2], strict=False)]
        bits = pairs + bits[2 * len(pairs) :]
    return bits[0]
