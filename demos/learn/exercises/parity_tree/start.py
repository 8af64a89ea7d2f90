"""A parity tree.

The parity of n bits is 1 where an odd number of them is 1: x1 XOR x2 XOR ... XOR xn. XOR is
associative, so the bits may be taken in any order, and the order decides how deep the circuit is.
One after another makes a chain, n - 1 gates deep. A tree takes neighbours two by two:

    x1 --+                             level 1: x1^x2     x3^x4    x5
         XOR --+                       level 2: x1^..^x4           x5
    x2 --+     |                       level 3: x1^..^x5
               XOR --+
    x3 --+     |     |                 Each level halves the number of signals. Where it is odd,
         XOR --+     XOR -- parity     the last one waits for the next level.
    x4 --+           |
                     |                 n - 1 gates, ceil(log2 n) levels
    x5 --------------+

Every pair of a level can be computed at the same time. With XOR as three threshold neurons on two
levels, the tree for n bits is a network of 2 ceil(log2 n) layers and 3 (n - 1) neurons, besides
those that only carry a waiting signal up.

Write `parity(bits, xor)`: `bits` is a list of n signals, n >= 1, and xor(a, b) makes the signal of
one gate. Use it, and nothing else, on the signals; the check counts gates and levels.

Source: scratchnet/depth/parity.py:xor_tree_pairs
"""

from collections.abc import Callable
from typing import Any


def parity(bits: list[Any], xor: Callable[[Any, Any], Any]) -> Any:
    """The signal that is the parity of all bits, ceil(log2 n) levels of xor deep."""
    raise NotImplementedError
