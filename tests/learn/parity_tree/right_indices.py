def parity(bits, xor):
    signals = list(bits)
    while len(signals) > 1:
        above = []
        for i in range(0, len(signals) - 1, 2):
            above.append(xor(signals[i + 1], signals[i]))
        if len(signals) % 2 == 1:
            above.insert(0, signals[-1])
        signals = above
    return signals
