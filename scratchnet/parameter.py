"""A parameter of a model: a tensor that lives in the model's buffers."""

from __future__ import annotations

from typing import Any

from scratchnet.backends import Array, Backend, InputError
from scratchnet.tensor import Tensor, builds_graph, graph_blocks, note_write


class Parameter(Tensor):
    """A leaf whose numbers and gradient are views of its model's two buffers, and stay there.

    An array that is assigned to `data` or `grad` is copied in; `InputError` for another shape.

    `data` may also be written in place: `p.data[0] = 1`. What was computed from it before is then
    out of date, and `backward()` of it is refused. To see such a write takes a copy of the numbers.
    A training step reads them once, for which none is made; each further read before the next step
    or assignment makes or compares one. Not seen is a write into an array that was taken from
    `data` before that step or assignment, or under `no_grad` before the forward pass; nor one into
    `Model.parameter_buffer`, after which `Model.apply_mask` is to be called.
    """

    __slots__ = ("_data", "_grad", "_read_at", "_kept", "kept_at")

    is_parameter = True
    _read_at: int
    """The `stamp` at which `data` was last read where a graph is built."""
    _kept: tuple[int, Array]
    """The `stamp` when `data` was read again, and a copy of the numbers then."""
    kept_at: int

    def __init__(self, dtype: str, backend: Backend) -> None:
        super().__init__(0.0, dtype, backend)
        self._forget()

    def _forget(self) -> None:
        """Forget what was read and kept."""
        self._read_at = self.kept_at = -1
        self._kept = -1, None

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """A copy or an unpickled parameter: `data` and `grad` are the arrays of the two slots."""
        # Writes are counted anew in every process, and nothing was computed from a copy yet.
        self.stamp = 0
        self._forget()
        for name, value in state[1].items():
            if name not in ("data", "grad", "stamp", "_read_at", "_kept", "kept_at"):
                setattr(self, name, value)

    def bind(self, data: Array, grad: Array) -> None:
        """Take these views of the model's buffers as numbers and gradient."""
        self._data, self._grad = data, grad

    @property
    def data(self) -> Array:
        """The numbers, as a view of the model's buffer; assigned ones are copied in."""
        # Asked for often, and guarded seldom.
        if self.backend.watchers:
            return self.backend.guarded(self._data)
        if self._read_at == self.stamp:
            self._keep_numbers()
        elif not graph_blocks() or builds_graph():
            self._read_at = self.stamp
        return self._data

    @data.setter
    def data(self, values: Any) -> None:
        if hasattr(self, "_data"):
            self._copy("data", values, self._data)
            note_write([self])
        else:
            self._data = values

    @property
    def grad(self) -> Array:
        """The gradient, as a view of the model's buffer; None sets it to 0."""
        return self.backend.guarded(self._grad) if self.backend.watchers else self._grad

    @grad.setter
    def grad(self, values: Any) -> None:
        if hasattr(self, "_grad"):
            self._copy("grad", 0.0 if values is None else values, self._grad)
            self.reached = values is not None
        else:
            self._grad = values

    def look_for_writes(self) -> None:
        """Set `stamp` where the numbers are not those that were kept, and nothing has set it."""
        stamp, kept = self._kept
        # The check of a recorded step runs on numbers that it disturbs, and puts them back.
        if stamp != self.stamp or self.backend.is_guarding():
            return
        # Another thread may make a step meanwhile, which sets it.
        if not self.backend.have_same_bits(kept, self._data) and stamp == self.stamp:
            note_write([self])

    def _keep_numbers(self) -> None:
        """Keep a copy of the numbers, unless the one that is kept is still right."""
        self.look_for_writes()
        if self._kept[0] != self.stamp:
            self._read_at = self.kept_at = stamp = self.stamp
            self._kept = stamp, self.backend.xp.array(self._data)

    def _copy(self, name: str, values: Any, target: Array) -> None:
        """Write values of its shape, or one number, into the array; `InputError` for others."""
        given = self.backend.asarray(values, target.dtype)
        if given.ndim and given.shape != target.shape:
            raise InputError(f"{name} of shape {given.shape}: must be {tuple(target.shape)}")
        self.backend.copy(given, out=target)
