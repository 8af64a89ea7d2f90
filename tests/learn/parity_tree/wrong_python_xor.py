# says: TypeError
def parity(bits, xor):
    total = 0
    for bit in bits:
        total = total ^ bit
    return total
