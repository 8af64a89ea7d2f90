"""Points at which a gradient is tried: inputs of distinct sizes, and all derivatives there.

A pullback is linear in dL/dy, so at one point it is a matrix: column j is what it gives where
dL/dy is 1 at entry j of y and 0 elsewhere. The right one is J^T, for the derivatives J[j, i] =
dy_j / dx_i. Mistakes are told apart by comparing the two matrices, at several points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scratchnet.diagnosis.subjects import Fault, Pull, Subject

DRAWN = 3
"""Points, at each of which an explanation must fit."""
SIZES = (3, 5, 4, 6, 7)
"""Of the last axis, the one before it, and so on: neither 1 nor 2, and all distinct."""
LARGEST = 300
"""Entries of an input and of the output together, for which derivatives are taken."""
TOLERANCE = 1e-6

Truth = Callable[[Sequence[Any]], tuple[Any, Any]]
"""Inputs -> the right matrix, (entries of x, entries of y), and by how much it may be wrong."""


@dataclass(frozen=True)
class Trial:
    """One point, one of the inputs, and both matrices there.

    `got` is (entries of the gradient, entries of y) for a gradient of shape `got_shape`, and
    `error` says by how much `right` may be wrong: infinity at a kink, where nothing is known.
    """

    inputs: tuple[Any, ...]
    argument: int
    y: Any
    right: Any
    error: Any
    got: Any
    got_shape: tuple[int, ...]
    truth: Truth
    dy: Any
    pulled: Any
    """What the pullback gives for dy."""
    pulled_again: Any
    """What it gives for dL/dy = 2 dy + 1."""

    @property
    def x(self) -> Any:
        """The input in question."""
        return self.inputs[self.argument]

    @property
    def expected(self) -> Any:
        """The right gradient for dy."""
        return (self.right @ self.dy.ravel()).reshape(self.x.shape)

    @property
    def rounding(self) -> float:
        """What a pullback's rounding may leave of a slope that cancels, as softmax's where y = 1.

        Its terms are of an order of y, or of y / x.
        """
        size = float(np.abs(self.x).max(initial=0.0)) or 1.0
        return float(64 * np.finfo(float).eps * np.abs(self.y).max(initial=0.0) / min(1.0, size))

    @property
    def has_right_shape(self) -> bool:
        """Whether the gradient has its input's shape."""
        return self.got_shape == self.x.shape

    @property
    def keeps_shape(self) -> bool:
        """Whether input, output and gradient have one shape."""
        return self.x.shape == self.y.shape == self.got_shape

    def agrees(self, a: Any, b: Any, tolerance: float = TOLERANCE) -> bool:
        """Whether two matrices are equal where the right one is known."""
        return bool(np.all(self.equal(a, b, tolerance)))

    def equal(self, a: Any, b: Any, tolerance: float = TOLERANCE) -> Any:
        """Where two matrices are equal, or the right one is not known."""
        if np.shape(a) != np.shape(b):
            return np.array(False)
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(a), np.abs(b))
            largest = np.max(size, initial=0.0, where=np.isfinite(size))
            allowed = tolerance * size + 1e-3 * tolerance * largest
            if np.shape(a) == self.error.shape:
                allowed = allowed + 10 * self.error + self.rounding
            return np.abs(np.subtract(a, b)) <= allowed

    @property
    def is_right(self) -> bool:
        """Whether the gradient is right at this point, where that is known."""
        return self.has_right_shape and self.agrees(self.got, self.right)


Trials = Sequence[Trial]
Found = Iterator[tuple[str | None, str]]
"""Names from `MISTAKES`, or None, each with a sentence about this gradient."""


