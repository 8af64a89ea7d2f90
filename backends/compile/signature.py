"""What the C++ of a step depends on: two steps of one signature are one function.

The arrays are numbered in the order in which they are met, so that it does not matter where they
lie. The same step of another model, or with other data of the same shape, has the same signature.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import literal, name_of, owner_of
from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call

MOST_KEPT = 64


def keep(kept: dict[Any, Any], key: Any, function: Any) -> None:
    """Enter a function, and forget the oldest where there are many, as other threads may do too."""
    while len(kept) >= MOST_KEPT:
        kept.pop(list(kept)[0], None)
    kept[key] = function


class Signature:
    """The `key` of a step's calls, and the arrays that own their memory, by number."""

    def __init__(self, calls: Sequence[Call], outcome: Array) -> None:
        self.owners: list[Array] = []
        self._numbers: dict[int, int] = {}
        self._seen: dict[int, Hashable] = {}
        self._calls = calls  # keeps every array alive, so that no two have one identity
        entries = [self._call(call) for call in calls]
        self.key: Hashable = (tuple(entries), self._array(outcome))

    def number(self, owner: Array) -> int:
        """The number of an array that owns its memory."""
        number = self._numbers.setdefault(id(owner), len(self.owners))
        if number == len(self.owners):
            self.owners.append(owner)
        return number

    def _call(self, call: Call) -> Hashable:
        """What the source depends on of a call."""
        inputs = tuple([self._entry(each) for each in call.inputs])
        if name_of(call) == "take" and isinstance(call.inputs[1], tuple):
            # Which networks the rows are of is written into the source.
            inputs = (*inputs, call.inputs[1][0].tobytes())
        # What the host does is not in the source.
        kernel = name_of(call) if is_by_host(call.kernel) else call.kernel
        return kernel, inputs, self._array(call.out), call.is_new

    def _entry(self, each: Any) -> Hashable:
        """What the source depends on of an input."""
        if isinstance(each, np.ndarray):
            return self._array(each)
        if isinstance(each, (tuple, list)):
            return tuple([self._entry(part) for part in each])
        return type(each), repr(each)

    def _array(self, array: Array) -> Hashable:
        """The array as a view of its owner. One object has one entry, whatever it is used for."""
        found = self._seen.get(id(array))
        if found is None:
            owner = owner_of(array)
            start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
            value = literal(array)
            found = self._seen[id(array)] = (
                *(len(self._seen), self.number(owner), owner.shape, owner.strides, start),
                *(array.shape, array.strides, array.dtype.str),
                None if value is None else np.asarray(value.value).tobytes(),
            )
        return found
