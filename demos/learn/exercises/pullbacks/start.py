"""What each op sends back.

Forward, an op makes y of a and b. Backward, it is told dL/dy, how the loss L changes with y, and
must say how L changes with a and with b. The function that does so is the op's pullback:

        a --->[    ]                    dL/da <---[          ]
              [ op ]---> y                        [ pullback ]<--- dL/dy
        b --->[    ]                    dL/db <---[          ]

Here all arrays have one shape, and an op works entry by entry. So does its pullback:

    dL/da = dL/dy * dy/da          dL/db = dL/dy * dy/db

where * multiplies entries. The derivatives are those of school:

    y = a + b      dy/da = 1               dy/db = 1
    y = a b        dy/da = b               dy/db = a
    y = a / b      dy/da = 1 / b           dy/db = -a / b^2
    y = a^b        dy/da = b a^(b-1)       dy/db = a^b ln a      (for a > 0)

An op never asks what L is. It needs dL/dy and its own inputs, and nothing else: that is why an
engine can be built of ops.

Write the pullbacks. `dy` stands for dL/dy. The first is done.

Source: scratchnet/ops/elementwise.py:multiply
Source: scratchnet/ops/elementwise.py:divide
"""

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def add(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a + b."""
    return dy, dy


def multiply(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a * b."""
    raise NotImplementedError


def divide(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a / b."""
    raise NotImplementedError


def power(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a ** b, for positive a."""
    raise NotImplementedError
