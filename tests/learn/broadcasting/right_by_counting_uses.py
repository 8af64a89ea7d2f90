import numpy as np


def unbroadcast(dy, shape):
    """Number the entries, broadcast the numbers, and add up by number."""
    size = int(np.prod(shape))
    numbers = np.broadcast_to(np.arange(size).reshape(shape), dy.shape)
    return np.bincount(numbers.ravel(), weights=dy.ravel(), minlength=size).reshape(shape)
