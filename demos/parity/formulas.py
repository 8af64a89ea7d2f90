"""What each circuit for parity costs, as formulas in the number of inputs n."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scratchnet.depth.circuits import Circuit
from scratchnet.depth.parity import PARITY


@dataclass(frozen=True)
class Formula:
    """A formula as it is printed, and as it is computed. It holds for n from 2 on."""

    text: str
    value: Callable[[int], int]

    def __call__(self, inputs: int) -> int:
        return self.value(inputs)


# What is counted, in the order in which it is shown; the names are those of `Circuit`.
QUANTITIES = ("neurons", "relays", "connections", "depth", "largest_weight")


def log2_up(inputs: int) -> int:
    """ceil(log2 n)."""
    return (inputs - 1).bit_length()


def tree_relays(inputs: int) -> int:
    """Two for each digit 0 of n - 1 in binary: that is how often a level of the tree is odd."""
    return 2 * bin(inputs - 1).removeprefix("0b").count("0")


_NONE, _ONE, _TWO = Formula("0", lambda n: 0), Formula("1", lambda n: 1), Formula("2", lambda n: 2)
_SQUARE = Formula("n^2 + n", lambda n: n * n + n)

_OTHERS: dict[str, dict[str, Formula]] = {
    "dnf": {
        "relays": _NONE,
        "connections": Formula("2^(n-1) (n + 1)", lambda n: 2 ** (n - 1) * (n + 1)),
        "depth": _TWO,
        "largest_weight": _ONE,
    },
    "tree": {
        "relays": Formula("2 z", tree_relays),
        "connections": Formula("6 (n - 1) + 2 z", lambda n: 6 * (n - 1) + tree_relays(n)),
        "depth": Formula("2 ceil(log2 n)", lambda n: 2 * log2_up(n)),
        "largest_weight": _ONE,
    },
    "counting": {
        "relays": _NONE,
        "connections": _SQUARE,
        "depth": _TWO,
        "largest_weight": _ONE,
    },
    "relu": {"relays": _NONE, "connections": _SQUARE, "depth": _TWO, "largest_weight": _TWO},
    "tent": {
        "relays": _NONE,
        "connections": Formula("2 n + 4 log2 n - 2", lambda n: 2 * n + 4 * log2_up(n) - 2),
        "depth": Formula("log2 n + 1", lambda n: log2_up(n) + 1),
        "largest_weight": Formula("min(n, 4)", lambda n: min(n, 4)),
    },
}

FORMULAS = {
    key: {"neurons": Formula(known.formula, known.neurons), **_OTHERS[key]}
    for key, known in PARITY.items()
}
"""For each circuit of `PARITY` the formula of each of `QUANTITIES`."""

ZEROS = "z: zeros of n - 1 in binary"


def measured(circuit: Circuit) -> dict[str, float]:
    """What the circuit's arrays hold: each of `QUANTITIES`, counted and not computed."""
    return {name: getattr(circuit, name) for name in QUANTITIES}
