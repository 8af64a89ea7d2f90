"""The numbers that training is set up with: a momentum, a dropout rate, the slope of a LeakyReLU.

Each is one number, or one for each network of an ensemble. It lives in an array on the backend, of
shape () or (E, 1, ...), which a step reads: so a replay of a recorded step uses the number that was
set last, and network i of an ensemble has the bits of the network alone with number i.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, overload

import numpy as np

from scratchnet.backends import Array, Backend, InputError

Value = Any
"""A Python float, or a read-only NumPy array (E,) of float64; given as any sequence of numbers."""


class Range(NamedTuple):
    """The numbers that a hyperparameter can have."""

    holds: Callable[[Any], Any]
    must_be: str


NONNEGATIVE = Range(lambda v: (v >= 0) & (v < np.inf), "a finite number from 0")
POSITIVE = Range(lambda v: (v > 0) & (v < np.inf), "a finite number above 0")
FRACTION = Range(lambda v: (v >= 0) & (v < 1), "a number from 0 to below 1")
PROPORTION = Range(lambda v: (v >= 0) & (v <= 1), "a number from 0 to 1")
FINITE = Range(np.isfinite, "a finite number")


@dataclass(frozen=True)
class Place:
    """Where the arrays of hyperparameters live, and for how many networks."""

    backend: Backend
    dtype: str
    networks: int | None
    axes: int
    """How many axes of size 1 follow that of the networks: what the numbers are multiplied with."""


class Same:
    """A thing that is compared by its identity; it is kept, so that nothing else can have that."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


class Configured:
    """What has hyperparameters: a layer, or an optimizer. Their arrays exist once it has a place.

    `version` changes whenever an attribute is set. A recorded step that finds it unchanged need not
    ask for `structure()` again.
    """

    version = 0
    place: Place | None = None
    counters: tuple[str, ...] = ("version",)
    """Attributes that change from step to step without changing what a step computes."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name not in self.counters:
            self.__dict__["version"] = self.version + 1

    def settle(self, place: Place | None) -> None:
        """Make the arrays of all hyperparameters at that place, or forget them where it is None.

        Raises `InputError` where one of them is not one number, or one for each network.
        """
        self.__dict__["place"] = place
        self.__dict__["arrays"] = {}
        for name, each in hyperparameters(type(self)).items():
            if place is not None and name in self.__dict__:
                each.__set__(self, self.__dict__[name])

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays that hyperparameters live in, by the names of their parts."""
        arrays: dict[str, Array] = self.__dict__.setdefault("arrays", {})
        return arrays

    def is_absent(self, name: str) -> bool:
        """Whether a hyperparameter is the single number with which a step leaves something out.

        A recorded step is recorded anew when this changes.
        """
        return name in self.__dict__["absent"]

    def array(self, name: str) -> Array | None:
        """The array of a hyperparameter, or None where it is absent."""
        own = self.__dict__
        array: Array = None if name in own["absent"] else own["arrays"][name]
        return array

    def number(self, name: str) -> Value | Array:
        """A hyperparameter for an op: the array of its name, or the value where there is none.

        Outside of a recorded step it is a copy: a number that is set between a forward pass and its
        `backward()` must not reach into that.
        """
        if self.place is None:
            return self.__dict__[name]
        array, backend = self.arrays[name], self.place.backend
        return array if backend.watchers and backend.is_recording else backend.copy(array)

    def within(self) -> list[Configured]:
        """This one, and those that it holds in attributes, such as the body of a block."""
        found = [self]
        for each in found:
            held = [value for value in vars(each).values() if isinstance(value, Configured)]
            found += [value for value in held if value not in found]
        return found

    def structure(self) -> Hashable:
        """What a recording holds fast: all attributes but the hyperparameters that have arrays."""
        left_out = {*self.counters, *INTERNAL}
        if self.place is not None:
            left_out |= hyperparameters(type(self)).keys()
        return (
            tuple([(name, Same(each)) for name, each in self.arrays.items()]),
            frozenset(self.__dict__.get("absent", ())),
            tuple(
                [
                    (name, value if isinstance(value, PLAIN) else Same(value))
                    for name, value in self.__dict__.items()
                    if name not in left_out
                ]
            ),
        )


PLAIN = (bool, int, float, str, type(None))
INTERNAL = ("arrays", "absent", "place")


