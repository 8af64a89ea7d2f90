"""Finite differences.

A derivative can be checked without knowing its formula, by two values of the function:

    one-sided    (f(x + h) - f(x)) / h              wrong by about  h f''(x) / 2
    central      (f(x + h) - f(x - h)) / (2 h)      wrong by about  h^2 f'''(x) / 6

The central difference is far better for small h. But h must not be too small: a computer rounds
f(x), and the rounding error, divided by 2 h, grows as h shrinks. In float64 h = 1e-5 is a fair
choice for x around 1, and about 10 digits are right. float32 rounds to 7 digits. There a step that
is small enough for the formula is too small for the rounding: gradient checks need float64.

For an array each entry is moved by itself, while the others stay: two calls of f per entry.

At a kink, such as that of ReLU at 0, there is no derivative, and the difference is a number without
meaning. The slopes on the two sides tell a kink from a smooth place:

    right = (f(x + h) - f(x)) / h       left = (f(x) - f(x - h)) / h       gap = right - left

        smooth   gap is about h f''(x), so h / 2 has half of the gap
        kink     the gap stays the same however small h is

A gap alone says nothing: 100 x^2 has a gap of 200 h at 0, and is as smooth as can be. Compare the
gaps for h and for h / 2.

Source: scratchnet/gradcheck.py:numerical_gradients
Source: scratchnet/gradcheck.py:_slope_with
"""

from collections.abc import Callable

import numpy as np


def difference(f: Callable[[float], float], x: float, h: float) -> float:
    """The central difference of f at x with the step h."""
    raise NotImplementedError


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float) -> np.ndarray:
    """The derivative of f with respect to each entry of x, in x's shape. x stays as it was."""
    raise NotImplementedError


def is_kink(f: Callable[[float], float], x: float, h: float) -> bool:
    """Whether f has a kink at x."""
    raise NotImplementedError