def trials_at(
    subject: Subject,
    reference: Subject | None,
    inputs: Sequence[Any],
    wanted: Sequence[int],
    rng: Any,
) -> list[Trial]:
    """Both matrices at one point, for each of the inputs that is wanted.

    Raises `Fault` where the function or its pullback has one.
    """
    y, pull = subject.at(inputs)
    dy = np.where(rng.random(y.shape) < 0.5, -1, 1) * rng.uniform(0.5, 1.5, y.shape)
    pulled, again = pull(dy), pull(2 * dy + 1)
    got = _matrices(y, pull, wanted)
    right = None if reference is None else _matrices(*reference.at(inputs), wanted)
    trials = []
    for place, argument in enumerate(wanted):
        shape = pulled[argument].shape
        if reference is None or right is None:
            truth = by_differences(subject, argument)
            known = truth(inputs)
        else:
            truth = by_reference(reference, argument)
            known = right[place], np.zeros(right[place].shape)
        if len(got[place]) != pulled[argument].size or len(known[0]) != np.size(inputs[argument]):
            raise Fault("the shape of the gradient depends on the values of the incoming gradient")
        trials.append(
            Trial(
                *(tuple(inputs), argument, y, *known, got[place], shape, truth, dy),
                *(pulled[argument], again[argument]),
            )
        )
    return trials


def _matrices(y: Any, pull: Pull, wanted: Sequence[int]) -> list[Any]:
    """For each wanted input the matrix (entries of the gradient, entries of y)."""
    columns: list[list[Any]] = [[] for _ in wanted]
    for j in range(y.size):
        one = np.zeros(y.size)
        one[j] = 1.0
        gradients = pull(one.reshape(y.shape))
        for column, argument in zip(columns, wanted, strict=True):
            column.append(np.ravel(gradients[argument]))
    if any(len({each.size for each in column}) > 1 for column in columns):
        raise Fault("the shape of the gradient depends on the values of the incoming gradient")
    return [np.array(column, "float64").T.reshape(-1, y.size) for column in columns]


# The right derivatives.


def by_reference(reference: Subject, argument: int) -> Truth:
    """The right matrix from a pullback that is right."""

    def truth(inputs: Sequence[Any]) -> tuple[Any, Any]:
        (right,) = _matrices(*reference.at(inputs), [argument])
        return right, np.zeros(right.shape)

    return truth


def by_differences(subject: Subject, argument: int) -> Truth:
    """The right matrix from differences of the function, for every entry of x and of y at once.

    D(h) = (f(x + h) - f(x - h)) / 2h with the steps h, h/2 and h/4 gives, extrapolated twice, an
    error of an order of h^6 (Richardson), which the two last extrapolations estimate. Where it is
    large, or a much smaller step gives another slope, as where h spans periods of a sine, h is made
    smaller; where it stays large, at a kink or a jump or in rounding, it is infinite.
    """

    def truth(inputs: Sequence[Any]) -> tuple[Any, Any]:
        """The Jacobian (x.size, y.size) by differences, and its errors, infinite where unknown."""
        x = np.array(inputs[argument], "float64")
        y = subject.value(inputs)
        rows, errors = [], []
        relative = 1e-2 * 20.0 ** -np.arange(4)
        noises: list[Any] = []

        def at(place: Any, h: float) -> Any:
            """The values where one entry of x is moved by h."""
            moved = x.copy()
            moved[place] += h
            changed = [*inputs[:argument], moved, *inputs[argument + 1 :]]
            return np.ravel(subject.value(changed))

        for place in np.ndindex(*x.shape):
            best, smallest = np.zeros(y.size), np.full(y.size, np.inf)
            for number, h in enumerate(relative * max(abs(float(x[place])), 0.1)):
                if number == len(noises):
                    noise = noise_near(subject, inputs, argument, relative[number])
                    # Where a step is too small to change a rounded value, there seems to be none.
                    noises.append(np.where(noise == 0, noises[-1], noise) if noises else noise)
                slope, error = _extrapolated(partial(at, place), h, np.ravel(y), noises[number])
                best = np.where(error < smallest, slope, best)
                smallest = np.fmin(smallest, error)
                if np.all(smallest <= 1e-9 * np.max(np.abs(best), initial=1e-300)):
                    break
            rows.append(best)
            errors.append(smallest)
        shape = (x.size, y.size)
        slopes, error = np.array(rows).reshape(shape), np.array(errors).reshape(shape)
        size = np.abs(slopes)
        is_unknown = error > 1e-5 * size.max(axis=1, keepdims=True, initial=0.0)
        # Beside the largest slope even an unknown one may be known to be next to nothing.
        is_tiny = np.fmax(error, size) <= 1e-5 * size.max(initial=0.0)
        error[is_unknown & is_tiny] = np.fmax(error, size)[is_unknown & is_tiny]
        error[is_unknown & ~is_tiny] = np.inf
        return slopes, error

    return truth


