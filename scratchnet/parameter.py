"""A parameter of a model: a tensor that lives in the model's buffers."""

from __future__ import annotations

from typing import Any

from scratchnet.backends import Array, Backend, InputError
from scratchnet.tensor import Tensor, note_write


class Parameter(Tensor):
    """A leaf whose numbers and gradient are views of its model's two buffers, and stay there.

    An array that is assigned to `data` or `grad` is copied in; `InputError` for another shape.
    """

    __slots__ = ("_data", "_grad")

    def __init__(self, dtype: str, backend: Backend) -> None:
        super().__init__(0.0, dtype, backend)

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """A copy or an unpickled parameter: `data` and `grad` are the arrays of the two slots."""
        # Writes are counted anew in every process, and nothing was computed from a copy yet.
        self.stamp = 0
        for name, value in state[1].items():
            if name not in ("data", "grad", "stamp"):
                setattr(self, name, value)

    def bind(self, data: Array, grad: Array) -> None:
        self._data, self._grad = data, grad

    @property
    def data(self) -> Array:
        # Asked for often, and guarded seldom.
        return self.backend.guarded(self._data) if self.backend.watchers else self._data

    @data.setter
    def data(self, values: Any) -> None:
        if hasattr(self, "_data"):
            self._copy("data", values, self._data)
            note_write([self])
        else:
            self._data = values

    @property
    def grad(self) -> Array:
        return self.backend.guarded(self._grad) if self.backend.watchers else self._grad

    @grad.setter
    def grad(self, values: Any) -> None:
        if hasattr(self, "_grad"):
            self._copy("grad", 0.0 if values is None else values, self._grad)
        else:
            self._grad = values

    def _copy(self, name: str, values: Any, target: Array) -> None:
        given = self.backend.asarray(values, target.dtype)
        if given.ndim and given.shape != target.shape:
            raise InputError(f"{name} of shape {given.shape}: must be {tuple(target.shape)}")
        self.backend.copy(given, out=target)
