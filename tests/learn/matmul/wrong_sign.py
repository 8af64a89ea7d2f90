# says: the gradient has the wrong sign
def affine(dy, x, w, b):
    return dy @ w.T, -(x.T @ dy), dy.sum(axis=0)
