"""What `scratchnet sawtooth` computes: at each depth a fold and a square, deep and shallow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchnet.demos.random_networks import BIAS_DEVIATION, random_networks
from scratchnet.demos.results import environment
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.regions import Line, line_regions
from scratchnet.depth.sawtooth import (
    MOST_COUNTED_DEPTH,
    MOST_SHALLOW_UNITS,
    SIGNIFICANT_BITS,
    count_pieces,
    hidden_units,
    product_error,
    product_error_bound,
    product_network,
    sawtooth,
    sawtooth_pieces,
    shallow_sawtooth,
    shallow_square,
    square_error,
    square_error_bound,
    square_network,
    units_for_square,
)
from scratchnet.model import Model

DEEPEST = SIGNIFICANT_BITS["float64"]
DEEPEST_SHALLOW = MOST_SHALLOW_UNITS.bit_length() - 1
DEEPEST_SQUARE, DEEPEST_PRODUCT = 25, 24
DEEPEST_RANDOM = 16

# Counting the pieces of one layer of 2^L units takes 2^(2L + 1) steps; deeper than this, and to
# compare functions, it is computed at fewer points: so many times its units.
DEEPEST_SHALLOW_COUNTED = 12
ENTRIES = 2**24

SEGMENT = Line([0.0], [1.0])


@dataclass(frozen=True)
class Fold:
    """The sawtooth of one depth, and what is compared with it."""

    depth: int
    units: int
    parameters: int
    pieces: int
    """2^depth"""
    counted: int | None
    """The pieces of the network, counted; None where it is too deep for that."""
    ends_right: int
    ends_looked_at: int
    """At how many multiples of 2^-depth the network is 0 and 1 in turn, as it should be."""
    shallow_units: int
    shallow_parameters: int
    shallow_counted: int | None
    difference: float | None
    """The largest between both networks, where the shallow one was built."""
    random_deep: Any
    random_wide: Any
    """Pieces of random networks of the same shape, and of one layer of as many units, (seeds,)."""


@dataclass(frozen=True)
class Square:
    """x^2 by one depth of summed tents, one hidden layer for the same error, and products."""

    depth: int
    units: int
    parameters: int
    error: float
    bound: float
    """2^(-2 depth - 2)"""
    at_least: int
    """The units that no single layer of this error can do without."""
    shallow_units: int
    shallow_error: float | None
    """Of one layer of so many units; None where it was not built."""
    product_units: int | None
    product_error: float | None
    product_bound: float | None


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    environment: dict[str, Any]
    folds: tuple[Fold, ...] = ()
    squares: tuple[Square, ...] = ()
    interrupted: bool = False


def run(
    depth: int = 12,
    seed: int = 0,
    seeds: int = 100,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Result:
    """All depths from 1 to `depth`. Ctrl-C ends the run and keeps the depths that were finished."""
    settings = {
        "depth": depth,
        "seed": seed,
        "seeds": seeds,
        "dtype": "float64",
        "initializer": "he_normal",
        "bias_deviation": BIAS_DEVIATION,
    }
    result = Result(settings, environment(backend))
    folds: list[Fold] = []
    squares: list[Square] = []
    interrupted = False
    try:
        for each in range(1, depth + 1):
            advance(0, f"depth {each}")
            folds.append(fold(each, seed, seeds, backend))
            advance()
        for each in range(1, min(depth, DEEPEST_SQUARE) + 1):
            advance(0, f"x^2 at depth {each}")
            squares.append(square(each, backend))
            advance()
    except KeyboardInterrupt:
        interrupted = True
    return replace(result, folds=tuple(folds), squares=tuple(squares), interrupted=interrupted)


def steps(depth: int) -> int:
    """How often `run` advances."""
    return depth + min(depth, DEEPEST_SQUARE)


def fold(depth: int, seed: int, seeds: int, backend: str) -> Fold:
    """Build the sawtooth of one depth, deep and in one layer; its pieces, and random networks'.

    What is too deep to be built or counted is None.
    """
    deep = sawtooth(depth, backend=backend)
    units, pieces = hidden_units(deep), sawtooth_pieces(depth)
    right, looked_at = ends(deep, depth)
    shallow_counted = difference = random_deep = random_wide = None
    if depth <= DEEPEST_SHALLOW:
        shallow = shallow_sawtooth(depth, backend=backend)
        difference = largest_difference(deep, shallow, depth)
        if depth <= DEEPEST_SHALLOW_COUNTED:
            shallow_counted = count_pieces(shallow, depth)
    if depth <= DEEPEST_RANDOM:
        random_deep = random_pieces([1, *[2] * depth, 1], seed, seeds, backend)
        random_wide = random_pieces([1, units, 1], seed, seeds, backend)
    return Fold(
        depth=depth,
        units=units,
        parameters=deep.parameter_count,
        pieces=pieces,
        counted=count_pieces(deep, depth) if depth <= MOST_COUNTED_DEPTH else None,
        ends_right=right,
        ends_looked_at=looked_at,
        shallow_units=pieces,
        shallow_parameters=3 * pieces + 1,
        shallow_counted=shallow_counted,
        difference=difference,
        random_deep=random_deep,
        random_wide=random_wide,
    )


def ends(model: Model, depth: int) -> tuple[int, int]:
    """At how many multiples of 2^-depth the sawtooth is right, 0 and 1 in turn, and of how many."""
    numbers = some_of(2**depth + 1, 2**16)
    values = predict_in_blocks(model, numbers[:, None] / 2.0**depth)[:, 0]
    return int(np.count_nonzero(values == numbers % 2)), len(numbers)


def largest_difference(deep: Model, shallow: Model, depth: int) -> float:
    """Between two sawtooths, at multiples of 2^-depth; they can bend nowhere else in (0, 1)."""
    points = some_of(2**depth + 1, max(2, ENTRIES // 2**depth))[:, None] / 2.0**depth
    return float(abs(predict_in_blocks(deep, points) - predict_in_blocks(shallow, points)).max())


def some_of(size: int, most: int) -> Any:
    """0, ..., size - 1, or `most` of them drawn with a fixed seed, in order."""
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).integers(0, size, most))


def random_pieces(widths: list[int], seed: int, seeds: int, backend: str) -> Any:
    """(seeds,): the linear pieces on [0, 1] of random networks, exactly."""
    model = random_networks(widths, seed, seeds, backend)
    return np.array([line_regions(model, SEGMENT, each).linear_count for each in range(seeds)])


def square(depth: int, backend: str) -> Square:
    """Measure x^2 by one depth of tents, and one hidden layer that is enough for its error.

    The layer is built up to `MOST_SHALLOW_UNITS`, the product xy up to depth `DEEPEST_PRODUCT`.
    """
    deep = square_network(depth, backend=backend)
    error = square_error(deep, 2**depth)
    at_least, enough = units_for_square(error)
    shallow_error = None
    if enough <= MOST_SHALLOW_UNITS:
        shallow = shallow_square(enough, backend=backend)
        shallow_error = square_error(shallow, enough, max(2, ENTRIES // (3 * enough)))
    product = product_network(depth, backend=backend) if depth <= DEEPEST_PRODUCT else None
    return Square(
        depth=depth,
        units=hidden_units(deep),
        parameters=deep.parameter_count,
        error=error,
        bound=square_error_bound(depth),
        at_least=at_least,
        shallow_units=enough,
        shallow_error=shallow_error,
        product_units=None if product is None else hidden_units(product),
        product_error=None if product is None else product_error(product, depth, 2**12),
        product_bound=None if product is None else product_error_bound(depth),
    )