def noise_near(subject: Subject, inputs: Sequence[Any], argument: int, step: float) -> Any:
    """By how much rounding changes each output: what cancels inside leaves more than outputs show.

    Sixth differences of outputs at ten points, eighths of a step apart, leave nothing of a smooth
    curve, and of numbers with a standard deviation s one of s sqrt(924) (More and Wild, "Estimating
    computational noise", 2011). On the two sides of x each for itself: a kink at x is none. The
    distances are three, as at a multiple of the rounding unit, or of a period, one shows nothing.
    """
    x = np.array(inputs[argument], "float64")
    signs = np.random.default_rng(0).choice([-1.0, 1.0], x.shape)
    noise = np.array(0.0)
    for eighth in (1 / 8, 0.618 / 8, 0.707 / 8):
        move = eighth * step * signs * np.maximum(np.abs(x), 0.1)
        found = []
        for side in (move, -move):
            moved = [x + k * side for k in range(1, 11)]
            changed = [[*inputs[:argument], each, *inputs[argument + 1 :]] for each in moved]
            values = [np.ravel(subject.value(each)) for each in changed]
            if len({each.size for each in values}) > 1:
                raise Fault(
                    "the shape of the function's result depends on the values of its inputs"
                )
            found.append(np.abs(np.diff(values, 6, axis=0)).max(axis=0) / math.sqrt(924))
        noise = np.fmax(noise, np.nan_to_num(np.fmin(*found), nan=0.0, posinf=0.0))
    return noise


def _extrapolated(at: Callable[[float], Any], h: float, middle: Any, noise: Any) -> tuple[Any, Any]:
    """The slopes of all outputs, and by how much each may be wrong."""
    with np.errstate(all="ignore"):
        pairs = [(at(step), at(-step), step) for step in (h, h / 2, h / 4)]
        if any(right.shape != middle.shape for right, _, _ in pairs):
            raise Fault("the shape of the function's result depends on the values of its inputs")
        a, b, c = [(right - left) / (2 * step) for right, left, step in pairs]
        first, second = b + (b - a) / 3, c + (c - b) / 3
        slope = second + (second - first) / 15
        size = np.maximum(np.abs(pairs[0][0]), np.abs(pairs[0][1]))
        rounding = 16 * np.fmax(np.finfo(float).eps * size, noise) / h
        # The sides of a kink differ by a multiple of h, those of a smooth curve by one of h^2.
        bends = [right + left - 2 * middle for right, left, _ in pairs]
        kink = np.abs(bends[2] - bends[1] / 4) / h
        error = np.abs(slope - second) / 4 + rounding + kink * 1e-3
        kinked = kink > 0.02 * np.abs(slope) + 4 * rounding
        error = np.where(kinked, np.fmax(error, np.abs(slope)), error)
        # Not a power of 2 times smaller: a period might divide both.
        small = h / 43
        again = (at(small) - at(-small)) / (2 * small)
        differs = np.abs(again - slope) > 0.01 * np.fmax(abs(again), abs(slope)) + 43 * rounding
        error = np.where(differs | (noise > 0.01 * size), np.inf, error)
    return np.nan_to_num(slope), np.where(np.isfinite(slope), error, np.inf)


# Inputs.


