"""An array inside a step that is being recorded: its numbers are reached through the backend only.

A replay repeats the calls of `Backend.run` and nothing else. What a step computes from an array in
another way would keep the numbers of the step that was recorded. So while a step is recorded its
arrays come as `Guarded`: arithmetic and comparisons, also NumPy's and CuPy's, are made by `run` and
so are part of the recording; shapes and views are as ever; anything else raises one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from scratchnet.backends.errors import InputError

if TYPE_CHECKING:
    from scratchnet.backends.interface import Array, Backend

INSTEAD = {
    "a condition on an array": "ops.where in the place of if",
    "an array as a number": "the tensor itself",
    "optimizer.step()": "prepare() before it and update() in it",
    "numpy(), item() or a condition on a tensor": "ops.where in it and read the tensor outside",
    "an index that is an array": "ops.take or backend.take",
    "writing to an array": "an op, which gives a new one",
    "clip": "ops.clip",
    "where": "ops.where or backend.where",
    "nonzero": "ops.where or a product with the condition",
    "dot": "ops.matmul",
    "concatenate": "ops.concatenate",
    "stack": "ops.stack",
    "argmax": "x == ops.max(x), which is true at the largest",
    **{name: f"ops.{name}" for name in ("sum", "mean", "max", "min", "var", "std", "norm")},
    **{name: f"ops.{name}" for name in ("cumsum", "split", "squeeze")},
}

WITHOUT_NUMBERS = ("shape", "ndim", "size", "broadcast_to", "expand_dims", "moveaxis", "swapaxes")
"""NumPy's functions that tell a shape, or always give a view."""


def refuse(what: str) -> NoReturn:
    """Raise the line for what a replay would not do again, naming what to use instead."""
    instead = INSTEAD.get(what.removeprefix("np.").removeprefix("."), "functions of scratchnet.ops")
    raise InputError(
        f"inside a recorded step: {what}, which a replay would not do again: use {instead}, or "
        "train with record=False"
    )


