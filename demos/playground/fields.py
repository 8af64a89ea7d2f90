"""Fields of JSON objects: each has a kind, a range or choices, and a default.

From these follow the page's controls (`described`) and the sentence about a bad value (`check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scratchnet.backends.errors import InputError, nearest_name

LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`; or null, where that is allowed."""

    default: int | None
    low: int
    high: int
    optional: bool = False

    def check(self, name: str, value: Any) -> int | None:
        """The value as an int, or None. Raises `InputError` for any other, by name."""
        if value is None and self.optional:
            return None
        # A number that JavaScript has computed may be 3.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(whole) is not int or not self.low <= whole <= self.high:
            null = ", or null" if self.optional else ""
            raise InputError(
                f"{name} is {shown(value)}: must be a whole number from {self.low} to "
                f"{self.high}{null}"
            )
        return whole

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "whole", **_plain(self)}


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; or null, where that is allowed."""

    default: float | None
    low: float
    high: float
    optional: bool = False

    def check(self, name: str, value: Any) -> float | None:
        """The value as a float, or None. Raises `InputError` for any other, by name."""
        if value is None and self.optional:
            return None
        if type(value) not in (int, float) or not self.low <= value <= self.high:
            null = ", or null" if self.optional else ""
            raise InputError(
                f"{name} is {shown(value)}: must be a number from {self.low:g} to "
                f"{self.high:g}{null}"
            )
        return float(value)

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "number", **_plain(self)}


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    default: str
    choices: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        """The value. Raises `InputError` for any other, by name."""
        if not isinstance(value, str) or value not in self.choices:
            hint = nearest_name(value, dict.fromkeys(self.choices)) if type(value) is str else ""
            raise InputError(
                f"{name} is {shown(value)}: must be one of {', '.join(self.choices)}{hint}"
            )
        return value

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "choice", **_plain(self)}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool

    def check(self, name: str, value: Any) -> bool:
        """The value. Raises `InputError` for any other, by name."""
        if not isinstance(value, bool):
            raise InputError(f"{name} is {shown(value)}: must be true or false")
        return value

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "flag", **_plain(self)}


@dataclass(frozen=True)
class Text:
    """A text of at most so many characters."""

    default: str
    longest: int

    def check(self, name: str, value: Any) -> str:
        """The value. Raises `InputError` for any other, by name."""
        if not isinstance(value, str):
            raise InputError(f"{name} is {shown(value)}: must be a text")
        if len(value) > self.longest:
            raise InputError(
                f"{name} has {len(value)} characters: must have at most {self.longest}"
            )
        return value

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "text", **_plain(self)}


@dataclass(frozen=True)
class Many:
    """A list of at most so many entries, each of one kind."""

    default: tuple[Any, ...]
    entry: Whole | Number | Text
    most: int

    def check(self, name: str, value: Any) -> tuple[Any, ...]:
        """The entries, each checked. Raises `InputError` for any other, by name."""
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{name} is {shown(value)}: must be a list")
        if len(value) > self.most:
            raise InputError(f"{name} has {len(value)} entries: must have at most {self.most}")
        return tuple(self.entry.check(f"{name}[{i}]", each) for i, each in enumerate(value))

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {
            "kind": "list",
            "default": list(self.default),
            "most": self.most,
            "entry": self.entry.described(),
        }


@dataclass(frozen=True)
class Points:
    """A list of at most so many points [x, y, class]."""

    default: tuple[tuple[float, float, int], ...]
    most: int
    limit: float
    classes: int

    def check(self, name: str, value: Any) -> tuple[tuple[float, float, int], ...]:
        """The points (x, y, class). Raises `InputError` for any other, by name."""
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{name} is {shown(value)}: must be a list of points [x, y, class]")
        if len(value) > self.most:
            raise InputError(f"{name} has {len(value)} points: must have at most {self.most}")
        coordinate = Number(0.0, -self.limit, self.limit)
        label = Whole(0, 0, self.classes - 1)
        points = []
        for i, each in enumerate(value):
            if not isinstance(each, (list, tuple)) or len(each) != 3:
                raise InputError(f"{name}[{i}] is {shown(each)}: must be [x, y, class]")
            x, y = (coordinate.check(f"{name}[{i}]", number) for number in each[:2])
            number = label.check(f"the class of {name}[{i}]", each[2])
            assert x is not None and y is not None and number is not None
            points.append((x, y, number))
        return tuple(points)

    def described(self) -> dict[str, Any]:
        """What the page is told of the field."""
        return {"kind": "points", **_plain(self)}


Field = Whole | Number | Choice | Flag | Text | Many | Points
Fields = Mapping[str, Field]


def checked(name: str, fields: Fields, given: Any) -> dict[str, Any]:
    """Every field's value: what is given, checked, and the defaults.

    Raises `InputError` for anything but an object, an unknown field and a bad value.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"{name} is {shown(given)}: must be an object")
    for key in given:
        if key not in fields:
            hint = nearest_name(key, fields) if isinstance(key, str) else ""
            raise InputError(
                f"{name} has the unknown field {shown(key)}: must be one of "
                f"{', '.join(fields)}{hint}"
            )
    return {
        key: each.check(f"{name}.{key}", given[key]) if key in given else each.default
        for key, each in fields.items()
    }


def shown(value: Any) -> str:
    """A value as JSON writes it, cut short."""
    import json

    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value).__name__)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _plain(field: Any) -> dict[str, Any]:
    """A field's attributes by name, with lists for tuples."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(field).items()
    }
