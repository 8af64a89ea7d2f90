"""What is diagnosed: a function and its pullback, called so that no fault of theirs escapes.

The function may be a learner's. Whatever it does wrong (it raises, it returns None, a shape or a
type that is none) becomes a `Fault`, a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.graph import nodes_of, operation_name
from scratchnet.tensor import Tensor, enable_grad, no_grad

Arrays = Sequence[Any]


class Fault(Exception):
    """The function or its pullback does not do what it must: the sentence says what."""

    def __init__(self, sentence: str, mistake: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.mistake = mistake


Pull = Callable[[Any], list[Any]]
"""dL/dy -> the gradient of each input, None for a constant; of any shape and dtype."""


@dataclass(frozen=True)
class Subject:
    """y = value(inputs), and (y, pull) = at(inputs), for NumPy arrays of float64."""

    value: Callable[[Arrays], Any]
    at: Callable[[Arrays], tuple[Any, Pull]]
    at_before: Callable[[Arrays, Arrays], tuple[Any, Pull]] | None = None
    """As `at`, but the function is called with the second inputs as well before it pulls back."""
    is_own: Callable[[Arrays], bool] = lambda _: True
    """Whether no pullback is one of the engine's ops."""


def of_tensors(function: Callable[..., Any], like: Sequence[Tensor], what: str) -> Subject:
    """A function of tensors: its graph is walked with its own pullbacks."""
    backend = like[0].backend

    def called(inputs: Arrays) -> tuple[list[Tensor], Tensor]:
        """The inputs as leaves, and the function's result. Raises `Fault` unless it is a Tensor."""
        tensors = leaves(inputs, like)
        y = guarded(what, function, *tensors)
        if not isinstance(y, Tensor):
            raise Fault(f"{what} returns {_kind(y)}: must be a Tensor")
        return tensors, y

    def value(inputs: Arrays) -> Any:
        with no_grad():
            return np.array(called(inputs)[1].numpy())

    def at_before(inputs: Arrays, later: Arrays | None) -> tuple[Any, Pull]:
        """The value, and its pullback, once the function was called at `later` as well."""
        with enable_grad():
            tensors, y = called(inputs)
            if later is not None:
                called(later)

        def pull(dy: Any) -> list[Any]:
            """The gradients of all inputs for dy, by the engine's walk."""
            received = walked(y, backend.asarray(np.array(dy, "float64")))
            if received.keys().isdisjoint(tensors) and y.requires_grad:
                raise Fault(f"the result of {what} depends on none of the tensors it was given")
            return [_gradient_of(t, received) for t in tensors]

        return np.array(y.numpy()), pull

    def is_own(inputs: Arrays) -> bool:
        """Whether no pullback in the graph is one of the engine's."""
        with enable_grad():
            nodes = nodes_of(called(inputs)[1])
        modules = [getattr(pullback, "__module__", "") for n in nodes for _, pullback in n.inputs]
        return not any(str(module).startswith("scratchnet.") for module in modules)

    return Subject(value, lambda inputs: at_before(inputs, None), at_before, is_own)


def leaves(inputs: Arrays, like: Sequence[Tensor]) -> list[Tensor]:
    """Tensors with other numbers, as float64, that want a gradient where those do."""
    backend = like[0].backend
    return [
        Tensor(backend.asarray(array), "float64", backend, requires_grad=old.requires_grad)
        for array, old in zip(inputs, like, strict=True)
    ]


def _gradient_of(tensor: Tensor, received: dict[Tensor, Any]) -> Any:
    """What the walk left for the tensor: zeros for nothing, None where no gradient is required."""
    if not tensor.requires_grad:
        return None
    if tensor not in received:
        return np.zeros(tensor.shape)
    return np.array(tensor.backend.to_numpy(received[tensor]))


