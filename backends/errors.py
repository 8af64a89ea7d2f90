"""One line for bad input: the thing, the value, and what it must be."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

Value = TypeVar("Value")


class InputError(ValueError):
    """What the caller gave cannot be used. The message is one line that a person can act on."""


class DeviceMemoryError(InputError):
    """An array did not fit into the device's memory; what was computed before is still there."""


MOST_NAMES = 100
"""That a message lists."""


def nearest_name(name: str, known: Mapping[str, object]) -> str:
    """A hint such as ``; did you mean 'relu'?``, or nothing where no known name is near."""
    import difflib

    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    return f"; did you mean '{lower[near[0]]}'?" if near else ""


def choose(kind: str, name: str, table: Mapping[str, Value]) -> Value:
    """`table[name]`, or an `InputError` that lists what exists and the nearest name."""
    if isinstance(name, str) and name in table:
        return table[name]
    hint = nearest_name(name, table) if isinstance(name, str) else ""
    names = list(table)
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    known = ", ".join(names[:MOST_NAMES])
    raise InputError(f"unknown {kind} {name!r}: known are {known}{more}{hint}")


def whole_number(
    what: str, value: Any, lowest: int = 0, highest: int | None = None, why: str = ""
) -> int:
    """`value` as an int, or `InputError` where it is no whole number from `lowest` to `highest`."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < lowest or (highest is not None and value > highest):
        limit = "" if highest is None else f" to {highest}"
        reason = f" ({why})" if why else ""
        raise InputError(
            f"{what} is {value!r}: must be a whole number from {lowest}{limit}{reason}"
        )
    return int(value)


def positive_whole(what: str, value: Any) -> int:
    """`value` as an int, or `InputError` where it is not a whole number of at least 1."""
    return whole_number(what, value, 1)


def nonnegative(what: str, value: float) -> float:
    """`value` as a float, or `InputError` where it is negative or not finite."""
    if not isinstance(value, Real) or not 0 <= value < float("inf"):
        raise InputError(f"{what} is {value!r}: must be a finite number from 0")
    return float(value)


def fraction(what: str, value: float) -> float:
    """`value` as a float, or `InputError` where it is not in [0, 1)."""
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise InputError(f"{what} is {value!r}: must be a number from 0 to below 1")
    return float(value)
