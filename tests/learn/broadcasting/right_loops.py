import numpy as np


def unbroadcast(dy, shape):
    gradient = np.zeros(shape)
    for place in np.ndindex(*dy.shape):
        mine = place[len(place) - len(shape) :] if shape else ()
        mine = tuple(0 if size == 1 else i for i, size in zip(mine, shape, strict=True))
        gradient[mine] += dy[place]
    return gradient
