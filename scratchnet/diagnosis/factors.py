"""A factor equal to an input, to the output, or to one over an input, missing or too many."""

from __future__ import annotations

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
from scratchnet.diagnosis.trials import Found, Trial, Trials


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
    for factor in _factors(trials[0]):
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
    ending = "is too many" if is_extra else "is missing"
    if np.isclose(c, 1):
        return f"a factor of {name} {ending}"
    size, where = constant_name(abs(c), t)
    sign = "-" if c < 0 else ""
    return f"a factor of {name} {ending}, and one of {sign}{size} is too many{where}"


def _factors(t: Trial) -> Iterator[Factor]:
    for j in this_first(t):
        name = "x" if len(t.inputs) == 1 else f"(input {j})"
        if reaches(t.inputs[j], t.x.shape):
            yield Factor(j, name, rows_of(j))
        if reaches(t.inputs[j], t.y.shape) and t.y.size > 1:
            yield Factor(j, name, columns_of(j))
    if reaches(t.y, t.x.shape):
        yield Factor(None, "y", lambda t: spread(t.y, t.x.shape)[:, None])
    yield Factor(None, "y", lambda t: t.y.ravel()[None, :])


def _fits(trials: Trials, factor: Factor, is_extra: bool, constant: bool) -> float | None:
    def pair(t: Trial) -> tuple[Any, Any]:
        u = factor.values(t)
        return (t.got, t.right * u) if is_extra else (t.got * u, t.right)

    if constant:
        return constant_between(trials, pair)
    return 1.0 if all(t.agrees(*pair(t)) for t in trials) else None


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