def drawn_points(
    given: Sequence[Any],
    shapes: Sequence[tuple[int, ...]],
    rng: Any,
    usable: Callable[[Sequence[Any]], bool],
) -> list[tuple[Any, ...]]:
    """Points with inputs of these shapes, and values like those given; none if one is not usable.

    `DRAWN` of them, and more where there is but one number at each.
    """
    count = DRAWN if max(map(np.size, given)) > 3 else 4 * DRAWN
    points = []
    for _ in range(count):
        drawn = tuple(_values(x, s, rng) for x, s in zip(given, shapes, strict=True))
        if not usable(drawn):
            return []
        points.append(drawn)
    return points


def nearby_points(
    given: Sequence[Any], rng: Any, usable: Callable[[Sequence[Any]], bool]
) -> list[tuple[Any, ...]]:
    """Points within a fifth of those given, where the function has no value at others."""
    near = [
        tuple(np.array(x * rng.uniform(0.8, 1.2, np.shape(x))) for x in given)
        for _ in range(4 * DRAWN)
    ]
    return [point for point in near if usable(point)][:DRAWN] or [tuple(given)]


def telling_shapes(given: Sequence[Any]) -> Iterator[list[tuple[int, ...]]]:
    """Shapes to try in place of those given; none where those tell enough."""
    shapes = [np.shape(x) for x in given]
    if all(_is_telling(shape, shapes) for shape in shapes):
        return
    deep = max(map(len, shapes))
    stretched = [
        any(s[-1 - i] > 1 for s in shapes if len(s) > i) and len(shapes) > 1 for i in range(deep)
    ]

    def aligned(shape: tuple[int, ...]) -> tuple[int, ...]:
        """Axes counted from the last; of size 1 where others stretch it."""
        return tuple(
            1 if n == 1 and stretched[i] else SIZES[i % len(SIZES)]
            for i, n in reversed(list(enumerate(reversed(shape))))
        )

    yield [aligned(shape) for shape in shapes]
    if len(shapes) >= 2 and len(shapes[0]) == len(shapes[1]) == 2:
        # Those of a product (n, k) (k, m), with a bias (m,) or (n, m) behind it.
        rest = [(5, 3)[2 - len(s) :] if len(s) <= 2 else s for s in shapes[2:]]
        yield [(5, 4), (4, 3), *rest]
    sizes = sorted({n for shape in shapes for n in shape if n > 1})
    new = dict(zip(sizes, itertools.cycle(SIZES), strict=False))
    yield [tuple(new.get(n, n) for n in shape) for shape in shapes]


def _is_telling(shape: tuple[int, ...], others: Sequence[tuple[int, ...]]) -> bool:
    """All axes distinct, none of size 2, and 1 only beside a larger one; not too many entries."""
    is_distinct = len(set(shape)) == len(shape) and 2 not in shape and 0 not in shape
    return is_distinct and (1 not in shape or len(others) > 1) and math.prod(shape) <= 60


def _values(given: Any, shape: tuple[int, ...], rng: Any) -> Any:
    """Numbers from the range of those given, of both signs where those are.

    Where those add up to 1, as probabilities and one-hot targets do, these do so along that axis.
    """
    if not np.size(given):
        return np.array(rng.standard_normal(shape))
    # The width of the range must be finite.
    low, high = (float(np.clip(each(given), -1e300, 1e300)) for each in (np.min, np.max))
    if low == high == 0:
        low, high = -1.0, 1.0
    elif low == high:
        low, high = sorted((0.6 * low, 1.4 * high))
    for _ in range(20):
        drawn = np.array(rng.uniform(low, high, shape))
        if low >= 0 or high <= 0 or drawn.size < 2 or drawn.min() < 0 < drawn.max():
            break
    for axis in range(-1, -len(shape) - 1, -1):
        if low >= 0 and np.shape(given)[axis] > 1 and np.allclose(np.sum(given, axis), 1):
            return drawn / drawn.sum(axis, keepdims=True)
    return drawn
