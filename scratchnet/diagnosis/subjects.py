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


@dataclass(frozen=True)
class Subject:
    """y = value(inputs), and the gradients of the inputs, pull(dL/dy, inputs), None for constants.

    Arrays are NumPy's, float64. A gradient may have any shape and dtype.
    """

    value: Callable[[Arrays], Any]
    pull: Callable[[Any, Arrays], list[Any]]
    pull_later: Callable[[Any, Arrays, Arrays], list[Any]] | None = None
    """As `pull`, of a function that is called with other inputs before its pullback is."""


def of_tensors(function: Callable[..., Any], like: Sequence[Tensor], what: str) -> Subject:
    """A function of tensors: its graph is walked with its own pullbacks."""
    backend = like[0].backend

    def leaves(inputs: Arrays) -> list[Tensor]:
        return [
            Tensor(backend.asarray(array), "float64", backend, requires_grad=old.requires_grad)
            for array, old in zip(inputs, like, strict=True)
        ]

    def called(tensors: list[Tensor]) -> Tensor:
        y = guarded(what, function, *tensors)
        if not isinstance(y, Tensor):
            raise Fault(f"{what} returns {_kind(y)}: must be a Tensor")
        return y

    def value(inputs: Arrays) -> Any:
        with no_grad():
            return np.array(called(leaves(inputs)).numpy())

    def pull(dy: Any, inputs: Arrays, later: Arrays | None = None) -> list[Any]:
        with enable_grad():
            tensors = leaves(inputs)
            y = called(tensors)
            if later is not None:
                called(leaves(later))
        received = walked(y, backend.asarray(np.array(dy, "float64")))
        wanted = [t for t in tensors if t.requires_grad]
        if y.requires_grad and wanted and not any(t in received for t in wanted):
            raise Fault(f"the result of {what} depends on none of the tensors that it was given")
        return [_gradient_of(t, received) for t in tensors]

    return Subject(value, pull, pull)


def _gradient_of(tensor: Tensor, received: dict[Tensor, Any]) -> Any:
    if not tensor.requires_grad:
        return None
    if tensor not in received:
        return np.zeros(tensor.shape)
    return np.array(tensor.backend.to_numpy(received[tensor]))


def walked(y: Tensor, dy: Any) -> dict[Tensor, Any]:
    """dL/d(node) for every node of the graph, as `backward` computes it from dL/dy."""
    received = {y: dy}
    for node in reversed(nodes_of(y)):
        for parent, pullback in node.inputs:
            given = received[node]
            before = np.array(node.backend.to_numpy(given))
            dx = as_gradient(
                f"the pullback of {operation_name(node)}",
                guarded(f"the pullback of {operation_name(node)}", pullback, given),
            )
            require_unchanged(before, node.backend.to_numpy(given))
            if parent in received:
                try:
                    dx = node.backend.add(received[parent], dx)
                except Exception:
                    shapes = f"{received[parent].shape} and {dx.shape}"
                    raise Fault(
                        f"two contributions to the gradient of one node have shapes {shapes}: "
                        f"both must be {parent.shape}"
                    ) from None
            received[parent] = dx
    return received


def of_arrays(
    forward: Callable[..., Any], pullback: Callable[..., Any], count: int, what: str
) -> Subject:
    """A function of arrays, and its pullback of (dL/dy, *inputs) by hand."""

    def value(inputs: Arrays) -> Any:
        y = guarded("the function", forward, *[np.array(array) for array in inputs])
        return np.array(as_gradient("the function", y))

    def pull(dy: Any, inputs: Arrays) -> list[Any]:
        given, copies = np.array(dy, "float64"), [np.array(array) for array in inputs]
        found = guarded(what, pullback, given, *copies)
        require_unchanged(np.asarray(dy), given)
        for before, after in zip(inputs, copies, strict=True):
            require_unchanged(before, after, "an input")
        if count == 1 and not isinstance(found, (tuple, list)):
            found = (found,)
        if not isinstance(found, (tuple, list)):
            raise Fault(f"{what} returns {_kind(found)}: must be a tuple of {count} gradients")
        if len(found) != count:
            raise Fault(f"{what} returns {len(found)} gradients: must be {count}, one per input")
        return [np.array(as_gradient(what, each)) for each in found]

    return Subject(value, pull)


def require_unchanged(before: Any, after: Any, name: str = "the incoming gradient") -> None:
    """Raise the `Fault` of a pullback that wrote onto what it was given."""
    if not np.array_equal(before, after, equal_nan=True):
        raise Fault(
            f"the pullback writes onto {name}, which others hold as well: it must compute a new "
            "array",
            "changed later",
        )


def as_gradient(what: str, value: Any) -> Any:
    """The value, if it is an array or a number; otherwise a `Fault` that says what it is."""
    if isinstance(value, Tensor):
        raise Fault(f"{what} returns a Tensor: must be an array")
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        array = value
    else:
        try:
            array = np.asarray(value)
        except ValueError:
            raise Fault(f"{what} returns a ragged list: must be an array") from None
    if array.dtype.kind not in "fiub":
        raise Fault(f"{what} returns {_kind(value)}: must be an array")
    return array


def guarded(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except Fault:
        raise
    except Exception as error:
        message = (str(error).splitlines() or [""])[0][:200]
        raise Fault(f"{what} raises {type(error).__name__}: {message}".rstrip(": ")) from None


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
