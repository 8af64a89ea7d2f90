def tent(t):
    return [2 * v if v < 0.5 else 2 - 2 * v for v in t]


def parity(X, fold):
    results = []
    for row in X:
        n = len(row)
        value = sum(float(bit) for bit in row) / n
        for _ in range(n.bit_length() - 1):
            value = float(fold(value))
        results.append(int(value))
    return results
