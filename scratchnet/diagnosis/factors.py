"""A factor equal to an input, the output, one over an input or a function of those: too many?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.diagnosis.mistakes import (
    columns_of,
    constant_between,
    constant_name,
    reaches,
    rows_of,
    spread,
    this_first,
)
from scratchnet.diagnosis.subjects import Fault
from scratchnet.diagnosis.trials import TOLERANCE, Found, Trial, Trials


@dataclass(frozen=True)
class Factor:
    """Numbers u by which rows of a matrix (entries of x) or columns (of y) may be multiplied."""

    number: int | None
    """Of the input that it equals; None for the output."""
    name: str
    values: Callable[[Trial], Any]


def factors(trials: Trials, constant: bool = False) -> Found:
    """got = u right, or got u = right, for u an input or the output.

    A factor u that is too many is a factor 1/u that is missing, and the reverse: of the two names
    that an input has, the likelier comes first. With `constant`, times any constant.
    """
    if not all(t.has_right_shape for t in trials):
        return
    for factor in known_factors(trials[0]):
        for is_extra in (True, False):
            c = _fits(trials, factor, is_extra, constant)
            if c is None:
                continue
            if factor.number is None:
                yield "factor of the output", _sentence(factor.name, is_extra, c, trials[0])
                continue
            plain = "factor of an input", _sentence(factor.name, is_extra, c, trials[0])
            inverse = f"1/{factor.name}"
            over = "factor of 1/x", _sentence(inverse, not is_extra, c, trials[0])
            yield from (over, plain) if has_negative_power(trials[0], factor) else (plain, over)


def _sentence(name: str, is_extra: bool, c: float, t: Trial) -> str:
    """The sentence about a factor, and about the constant c beside it."""
    ending = "is too many" if is_extra else "is missing"
    if np.isclose(c, 1):
        return f"a factor of {name} {ending}"
    size, where = constant_name(abs(c), t)
    sign = "-" if c < 0 else ""
    return f"a factor of {name} {ending}, and one of {sign}{size} is too many{where}"


def known_factors(t: Trial) -> Iterator[Factor]:
    """The inputs, that of x first, and the output, beside the entries of x or those of y."""
    for j in this_first(t):
        if reaches(t.inputs[j], t.x.shape):
            yield Factor(j, _name(t, j), rows_of(j))
        if reaches(t.inputs[j], t.y.shape) and t.y.size > 1:
            yield Factor(j, _name(t, j), columns_of(j))
    if reaches(t.y, t.x.shape):
        yield Factor(None, "y", lambda t: spread(t.y, t.x.shape)[:, None])
    yield Factor(None, "y", lambda t: t.y.ravel()[None, :])


def _name(t: Trial, number: int) -> str:
    """What a sentence calls an input: x where it is the only one."""
    return "x" if len(t.inputs) == 1 else f"(input {number})"


FUNCTIONS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("{}^2", np.square),
    ("(1 - {})", lambda u: 1 - u),
    ("(1 + {})", lambda u: 1 + u),
    ("(1 - {}^2)", lambda u: 1 - u * u),
    ("(1 + {}^2)", lambda u: 1 + u * u),
    ("{0} (1 - {0})", lambda u: u * (1 - u)),
    ("|{}|", np.abs),
    ("exp {}", lambda u: np.exp(np.clip(u, -50, 50))),
)
STATISTICS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("standard deviation", np.std),
    ("variance", np.var),
    ("sum", np.sum),
    ("norm", lambda u, axis, keepdims: np.sqrt(np.sum(u * u, axis, keepdims=keepdims))),
)


def functions_as_factors(trials: Trials) -> Found:
    """As `factors`, for a function of an input or of the output, or a statistic of an input."""
    if not all(t.has_right_shape for t in trials):
        return
    for factor, tolerance in _functions(trials[0]):
        for is_extra in (True, False):
            if _fits(trials, factor, is_extra, False, tolerance):
                kind = "the output" if factor.number is None else "an input"
                yield f"factor of {kind}", _sentence(factor.name, is_extra, 1.0, trials[0])
                return


def _functions(t: Trial) -> Iterator[tuple[Factor, float]]:
    """Factors, and how well each must fit: a small number may be added to a variance."""
    for factor in known_factors(t):
        for name, function in FUNCTIONS:

            def made(t: Trial, of: Any = factor.values, function: Any = function) -> Any:
                return function(of(t))

            yield Factor(factor.number, name.format(factor.name), made), TOLERANCE
    for j in this_first(t):
        for axis, (name, function) in itertools.product(range(t.inputs[j].ndim), STATISTICS):

            def rows(t: Trial, j: int = j, axis: int = axis, function: Any = function) -> Any:
                return spread(function(t.inputs[j], axis, keepdims=True), t.x.shape)[:, None]

            if reaches(t.inputs[j].take([0], axis), t.x.shape):
                yield Factor(j, f"the {name} of {_name(t, j)} over axis {axis}", rows), 1e-3


def _fits(
    trials: Trials, factor: Factor, is_extra: bool, constant: bool, tolerance: float = TOLERANCE
) -> float | None:
    """The constant with which the factor explains all trials (1 unless `constant`), or None."""

    def pair(t: Trial) -> tuple[Any, Any]:
        u = factor.values(t)
        return (t.got, t.right * u) if is_extra else (t.got * u, t.right)

    if constant:
        return constant_between(trials, pair)
    return 1.0 if all(t.agrees(*pair(t), tolerance) for t in trials) else None


def has_negative_power(t: Trial, factor: Factor) -> bool:
    """Whether the right matrix is proportional to a negative power of the input."""
    changed = [*t.inputs]
    changed[factor.number or 0] = 1.1 * t.inputs[factor.number or 0]
    try:
        right, _ = t.truth(changed)
    except Fault:
        return False
    used = np.abs(t.right) > 1e-6 * np.abs(t.right).max(initial=0.0)
    with np.errstate(all="ignore"):
        powers = np.log(right[used] / t.right[used]) / np.log(1.1)
    return bool(powers.size and np.ptp(powers) < 1e-3 and powers.mean() < -1e-3)
