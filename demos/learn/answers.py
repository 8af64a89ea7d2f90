"""Reading answers where several forms are right: lists, axes of length 1, float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Mistake, Wrong, WrongShape, array, compare, shown

ROUNDING = 1e-4
"""How far an answer may be off, relative to the largest entry: float32 is right too."""


def numbers(value: Any, what: str, shape: Sequence[int]) -> Any:
    """As `array`, but axes of length 1 may be missing or extra: (N,) is right for (N, 1).

    What a generator or `map` gives is taken too. Raises `Wrong` for NaN and infinity.
    """
    if isinstance(value, Iterator):
        value = list(value)
    with contextlib.suppress(ValueError):
        read = np.asarray(value)
        if read.dtype.kind in "fiub" and without_ones(read.shape) == without_ones(shape):
            value = read.reshape(shape)
    found = array(value, what, shape)
    if not np.isfinite(found).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        at = f" at entry {place[0] if len(place) == 1 else place}" if place else ""
        raise Wrong(f"{what}{at} is {found[place]}: must be a finite number")
    return found


def row(value: Any, what: str) -> Any:
    """The value as one row of numbers, as many as there are; NaN is left to the caller."""
    if isinstance(value, Iterator):
        value = list(value)
    shape: tuple[int, ...] = (1,)
    with contextlib.suppress(ValueError):
        shape = np.shape(np.asarray(value))
    if len(without_ones(shape)) > 1:
        raise Wrong(f"{what} has shape {shape}: must be one row of numbers")
    return np.ravel(array(value, what, shape))


def without_ones(shape: Sequence[int]) -> list[int]:
    """The lengths of the axes that are longer than 1, or empty."""
    return [length for length in shape if length != 1]


def compare_numbers(value: Any, right: Any, what: str, mistakes: Sequence[Mistake] = ()) -> None:
    """As `compare`, with axes as in `numbers`, and the rounding of float32."""
    # An iterator can be read once only, and is needed twice where the shape is wrong.
    if isinstance(value, Iterator):
        value = list(value)
    # -0 reads badly, and is 0 once 0 is added.
    right = np.asarray(right) + 0.0
    try:
        found = numbers(value, what, right.shape) + 0.0
    except WrongShape:
        found = value
    compare(found, right, what, mistakes, ROUNDING)


def parts(value: Any, count: int, what: str) -> tuple[Any, ...]:
    """The value as so many parts, of a tuple, list or array; raises `Wrong` for others."""
    if value is None:
        raise Wrong(f"{what} is None: is there a return?")
    try:
        found = tuple(value)
    except TypeError:
        raise Wrong(f"{what} is {shown(value)}: must be {count} values") from None
    if len(found) != count:
        raise Wrong(f"{what} has {len(found)} parts: must be {count} values")
    return found
