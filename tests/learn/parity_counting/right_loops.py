def weights(n):
    W1 = [[1] * n for _ in range(n)]
    b1 = [-k for k in range(1, n + 1)]
    W2 = [1 if k % 2 == 0 else -1 for k in range(n)]
    return W1, b1, W2, -1