def hyperparameters(of: type) -> Mapping[str, Hyperparameter]:
    """The hyperparameters that a class declares, those of its bases first."""
    return {
        name: each
        for base in reversed(of.__mro__)
        for name, each in vars(base).items()
        if isinstance(each, Hyperparameter)
    }


class Hyperparameter:
    """An attribute whose value is written into the array that a step reads.

    `parts` says for each such array how its numbers, in float64, follow from the value; by default
    they are the value. The single number `absent_at`, such as a rate of 0, means that a step leaves
    the arithmetic out; then `Configured.array` gives None.
    """

    def __init__(
        self,
        what: str,
        range: Range,
        parts: Mapping[str, Callable[[Any], Any]] | None = None,
        absent_at: float | None = None,
    ) -> None:
        self.what, self.range = what, range
        self.parts, self.absent_at = parts, absent_at

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.parts = self.parts or {name: lambda value: value}

    @overload
    def __get__(self, holder: None, owner: type) -> Hyperparameter: ...
    @overload
    def __get__(self, holder: Configured, owner: type) -> Value: ...
    def __get__(self, holder: Configured | None, owner: type) -> Any:
        return self if holder is None else holder.__dict__[self.name]

    def __set__(self, holder: Configured, value: Any) -> None:
        value = self.checked(value, holder.place)
        holder.__dict__[self.name] = value
        self.write(holder, value)

    def checked(self, value: Any, place: Place | None) -> Value:
        """`value` as a float or an array (E,), or `InputError` where it is not in the range."""
        numbers = self._numbers(value)
        if numbers.ndim and place is not None and len(numbers) != place.networks:
            needed = (
                "one number, as the model is no ensemble"
                if place.networks is None
                else f"one number, or {place.networks}, one for each network"
            )
            raise InputError(f"{self.what} has {len(numbers)} numbers: must be {needed}")
        dtype = "float64" if place is None else place.dtype
        with np.errstate(over="ignore", under="ignore"):
            rounded = numbers.astype(dtype)
        right = self.range.holds(numbers) & np.isfinite(rounded)
        if self.range is POSITIVE:
            right &= rounded > 0
        if not right.all():
            first = int(np.flatnonzero(~right)[0])
            where = f"{self.what}[{first}]" if numbers.ndim else self.what
            wrong = numbers.reshape(-1)[first]
            within = f" in {dtype}" if self.range.holds(wrong) else ""
            raise InputError(f"{where} is {float(wrong)!r}: must be {self.range.must_be}{within}")
        if not numbers.ndim:
            return float(numbers)
        numbers.flags.writeable = False
        return numbers

    def _numbers(self, value: Any) -> Any:
        """The value as a new host array of shape () or (n,) in float64."""
        if isinstance(value, Real) and not isinstance(value, bool):
            return np.array(float(value))
        try:
            numbers = np.array(value)
        except (TypeError, ValueError):
            numbers = np.array(None)
        if isinstance(value, str) or numbers.dtype.kind not in "fiu" or numbers.ndim > 1:
            raise InputError(
                f"{self.what} is {value!r}: must be {self.range.must_be}, or a sequence of one for "
                "each network"
            )
        if numbers.ndim and not numbers.size:
            raise InputError(f"{self.what} has 0 numbers: must be one, or one for each network")
        return numbers.astype(np.float64)

    def write(self, holder: Configured, value: Value) -> None:
        """Write what follows from the value into the holder's arrays, once it has a place."""
        absent = holder.__dict__.setdefault("absent", set())
        is_absent = isinstance(value, float) and value == self.absent_at
        (absent.add if is_absent else absent.discard)(self.name)
        place = holder.place
        if place is None:
            return
        arrays = holder.__dict__["arrays"]
        numbers = np.asarray(value)
        shape = numbers.shape + (1,) * (place.axes if numbers.ndim else 0)
        for name, part in (self.parts or {}).items():
            values = np.asarray(part(numbers)).reshape(shape)
            values = values.astype(place.dtype) if values.dtype.kind == "f" else values
            if name in arrays and arrays[name].shape == shape:
                arrays[name][...] = place.backend.asarray(values)
            else:
                arrays[name] = place.backend.copy(place.backend.asarray(values))


def shown(value: Value) -> str:
    """A hyperparameter in words: a number, or the smallest and the largest of those per network."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{min(value):.4g} to {max(value):.4g}"


def of_network(value: Value, network: int | None) -> float:
    """The number that a hyperparameter has for one network."""
    return float(value if isinstance(value, float) else value[network or 0])
