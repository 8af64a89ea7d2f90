"""What a check raises, and the comparisons that checks are written with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from scratchnet.files import one_line

Mistake = tuple[str, Any]
"""A sentence, and the numbers that code with this mistake gives."""


searching: ContextVar[bool] = ContextVar("whether solutions with slips are checked", default=False)
"""Then a check gives the numbers alone: it need not look for reasons."""


class Wrong(Exception):
    """One sentence: what is wrong with the learner's code, with the numbers of one entry."""

    is_named = True
    """Whether it gives a reason."""


class WrongShape(Wrong):
    """Another shape than the right one, for which a reason is still to be found."""

    is_named = False


class WrongNumbers(Wrong):
    """Other numbers than the right ones, for which a reason is still to be found."""

    is_named = False

    def __init__(self, sentence: str, numbers: Any = ()) -> None:
        super().__init__(sentence)
        self.numbers = tuple(np.ravel(np.asarray(numbers, np.float64)).tolist())


def number(value: Any, what: str) -> float:
    """The value as a float; an array of one entry is a number too. Raises `Wrong` for others."""
    return float(array(value, what, None).reshape(()))


def array(value: Any, what: str, shape: Sequence[int] | None = ()) -> Any:
    """The value as a float64 array of that shape; None stands for any one number.

    Lists and scalars are taken as arrays. Raises `Wrong` for anything else, and another shape.
    """
    wanted = "a number" if shape in (None, ()) else f"numbers of shape {tuple(shape or ())}"
    found = read(value, what, wanted)
    if shape is None and found.size == 1:
        return found
    if shape is None or found.shape != tuple(shape):
        raise WrongShape(f"{what} has shape {found.shape}: must be {wanted}")
    return found


def read(value: Any, what: str, wanted: str) -> Any:
    """The value as a float64 array of whatever shape; raises `Wrong` for what is none."""
    if value is None:
        raise Wrong(f"{what} is None: is there a return?")
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "fiub":
            raise ValueError
    except Exception:  # a list that is ragged, or an object's own __array__
        raise Wrong(f"{what} is {shown(value)}: must be {wanted}") from None
    return found.astype(np.float64)


def compare(
    found: Any,
    right: Any,
    what: str,
    mistakes: Sequence[Mistake] = (),
    tolerance: float = 1e-5,
) -> None:
    """Raise `Wrong` unless `found` is `right`, entry by entry, within `tolerance` of the largest.

    The tolerance lets float32 pass.
    `mistakes` are looked through first: where the numbers of one fit, its sentence is the reason.
    They may have another shape than the right ones.
    A mistake whose numbers equal the right ones explains nothing, and is passed over.
    """
    right = np.asarray(right, np.float64)
    try:
        found = array(found, what, right.shape)
    except WrongShape as wrong:
        given = read(found, what, "numbers")
        for sentence, numbers in mistakes:
            numbers = np.asarray(numbers, np.float64)
            if numbers.shape == given.shape and is_close(given, numbers, tolerance):
                raise Wrong(f"{wrong}: {sentence}") from None
        raise
    if is_close(found, right, tolerance):
        return
    with np.errstate(invalid="ignore"):
        gap = np.nan_to_num(np.abs(found - right), nan=np.inf)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(gap), gap.shape))
    place = f" at entry {worst[0] if len(worst) == 1 else worst}" if worst else ""
    said = f"{what}{place} is {found[worst]:.6g}, must be {right[worst]:.6g}"
    for sentence, numbers in mistakes:
        numbers = np.asarray(numbers, np.float64)
        if numbers.shape == right.shape and is_close(found, numbers, tolerance):
            raise Wrong(f"{said}: {sentence}")
    if np.isnan(found[worst]):
        raise Wrong(f"{said}: 0 / 0, infinity - infinity, or a root or logarithm below 0")
    if not found.any():
        raise Wrong(f"{said}: everything is 0")
    raise WrongNumbers(said, found)


def is_close(found: Any, right: Any, tolerance: float = 1e-5) -> bool:
    """Whether all entries agree, within `tolerance` of the largest entry of `right`; NaN as NaN."""
    size = np.abs(right[np.isfinite(right)]).max(initial=0.0) or 1.0
    return bool(np.allclose(found, right, rtol=tolerance, atol=tolerance * size, equal_nan=True))


def shown(value: Any) -> str:
    """The value in a few words."""
    return one_line(re.sub(r"np\.\w+\(([^()]*)\)", r"\1", repr(value)), 60)
