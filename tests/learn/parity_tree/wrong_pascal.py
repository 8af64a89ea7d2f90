# says: lacks x2
def parity(bits, xor):
    while len(bits) > 1:
        bits = [xor(a, b) for a, b in zip(bits, bits[1:])]
    return bits[0]