class Guarded:
    """`bare`, an array of the backend, as a step sees it while it is recorded."""

    __slots__ = ("backend", "bare")

    bare: Array
    backend: Backend

    def __init__(self, bare: Array, backend: Any) -> None:
        self.bare, self.backend = bare, backend

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """So that `isinstance` takes it for an array of the backend."""
        return self.backend.xp.ndarray

    # What an array is, without its numbers.

    shape = property(lambda self: self.bare.shape)
    ndim = property(lambda self: self.bare.ndim)
    size = property(lambda self: self.bare.size)
    dtype = property(lambda self: self.bare.dtype)
    nbytes = property(lambda self: self.bare.nbytes)
    itemsize = property(lambda self: self.bare.itemsize)
    strides = property(lambda self: self.bare.strides)
    flags = property(lambda self: self.bare.flags)

    def __len__(self) -> int:
        return len(self.bare)

    def __repr__(self) -> str:
        return f"<array of shape {self.shape} and type {self.dtype} in a recorded step>"

    # Views.

    def _view(self, array: Array) -> Guarded:
        return Guarded(array, self.backend)

    T = property(lambda self: self._view(self.bare.T))
    mT = property(lambda self: self._view(self.bare.mT))

    def transpose(self, *axes: Any) -> Guarded:
        return self._view(self.bare.transpose(*axes))

    def swapaxes(self, one: int, other: int) -> Guarded:
        return self._view(self.bare.swapaxes(one, other))

    def squeeze(self, axis: Any = None) -> Guarded:
        return self._view(self.bare.squeeze(axis))

    def reshape(self, *shape: Any) -> Array:
        if self.bare.flags.c_contiguous:
            return self._view(self.bare.reshape(*shape))
        return self.backend.reshape(self, *shape if isinstance(shape[0], tuple) else (shape,))

    def ravel(self) -> Array:
        return self.reshape((-1,))

    def __getitem__(self, index: Any) -> Guarded:
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if not (part is None or part is ... or type(part) in (int, slice)):
                refuse("an index that is an array")
        # With `...` a single entry is a view too, where NumPy would give a copy of its number.
        return self._view(self.bare[parts if ... in parts else (*parts, ...)])

    def __iter__(self) -> Iterator[Guarded]:
        return (self[i] for i in range(len(self)))

    # Copies, made by the backend.

    def astype(self, dtype: Any, **_: Any) -> Array:
        return self.backend.run(
            self.backend._convert, self, out=self.backend.empty(self.shape, dtype)
        )

    def copy(self) -> Array:
        return self.backend.copy(self)

    def flatten(self) -> Array:
        return self.copy().reshape((-1,))

    # Arithmetic, made by the backend.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Array:
        if method != "__call__" or options or ufunc.nout != 1:
            refuse(f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else ""))
        return self._computed(ufunc.__name__, *inputs)

    def _computed(self, name: str, *operands: Any) -> Array:
        """NumPy's ufunc of that name, made by the backend."""
        kernel = self.backend.ufunc(name)
        if kernel is None:
            refuse(f"np.{name}")
        return self.backend.run(kernel, *operands, out=...)

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *inputs: Any, **out: Any) -> Array:
        """CuPy's `__array_ufunc__`, also for an array from outside of the step on the left."""
        if not isinstance(kernel, self.backend.xp.ufunc):
            refuse("an ElementwiseKernel")
        if out or len(inputs) != kernel.nin:
            refuse("writing to an array")
        return self.backend.run(kernel, *inputs, out=...)

    def __array_function__(self, function: Any, _: Any, inputs: Any, options: Any) -> Any:
        if function.__name__ not in WITHOUT_NUMBERS:
            refuse(f"np.{function.__name__}")
        outcome = function(*bare(inputs), **options)
        return self._view(outcome) if isinstance(outcome, self.backend.xp.ndarray) else outcome

    # Whatever else reads or writes numbers.

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        refuse("np.asarray")

    def __bool__(self) -> NoReturn:
        refuse("a condition on an array")

    def __float__(self) -> NoReturn:
        refuse("an array as a number")

    def __int__(self) -> NoReturn:
        refuse("an array as a number")

    __index__ = __int__

    def __setitem__(self, *_: Any) -> NoReturn:
        refuse("writing to an array")

    def __contains__(self, _: Any) -> NoReturn:
        refuse("a condition on an array")

    def __format__(self, _: str) -> str:
        return repr(self)

    def __reduce_ex__(self, _: Any) -> NoReturn:
        refuse("copying an array")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") or not hasattr(self.bare, name):
            raise AttributeError(f"an array has no attribute {name!r}")
        refuse(f".{name}")


def _operator(name: str, is_swapped: bool = False) -> Callable[..., Array]:
    """The method of an operator, by the backend's function of that name."""

    def method(self: Guarded, *others: Any) -> Array:
        # As NumPy's operators do: a Tensor on the right computes it, as a step of its graph.
        if any(getattr(type(each), "__array_ufunc__", ...) is None for each in others):
            return NotImplemented
        return self._computed(name, *((*others, self) if is_swapped else (self, *others)))

    return method


def _in_place(self: Guarded, _: Any) -> NoReturn:
    refuse("writing to an array")


for operator, name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}.items():
    setattr(Guarded, f"__{operator}__", _operator(name))
    setattr(Guarded, f"__r{operator}__", _operator(name, is_swapped=True))
    setattr(Guarded, f"__i{operator}__", _in_place)
for operator, name in {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "pos": "positive",
    "abs": "absolute",
    "invert": "invert",
}.items():
    setattr(Guarded, f"__{operator}__", _operator(name))


def bare(value: Any) -> Any:
    """`value` with each guarded array in it, also inside a tuple or list, as the array itself."""
    if type(value) is Guarded:
        return value.bare
    if isinstance(value, (tuple, list)):
        return type(value)([bare(each) for each in value])
    return value
