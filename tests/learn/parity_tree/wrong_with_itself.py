# says: lacks
"""A right solution."""

from collections.abc import Callable
from typing import Any


def parity(bits: list[Any], xor: Callable[[Any, Any], Any]) -> Any:
    """The signal that is the parity of all bits."""
    while len(bits) > 1:
        pairs = [xor(a, a) for a, b in zip(bits[::2], bits[1::2], strict=False)]
        bits = pairs + bits[2 * len(pairs) :]
    return bits[0]
