"""Reverse-mode automatic differentiation: the tape, and nothing else.

A `Tensor` is an array that remembers which tensors it was computed from and, for each of them, the
rule that sends a gradient back to it. These memories form a graph from the result to its inputs;
there is no other tape. `backward()` walks it once, from the result, and applies the chain rule:

    dL/dx = sum over the consumers y of x of  pullback_{y -> x}(dL/dy)

A pullback is the function dL/dy -> dL/dx of one op (its vector-Jacobian product). The ops, each
with its pullbacks, are in `scratchnet.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError, get_backend
from scratchnet.backends.contexts import Blocks

Pullback = Callable[[Array], Array]
Edge = tuple["Tensor", Pullback]
Axis = int | tuple[int, ...] | None

WRITTEN_SINCE = (
    "backward() of a result whose parameters were written since it was computed: compute it again"
)

FLOAT_TYPES = ("float32", "float64")


def float_type(what: str, dtype: Any) -> str:
    """'float32' or 'float64' for whatever NumPy takes for it; `InputError` for any other dtype."""
    if type(dtype) is str and dtype in FLOAT_TYPES:
        return dtype  # as nearly always: NumPy takes longer than the rest of a tensor
    try:
        # NumPy reads None as float64.
        name = "None" if dtype is None else np.dtype(dtype).name
    except (TypeError, ValueError):
        name = str(dtype)
    if name not in FLOAT_TYPES:
        raise InputError(f"{what} is {str(dtype)[:60]!r}: must be {' or '.join(FLOAT_TYPES)}")
    return name


class Tensor:
    """An array and, for each tensor it was computed from, the rule that sends a gradient back.

    A tensor made from values is a *leaf*: it has no inputs, and `backward()` leaves the gradient
    of the differentiated result in its `grad`. A plain array or number in an op is a constant, and
    so is a leaf while `requires_grad` is False.

    `backward()` reads the arrays that the ops have read. To change a leaf in between, assign a new
    array to `data`; one that is written in place gives a wrong gradient. For the parameters of a
    model that is seen, and refused: see `Parameter`.
    """

    __slots__ = (
        *("data", "backend", "inputs", "frozen", "requires_grad", "grad", "keeps_grad"),
        *("reached", "stamp", "__weakref__"),
    )

    data: Array
    backend: Backend
    inputs: tuple[Edge, ...]
    frozen: tuple[Tensor, ...]
    """The frozen parameters that it was computed from: they get no gradient, but pullbacks read
    them."""
    requires_grad: bool
    grad: Array | None
    keeps_grad: bool
    reached: bool
    """Of a leaf: whether a `backward()` has left a gradient in it."""
    stamp: int
    """The number of writes to parameters when it was computed, or, of a parameter, last written."""
    is_parameter = False
    kept_at = -1
    """Of a parameter, its stamp when its numbers were kept, to see whether they are written."""

    def __init__(
        self,
        values: Any,
        dtype: str | None = None,
        backend: str | Backend = "auto",
        requires_grad: bool = True,
    ) -> None:
        """A leaf that holds `values`, as float32 unless they are a float64 array or dtype says so.

        A contiguous array of the backend that has this dtype already is not copied: the leaf shares
        its memory. Raises `InputError` for a dtype other than float32 and float64.
        """
        self.backend = get_backend(backend)
        if dtype is None:
            dtype = "float64" if getattr(values, "dtype", None) == "float64" else "float32"
        dtype = float_type("dtype of a tensor", dtype)
        self.data = self.backend.asarray(values, dtype)
        self.inputs = self.frozen = ()
        self.requires_grad = requires_grad
        self.grad = None
        self.keeps_grad = False
        self.reached = False
        self.stamp = 0

    def backward(self, gradient: Operand | None = None) -> None:
        """Set `grad` of every leaf, and of every tensor that asked for it, to d(sum of self)/d(it).

        With a `gradient`, numbers of self's shape, the sum is weighted: d(sum of gradient * self),
        so that a pass can go on from the dL/d(self) of a loss computed elsewhere. Raises
        `InputError` for another shape, and where self depends on no tensor with a gradient.

        One rule for a gradient that is already there: it is *replaced*, in place. A leaf that this
        result does not depend on keeps what it had. To accumulate, add the losses.

        A node may send its gradient on once all its consumers have sent theirs. So the first loop
        counts the consumers of each node, and the second visits a node when the last has sent.
        Time and memory are linear in the number of ops; nothing recurses, so depth has no limit.
        """
        if not self.requires_grad:
            raise InputError("backward() of a result that depends on no tensor with a gradient")
        consumers: dict[Tensor, int] = {}
        unexplored = [self]
        while unexplored:
            node = unexplored.pop()
            for parent, _ in node.inputs:
                if parent not in consumers:
                    consumers[parent] = 1
                    if parent.inputs:
                        unexplored.append(parent)
                    elif parent.kept_at == parent.stamp:
                        parent.look_for_writes()
                else:
                    consumers[parent] += 1
                if parent.stamp > node.stamp:
                    raise InputError(WRITTEN_SINCE)
            for parent in node.frozen:
                parent.look_for_writes()
                if parent.stamp > node.stamp:
                    raise InputError(WRITTEN_SINCE)

        backend = self.backend
        received: dict[Tensor, Array] = {}
        ready = [(self, self._first_gradient(gradient))]
        while ready:
            node, dy = ready.pop()
            if node.keeps_grad or not node.inputs:
                # A copy: after a + b both inputs were sent this same array.
                if (grad := node.grad) is None:
                    grad = node.grad = backend.empty(dy.shape, dy.dtype)
                backend.copy(dy, out=grad)
                node.reached = True
            for parent, pullback in node.inputs:
                dx = pullback(dy)
                if received and parent in received:
                    dx = backend.add(received.pop(parent), dx)
                consumers[parent] = waiting_for = consumers[parent] - 1
                if waiting_for:
                    received[parent] = dx
                else:
                    ready.append((parent, dx))

    def look_for_writes(self) -> None:
        """Set `stamp` where the array was written in place; of a parameter alone that is seen."""

    def _first_gradient(self, gradient: Operand | None) -> Array:
        """The dL/d(self) that `backward` starts from."""
        backend = self.backend
        if gradient is None:
            return backend.ones(self.data.shape, self.data.dtype)
        if isinstance(gradient, Tensor):
            if gradient.backend is not backend:
                raise TypeError(
                    f"backward(gradient) on the {gradient.backend.name} backend, of a tensor on "
                    f"{backend.name}: move one with backend.asarray"
                )
            gradient = gradient.data
        try:
            numbers = backend.asarray(gradient)
        except ValueError:
            raise InputError(
                f"backward(gradient) of shape {self.shape}: gradient is ragged, must be numbers of "
                "that shape"
            ) from None
        if numbers.shape != self.shape or numbers.dtype.kind not in "fiub":
            raise InputError(
                f"backward(gradient) of shape {self.shape}: gradient has shape {numbers.shape} and "
                f"dtype {numbers.dtype}, must be real numbers of that shape"
            )
        return backend.asarray(numbers, self.data.dtype)

    def retain_grad(self) -> Tensor:
        """Keep this intermediate result's gradient too, in `grad`; returns self."""
        self.keeps_grad = True
        return self

    def detach(self) -> Tensor:
        """The same array as a constant: no gradient flows through it."""
        return view(self.data, self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self.data.ndim)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.data.size)

    @property
    def dtype(self) -> str:
        """The name of the array's dtype: float32, float64, or bool for a comparison."""
        return str(self.data.dtype)

    def numpy(self) -> Any:
        """The numbers as a NumPy array on the host."""
        self.backend.host_work("numpy(), item() or a condition on a tensor")
        return self.backend.to_numpy(self.data)

    def item(self) -> float:
        """The only number of a tensor with one entry."""
        return float(self.numpy().item())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        kind = "" if self.inputs or self.requires_grad else ", constant"
        return f"Tensor({self.numpy()}, dtype={self.dtype}{kind})"

    def __float__(self) -> float:
        return self.item()

    # Arithmetic, in terms of scratchnet.ops.

    def __add__(self, other: Operand) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return ops.divide(other, self)

    def __pow__(self, exponent: Operand) -> Tensor:
        return ops.power(self, exponent)

    def __rpow__(self, base: Operand) -> Tensor:
        return ops.power(base, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __abs__(self) -> Tensor:
        return ops.absolute(self)

    # Comparisons give constants of booleans; as a key of a dict a tensor is known by its identity.

    def __lt__(self, other: Operand) -> Tensor:
        return ops.less(self, other)

    def __le__(self, other: Operand) -> Tensor:
        return ops.less_equal(self, other)

    def __gt__(self, other: Operand) -> Tensor:
        return ops.greater(self, other)

    def __ge__(self, other: Operand) -> Tensor:
        return ops.greater_equal(self, other)

    def __eq__(self, other: object) -> Any:
        return ops.equal(self, other) if _is_operand(self, other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return ops.not_equal(self, other) if _is_operand(self, other) else NotImplemented

    __hash__ = object.__hash__

    def __and__(self, other: Operand) -> Tensor:
        return ops.logical_and(self, other)

    def __or__(self, other: Operand) -> Tensor:
        return ops.logical_or(self, other)

    def __invert__(self) -> Tensor:
        return ops.logical_not(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.take(self, index)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """As `ops.sum`."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """As `ops.mean`."""
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """As `ops.max`."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """As `ops.min`."""
        return ops.min(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Tensor:
        """As `ops.var`."""
        return ops.var(self, axis, keepdims, ddof)

    def std(self, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Tensor:
        """As `ops.std`."""
        return ops.std(self, axis, keepdims, ddof)

    def exp(self) -> Tensor:
        """As `ops.exp`."""
        return ops.exp(self)

    def log(self) -> Tensor:
        """As `ops.log`."""
        return ops.log(self)

    def sqrt(self) -> Tensor:
        """As `ops.sqrt`."""
        return ops.sqrt(self)

    def abs(self) -> Tensor:
        """As `ops.absolute`."""
        return ops.absolute(self)

    def argmax(self, axis: int | None = None) -> Any:
        """Where the largest entry lies along the axis, or among all entries in row-major order.

        Whole numbers as NumPy's `argmax` gives them, on the host: the first of several that tie.
        They have no gradient, and a recorded step refuses them. Raises `InputError` for an axis
        that is empty or does not exist.
        """
        self.backend.host_work("argmax")
        try:
            return np.argmax(self.backend.to_numpy(self.data), axis)
        except (ValueError, TypeError):
            raise InputError(
                f"argmax over axis {axis} of shape {self.shape}: must be one axis that exists and "
                "is not empty, or None"
            ) from None

    def reshape(self, *shape: Any) -> Tensor:
        """As `ops.reshape`; the shape is several numbers, or a tuple or list of them."""
        is_one = shape != () and isinstance(shape[0], (tuple, list))
        return ops.reshape(self, shape[0] if is_one else shape)

    def flatten(self) -> Tensor:
        """All entries in row-major order, as one row."""
        return ops.reshape(self, (-1,))

    def squeeze(self, axis: Axis = None) -> Tensor:
        """As `ops.squeeze`."""
        return ops.squeeze(self, axis)

    @property
    def T(self) -> Tensor:
        """All axes in reverse order: of a matrix, its transpose."""
        return ops.transpose(self, range(self.ndim)[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return ops.transpose(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The numbers as a NumPy array of its own, for `np.asarray(tensor)`."""
        if copy is False:
            raise ValueError("a tensor gives NumPy a copy of its numbers, never the array itself")
        return np.array(self.numpy(), dtype=dtype)

    # NumPy must leave `array + tensor` to the methods above.
    __array_ufunc__ = None


Operand = Tensor | Array | float


def _is_operand(x: Tensor, other: object) -> bool:
    return isinstance(other, (Tensor, Real, x.backend.xp.ndarray))


_BUILDS_GRAPH: Blocks[bool] = Blocks("whether results remember their inputs")
# `result` is called by every op: names that it need not look up in two steps.
graph_blocks, _new = _BUILDS_GRAPH.entries, object.__new__


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside, results remember nothing: less memory, and `backward()` of them is refused.

    It holds for this thread or asyncio task alone. A generator that is suspended inside leaves it
    on for its caller, until it goes on or is closed.
    """
    with _BUILDS_GRAPH.opened(False):
        yield


@contextmanager
def enable_grad() -> Iterator[None]:
    """Inside, results remember their inputs, also where a `no_grad` is open around it."""
    if builds_graph():
        yield  # without a block: each result would ask what it was opened with
        return
    with _BUILDS_GRAPH.opened(True):
        yield


def builds_graph() -> bool:
    """Whether results remember their inputs here. They do where `graph_blocks()` is empty."""
    choices = _BUILDS_GRAPH.values()
    return not choices or choices[-1]


_writes = 0


def note_write(parameters: Iterable[Tensor]) -> None:
    """Let `backward()` refuse what was computed from these before their numbers changed."""
    global _writes
    _writes += 1
    for each in parameters:
        each.stamp = _writes


def result(data: Array, backend: Backend, *inputs: Edge) -> Tensor:
    """The tensor that an op returns: its value, and an edge to each input that wants a gradient.

    An edge is (input, pullback). A pullback gets dL/dy and returns dL/d(input), of the input's
    shape; it must not write onto what it gets, since other pullbacks get the same array. It should
    hold arrays rather than the result itself, so that the graph is freed with its last consumer.
    """
    node = _new(Tensor)
    node.data = data
    node.backend = backend
    node.grad = None
    node.keeps_grad = False
    node.stamp = _writes
    node.frozen = ()
    for parent, _ in inputs:
        if not parent.requires_grad:
            wanted: list[Edge] = []
            for edge in inputs:
                if edge[0].requires_grad:
                    wanted.append(edge)
                else:
                    node.frozen += (edge[0],) if edge[0].is_parameter else edge[0].frozen
            inputs = tuple(wanted)
            break
    node.inputs = inputs if not graph_blocks() or builds_graph() else ()
    node.requires_grad = node.inputs != ()
    if not node.requires_grad:
        node.frozen = ()  # its numbers are its own, whatever is written
    return node


def view(data: Array, x: Tensor, pullback: Pullback | None = None) -> Tensor:
    """As `result`, of an array that lies in x's memory: what is written there shows in it."""
    node = result(data, x.backend, *([] if pullback is None else [(x, pullback)]))
    if not node.requires_grad:
        node.frozen = (x,) if x.is_parameter else x.frozen
    return node


# The operators above need the ops, and the ops need Tensor, which exists by now.
from scratchnet import ops  # noqa: E402
