"""Broadcasting and its sum.

NumPy adds arrays of different shapes by repeating the smaller one. X has 5 rows, b is one row:

    X (5, 3)    1 2 3        b (3,)   10 20 30        X + b (5, 3)   11 22 33
                4 5 6        b again  10 20 30                       14 25 36
                ...          ...                                     ...

Each number of b is used 5 times. A node used several times gets the sum of the gradients of all its
uses, so dL/db is the sum of the 5 rows of dL/dy, and has b's shape (3,).

The rules of broadcasting: shapes are written one below the other, flush right. Axes that are
missing on the left are added, and axes of size 1 are stretched.

    dy's shape        5  4  3
    operand's shape      1  3        the axis of 5 was added, the axis of 4 was stretched from 1
    so its gradient      1  3        is the sum over both

Write `unbroadcast`: it takes dL/dy and the shape of an operand that was broadcast to dy's shape,
and returns the gradient in the operand's shape. Where nothing was repeated, that is dy itself. The
shape () of a single number is possible, too.

Source: scratchnet/ops/broadcasting.py:unbroadcast
"""

import numpy as np


def unbroadcast(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """dL/d(operand), of this shape, from dL/dy of any shape to which it can be broadcast."""
    raise NotImplementedError
