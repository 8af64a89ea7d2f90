"""What each circuit for parity costs, as formulas in the number of inputs n, from 2 on."""

from collections.abc import Callable

from scratchnet.depth.parity import PARITY

QUANTITIES = ("neurons", "relays", "connections", "depth", "largest_weight")
"""What is counted, by the names that it has in `Circuit`."""

Formula = tuple[str, Callable[[int], int]]
"""As it is printed, and as it is computed."""


def log2_up(inputs: int) -> int:
    """ceil(log2 n)."""
    return (inputs - 1).bit_length()


def tree_relays(inputs: int) -> int:
    """Two for each digit 0 of n - 1 in binary: that is how often a level of the tree is odd."""
    return 2 * f"{inputs - 1:b}".count("0")


NONE, ONE, TWO = ("0", lambda n: 0), ("1", lambda n: 1), ("2", lambda n: 2)
SQUARE = ("n^2 + n", lambda n: n * n + n)
ANDS = ("2^(n-1) (n + 1)", lambda n: 2 ** (n - 1) * (n + 1))
PAIRS = ("6 (n - 1) + 2 z", lambda n: 6 * (n - 1) + tree_relays(n))
LEVELS = ("2 ⌈log2 n⌉", lambda n: 2 * log2_up(n))
BENDS = ("log2 n + 1", lambda n: log2_up(n) + 1)
FOLDS = ("2 n + 4 log2 n - 2", lambda n: 2 * n + 4 * log2_up(n) - 2)

# Relays, connections, depth, largest weight.
OTHERS = {
    "dnf": (NONE, ANDS, TWO, ONE),
    "tree": (("2 z", tree_relays), PAIRS, LEVELS, ONE),
    "counting": (NONE, SQUARE, TWO, ONE),
    "relu": (NONE, SQUARE, TWO, TWO),
    "tent": (NONE, FOLDS, BENDS, ("min(n, 4)", lambda n: min(n, 4))),
}

FORMULAS: dict[str, dict[str, Formula]] = {
    key: dict(zip(QUANTITIES, ((known.formula, known.neurons), *OTHERS[key]), strict=True))
    for key, known in PARITY.items()
}
"""For each circuit of `PARITY` the formula of each of `QUANTITIES`."""


def cost(circuit: str, quantity: str, inputs: int) -> int:
    """A quantity of a circuit for so many inputs."""
    return FORMULAS[circuit][quantity][1](inputs)
