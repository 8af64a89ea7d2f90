"""A step recorded on a GPU, as the same calls on arrays of the host that lie in the same way.

The compiler asks arrays for shapes, strides and which memory they are views of, and NumPy answers.
The numbers stay where they are; only whole numbers from outside are copied, which may say what
network each row of an index is of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import NotCompiled, name_of
from scratchnet.backends.compile.classify import ELEMENTWISE
from scratchnet.backends.interface import Array, Call


class Twins:
    """`calls` and `outcome` on the host, and for each array there the one on the device."""

    def __init__(self, calls: Sequence[Call], outcome: Array, xp: Any) -> None:
        self._xp = xp
        self._made = {id(owner_on_device(call.out)) for call in calls if call.is_new}
        self._owners: dict[int, tuple[Array, Array]] = {}
        self._views: dict[int, tuple[Array, Array]] = {}
        ufuncs = {id(getattr(xp, name, None)): name for name in ELEMENTWISE}
        self.calls = [
            Call(
                named(ufuncs.get(id(call.kernel)) or name_of(call)),
                self._inputs(call.inputs),
                self.of(call.out),
                call.is_new,
            )
            for call in calls
        ]
        self.outcome = self.of(outcome)

    def on_device(self, owner: Array) -> Array:
        """The array of the device whose twin owns its memory."""
        return next(there for there, here in self._owners.values() if here is owner)

    def of(self, array: Array) -> Array:
        """The twin of an array; one array has one twin."""
        if id(array) not in self._views:
            owner = owner_on_device(array)
            here = self._owner(owner)
            if array is not owner:
                start = int(array.data.ptr) - int(owner.data.ptr)
                here = np.ndarray(array.shape, array.dtype, here, start, array.strides)
            self._views[id(array)] = array, here
        return self._views[id(array)][1]

    def _owner(self, owner: Array) -> Array:
        """The host's twin of an array that owns its memory; whole numbers are copied too."""
        if id(owner) not in self._owners:
            here: Array = np.empty(owner.shape, owner.dtype)
            if not owner.flags.c_contiguous:
                here = np.asfortranarray(here)
            if here.strides != owner.strides and owner.size > 1:
                raise NotCompiled(f"an array of strides {owner.strides}")
            if owner.dtype.kind in "iu" and id(owner) not in self._made:
                here[...] = self._xp.asnumpy(owner)
            self._owners[id(owner)] = owner, here
        return self._owners[id(owner)][1]

    def _inputs(self, inputs: Any) -> Any:
        """A call's inputs with twins for the GPU's arrays."""
        if isinstance(inputs, (tuple, list)):
            return tuple([self._inputs(each) for each in inputs])
        return self.of(inputs) if isinstance(inputs, self._xp.ndarray) else inputs


def owner_on_device(array: Array) -> Array:
    """The array whose memory a view shows."""
    return array if array.base is None else array.base


@lru_cache(maxsize=256)
def named(name: str) -> Callable[..., Array]:
    """A kernel that is known by its name, and never run."""

    def kernel(*_: Any, **__: Any) -> Array:
        raise NotImplementedError(name)

    kernel.__name__ = name
    return kernel