def walked(y: Tensor, dy: Any) -> dict[Tensor, Any]:
    """dL/d(node) for every node of the graph, as `backward` computes it from dL/dy."""
    received = {y: dy}
    for node in reversed(nodes_of(y)):
        if not node.inputs:
            continue
        op, given = f"the pullback of {operation_name(node)}", received[node]
        before = np.array(node.backend.to_numpy(given))
        for parent, pullback in node.inputs:
            dx = as_gradient(op, guarded(op, pullback, given))
            if parent.inputs and dx.shape != parent.shape:
                raise _misshaped(op, dx.shape, parent.shape)
            if parent in received:
                if received[parent].shape != dx.shape:
                    raise _misshaped(op, dx.shape, parent.shape)
                dx = node.backend.add(received[parent], dx)
            received[parent] = dx
        require_unchanged(before, node.backend.to_numpy(given))
    return received


def _misshaped(op: str, got: tuple[int, ...], right: tuple[int, ...]) -> Fault:
    """The fault of a gradient whose shape is not that of its input."""
    is_broadcast = len(got) >= len(right) and all(
        n in (1, m) for n, m in zip(right[::-1], got[::-1], strict=False)
    )
    return Fault(
        f"{op} gives a gradient of shape {got} for an input of shape {right}: "
        + ("not summed over the axes along which it was broadcast" if is_broadcast else "must be"),
        "not summed" if is_broadcast else None,
    )


def of_arrays(
    forward: Callable[..., Any], pullback: Callable[..., Any], count: int, what: str
) -> Subject:
    """A function of arrays, and its pullback of (dL/dy, *inputs) by hand."""

    def value(inputs: Arrays) -> Any:
        y = guarded("the function", forward, *[np.array(array) for array in inputs])
        return np.array(as_gradient("the function", y), "float64")

    def pull(dy: Any, inputs: Arrays) -> list[Any]:
        """The gradients of all inputs for dy. Raises `Fault` for too few, or a changed array."""
        given, copies = np.array(dy, "float64"), [np.array(array) for array in inputs]
        found = guarded(what, pullback, given, *copies)
        if count == 1 and not isinstance(found, tuple):
            found = (found,)
        if not isinstance(found, (tuple, list)):
            raise Fault(f"{what} returns {_kind(found)}: must be a tuple of {count} gradients")
        if len(found) != count:
            raise Fault(f"{what} returns {len(found)} gradients: must be {count}, one per input")
        gradients = [np.array(as_gradient(what, each)) for each in found]
        require_unchanged(np.asarray(dy), given)
        for before, after in zip(inputs, copies, strict=True):
            require_unchanged(before, after, "an input")
        return gradients

    return Subject(value, lambda inputs: (value(inputs), lambda dy: pull(dy, inputs)))


def require_unchanged(before: Any, after: Any, name: str = "the incoming gradient") -> None:
    """Raise the `Fault` of a pullback that wrote onto what it was given."""
    if not np.array_equal(before, after, equal_nan=True):
        raise Fault(
            f"the pullback writes onto {name}, which others hold as well: it must compute a new "
            "array",
            "changed later",
        )


def as_gradient(what: str, value: Any) -> Any:
    """The value, if it is an array or a number; otherwise a `Fault` that says what it is.

    Truth values and unsigned integers become float64: differences of those are none.
    """
    if isinstance(value, Tensor):
        raise Fault(f"{what} returns a Tensor: must be an array")
    array = value
    if not isinstance(getattr(value, "shape", None), tuple):
        try:
            array = np.asarray(value)
        except ValueError:
            raise Fault(f"{what} returns a ragged list: must be an array") from None
        except Exception:
            raise Fault(f"{what} returns {_kind(value)}: must be an array") from None
    kind = getattr(getattr(array, "dtype", None), "kind", "")
    if kind == "c":
        raise Fault(f"{what} returns an array of type {array.dtype}: must be real")
    if kind not in tuple("fiub"):
        raise Fault(f"{what} returns {_kind(value)}: must be an array of real numbers")
    return array.astype("float64") if kind in "bu" else array


def guarded(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments); what it raises becomes a `Fault`."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except Fault:
        raise
    except Exception as error:
        message = (str(error).splitlines() or [""])[0][:200]
        raise Fault(f"{what} raises {type(error).__name__}: {message}".rstrip(": ")) from None


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, np.ndarray):
        return f"an array of type {value.dtype}"
    return "None" if value is None else f"a value of type {type(value).__name__}"
