"""How many linear regions a ReLU network can have, and how many it does have at the start.

`widths` are those of the hidden layers, `dimensions` is the number of inputs, or of directions of
the slice on which regions are counted. The bounds are exact whole numbers, and hold for activation
regions and linear regions alike. All but `upper_bound` hold for LeakyReLU and Residual too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import comb, factorial, prod

from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole


def arrangement_regions(neurons: int, dimensions: int) -> int:
    """sum_{j <= d} C(n, j): one layer of n neurons, whose hyperplanes are in general position.

    So many parts n hyperplanes cut space into at most, and almost always (Zaslavsky 1975).
    """
    positive_whole("neurons", neurons)
    positive_whole("dimensions", dimensions)
    return _choices(neurons, dimensions)


def central_arrangement_regions(neurons: int, dimensions: int) -> int:
    """2 sum_{j < d} C(n - 1, j): one layer of n neurons with zero biases (Cover 1965).

    All hyperplanes then pass through the origin; in the plane they are 2n sectors.
    """
    positive_whole("neurons", neurons)
    positive_whole("dimensions", dimensions)
    return 2 * _choices(neurons - 1, dimensions - 1)


def line_bound(widths: Sequence[int]) -> int:
    """prod (n_l + 1): pieces on a line, at most.

    Within a piece of the layers before, each neuron bends at most once.
    """
    return prod(width + 1 for width in _checked(widths))


def textbook_bound(widths: Sequence[int], dimensions: int) -> int:
    """prod_l sum_{j <= d} C(n_l, j): Zaslavsky's number, layer by layer.

    A true bound, but it lets every layer cut every piece in d dimensions. Where a layer is narrower
    than 2d, `upper_bound` is far below it. It grows like width^(depth d), not like width^depth.
    """
    positive_whole("dimensions", dimensions)
    return prod(_choices(width, dimensions) for width in _checked(widths))


def upper_bound(widths: Sequence[int], dimensions: int) -> int:
    """sum over (j_1, ..., j_L) of prod_l C(n_l, j_l)  (Serra, Tjandraatmadja, Ramalingam 2018).

    With j_l <= min(d, n_1 - j_1, ..., n_{l-1} - j_{l-1}, n_l): where only k ReLUs of a layer are
    active, what comes behind it lives in k dimensions at most.
    """
    positive_whole("dimensions", dimensions)
    widths = _checked(widths)

    @cache
    def regions_from(layer: int, left: int) -> int:
        """What layers from `layer` on make of a piece of `left` dimensions."""
        if layer == len(widths):
            return 1
        width = widths[layer]
        return sum(
            comb(width, j) * regions_from(layer + 1, min(left, width - j))
            for j in range(min(left, width) + 1)
        )

    return regions_from(0, dimensions)


def lower_bound(widths: Sequence[int], dimensions: int) -> int:
    """prod_{l < L} floor(n_l / d)^d * sum_{j <= d} C(n_L, j)  (Montufar et al. 2014).

    So many regions the best network of these widths has at least: each layer but the last folds
    space on itself, floor(n_l / d) times along each direction. Raises `InputError` for a layer
    narrower than d, of which the theorem says nothing.
    """
    positive_whole("dimensions", dimensions)
    *folding, last = _checked(widths)
    if min((*folding, last)) < dimensions:
        raise InputError(
            f"widths {list(widths)} in {dimensions} dimensions: the lower bound needs layers at "
            f"least {dimensions} wide"
        )
    return prod((width // dimensions) ** dimensions for width in folding) * _choices(
        last, dimensions
    )


def expected_at_initialization(neurons: int, dimensions: int) -> float:
    """N^d / d!: about so many regions a network of N hidden neurons has at the start, at any depth.

    Hanin and Rolnick ("Deep ReLU networks have surprisingly few activation patterns", 2019) bound
    the mean number of regions at a random start, in a window whose size is held fixed, by
    (T N)^d / d!, where T does not depend on depth. T is not known; T = 1 is about right on
    [-1, 1]^2.
    """
    positive_whole("neurons", neurons)
    positive_whole("dimensions", dimensions)
    return neurons**dimensions / factorial(dimensions)


def _choices(neurons: int, dimensions: int) -> int:
    """sum over j <= dimensions of C(neurons, j)."""
    return sum(comb(neurons, j) for j in range(dimensions + 1))


def _checked(widths: Sequence[int]) -> list[int]:
    """The widths, each a whole number above 0; `InputError` for others, or none."""
    if isinstance(widths, str) or not isinstance(widths, Sequence) or len(widths) == 0:
        raise InputError(f"widths {widths!r}: must be those of one hidden layer or more")
    return [positive_whole("a width", width) for width in widths]
