import numpy as np


def affine(dy, x, w, b):
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(x.shape[0]):
        for j in range(w.shape[1]):
            db[j] += dy[n, j]
            for i in range(x.shape[1]):
                dx[n, i] += dy[n, j] * w[i, j]
                dw[i, j] += dy[n, j] * x[n, i]
    return dx, dw, db
