import numpy as np


def affine(dy, x, w, b):
    return np.einsum("nj,ij->ni", dy, w), np.einsum("ni,nj->ij", x, dy), np.einsum("nj->j", dy)
