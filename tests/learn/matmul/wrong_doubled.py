# says: the gradient is 2 times too large
def affine(dy, x, w, b):
    return 2 * dy @ w.T, x.T @ dy, dy.sum(axis=0)
