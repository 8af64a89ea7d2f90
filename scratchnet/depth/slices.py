"""Lines and planes through the input space: where regions are counted.

A network with hundreds of inputs has regions that cannot be listed, or drawn. Along a line, or in
a rectangle on a plane, they can. Every point of a slice is `origin + coordinates @ directions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError

# Two vectors whose sine is below this do not span a plane that float64 can work in.
SMALLEST_SINE = 1e-9


@dataclass(frozen=True)
class Line:
    """The points `origin + t direction`, with t in `interval`.

    Raises `InputError` for vectors of different lengths, numbers that are not finite, a zero
    direction, or an interval that does not go upwards.
    """

    origin: Sequence[float] | np.ndarray
    direction: Sequence[float] | np.ndarray
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        origin = _vector("origin", self.origin)
        direction = _vector("direction", self.direction, len(origin))
        if not direction.any():
            raise InputError("direction of a line is zero: must be any other vector")
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "interval", _interval("interval of a line", self.interval))

    @property
    def directions(self) -> np.ndarray:
        """(1, dimensions)"""
        return np.stack([self.direction])

    def grid(self, resolution: int) -> np.ndarray:
        """(resolution, 1): values of t in the middle of that many equal parts of the interval."""
        return _middles(self.interval, resolution)[:, None]


@dataclass(frozen=True)
class Plane:
    """The points `origin + s first + t second`, with (s, t) in the rectangle `window`.

    `window` is ((lowest s, highest s), (lowest t, highest t)). The defaults are the square
    [-1, 1]^2 of a network with two inputs. Lengths and areas are those of (s, t): they are the
    input space's own where `first` and `second` are orthonormal.

    Raises `InputError` for vectors of different lengths, numbers that are not finite, vectors that
    are zero or parallel, or a window without area.
    """

    origin: Sequence[float] | np.ndarray = (0.0, 0.0)
    first: Sequence[float] | np.ndarray = (1.0, 0.0)
    second: Sequence[float] | np.ndarray = (0.0, 1.0)
    window: tuple[tuple[float, float], tuple[float, float]] = ((-1.0, 1.0), (-1.0, 1.0))

    def __post_init__(self) -> None:
        origin = _vector("origin", self.origin)
        first = _vector("first direction", self.first, len(origin))
        second = _vector("second direction", self.second, len(origin))
        for name, direction in (("first", first), ("second", second)):
            if not direction.any():
                raise InputError(f"{name} direction of a plane is zero: it spans no plane")
        units = np.stack([each / np.linalg.norm(each) for each in (first, second)])
        if len(origin) == 1 or np.linalg.svd(units, compute_uv=False)[1] < SMALLEST_SINE:
            raise InputError("the two directions of a plane are parallel: they span no plane")
        if np.shape(self.window) != (2, 2):
            raise InputError(
                f"window {self.window!r}: must be ((low, high), (low, high)), one pair for "
                "each direction"
            )
        sides = tuple(_interval("side of a window", side) for side in self.window)
        for name, value in zip(
            ("origin", "first", "second", "window"), (origin, first, second, sides), strict=True
        ):
            object.__setattr__(self, name, value)

    @property
    def directions(self) -> np.ndarray:
        """(2, dimensions)"""
        return np.stack([self.first, self.second])

    @property
    def area(self) -> float:
        """The window's area."""
        (left, right), (bottom, top) = self.window
        return (right - left) * (top - bottom)

    def corners(self) -> np.ndarray:
        """(4, 2): the window's corners, counter-clockwise from the lowest."""
        (left, right), (bottom, top) = self.window
        return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])

    def grid(self, resolution: int) -> np.ndarray:
        """(resolution^2, 2): the middles of that many equal cells; the first coordinate moves
        fastest, so that `reshape(resolution, resolution)` has a row for each second one."""
        s, t = (_middles(side, resolution) for side in self.window)
        return np.stack(np.meshgrid(s, t), axis=-1).reshape(-1, 2)


Slice = Line | Plane


def points(where: Slice, coordinates: Any) -> np.ndarray:
    """Points of the input space (N, dimensions) from coordinates (N, 1) or (N, 2) in a slice."""
    return np.asarray(where.origin) + np.asarray(coordinates, float) @ where.directions


def _vector(name: str, values: Any, length: int | None = None) -> np.ndarray:
    """`values` as a float64 vector of its own."""
    try:
        vector = np.array(values, float)
    except (TypeError, ValueError):
        raise InputError(f"{name} of a slice is {values!r}: must be a vector") from None
    if vector.ndim != 1 or len(vector) == 0:
        raise InputError(f"{name} of a slice has shape {vector.shape}: must be a vector")
    if length is not None and len(vector) != length:
        raise InputError(
            f"{name} of a slice has {len(vector)} entries, its origin has {length}: they must agree"
        )
    if not np.isfinite(vector).all():
        raise InputError(f"{name} of a slice holds numbers that are not finite")
    vector.flags.writeable = False
    return vector


def _interval(name: str, values: Any) -> tuple[float, float]:
    """(low, high) as floats; `InputError` unless both are finite and low < high."""
    try:
        low, high = (float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {values!r}: must be (low, high)") from None
    if not (np.isfinite(high - low) and low < high):
        raise InputError(f"{name} is ({low:g}, {high:g}): must be finite with low < high")
    return low, high


def _middles(interval: tuple[float, float], parts: int) -> np.ndarray:
    """The middles of so many equal parts of the interval."""
    low, high = interval
    return low + (high - low) * (np.arange(parts) + 0.5) / parts
