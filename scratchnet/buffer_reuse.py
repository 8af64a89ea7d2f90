"""A recorded step on less memory: eliding copies, reusing buffers.

The calls of a recorded step can be repeated as they are; `program.py` does without this module
but for speed. Two rewritings make the list shorter and its memory smaller: a result that would only
be copied is written to where the copy goes, and a buffer whose numbers are no longer needed takes
the next result of its shape. Neither changes what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends import Array, Backend
from scratchnet.backends.interface import Call


def elide_copies(calls: Sequence[Call], outcome: Array, backend: Backend) -> list[Call]:
    """Leave out each copy of a new array that nobody else reads; its maker writes to the target.

    So a weight's gradient is computed straight into the gradient buffer.
    """
    readers = _count_readers(calls)
    kept: list[Call | None] = list(calls)
    maker = {id(owner(call.out)): i for i, call in enumerate(calls) if call.is_new}
    for j, copy in enumerate(calls):
        if copy.kernel is not backend.xp.positive or copy.is_new:
            continue
        source, made = owner(copy.inputs[0]), maker.get(id(owner(copy.inputs[0])))
        if made is None or readers[id(source)] != 1 or source is owner(outcome):
            continue
        if not _same_order(copy.inputs[0], calls[made].out):
            continue
        target = copy.out.reshape(calls[made].out.shape)
        touched = [
            array for call in calls[made + 1 : j] for array in (*arrays_in(call.inputs), call.out)
        ]
        if (
            backend.xp.may_share_memory(target, copy.out)
            and target.dtype == source.dtype
            and not any(
                backend.shares_memory(target, array)
                for array in (*arrays_in(calls[made].inputs), *touched)
            )
        ):
            kept[made] = calls[made]._replace(out=target, is_new=False)
            kept[j] = None
    return [call for call in kept if call is not None]


def _same_order(view: Array, array: Array) -> bool:
    """Whether the view is all of the array, at most reshaped: not transposed, not broadcast."""
    contiguous = view.flags.c_contiguous and array.flags.c_contiguous
    return bool(contiguous and view.size == array.size)


def _count_readers(calls: Sequence[Call]) -> dict[int, int]:
    """How many inputs, and later outputs, are views of each array."""
    readers: dict[int, int] = {}
    for call in calls:
        for array in (*arrays_in(call.inputs), *(() if call.is_new else (call.out,))):
            readers[id(owner(array))] = readers.get(id(owner(array)), 0) + 1
    return readers


def reuse_buffers(calls: Sequence[Call], outcome: Array, backend: Backend) -> list[Call]:
    """The same calls on fewer buffers: a new array takes one whose last reader has been.

    Fewer buffers are less to fetch from memory. An elementwise call may write onto an input that
    nobody reads after it; a product or a reduction may not.
    """
    last_use: dict[int, int] = {}
    for number, call in enumerate(calls):
        for array in (*arrays_in(call.inputs), call.out):
            last_use[id(owner(array))] = number
    movable = _movable(calls, outcome, backend)
    moved: dict[int, Array] = {}
    free: dict[Any, list[Array]] = {}
    rewritten = []
    for number, call in enumerate(calls):
        # By their identity: one array may be read twice.
        dying = {
            id(each): each
            for each in map(owner, arrays_in(call.inputs))
            if id(each) in movable and last_use[id(each)] == number
        }
        inputs = _on_new_buffers(call.inputs, moved, backend)
        if backend.is_elementwise(call.kernel):
            for name in [name for name, each in dying.items() if _reads_alike(call, each)]:
                each = dying.pop(name)
                free.setdefault(_layout(each), []).append(moved[name])
        if call.is_new and id(owner(call.out)) in movable:
            waiting = free.get(_layout(call.out))
            moved[id(call.out)] = waiting.pop() if waiting else call.out
        for name, each in dying.items():
            free.setdefault(_layout(each), []).append(moved[name])
        out = _on_new_buffers((call.out,), moved, backend)[0]
        rewritten.append(Call(call.kernel, inputs, out, call.is_new))
    return rewritten


def _movable(calls: Sequence[Call], outcome: Array, backend: Backend) -> set[int]:
    """The new arrays whose place in memory is nobody's business.

    Not the outcome, nor one of which a part is used that does not begin where it begins.
    """
    new = {id(call.out): call.out for call in calls if call.is_new and owner(call.out) is call.out}
    new.pop(id(owner(outcome)), None)
    for call in calls:
        for array in (*arrays_in(call.inputs), call.out):
            whole = owner(array)
            if backend.address(array) != backend.address(whole) or array.dtype != whole.dtype:
                new.pop(id(whole), None)
    return set(new)


def _reads_alike(call: Call, array: Array) -> bool:
    """Whether all inputs that are views of `array` lie exactly as the output does."""
    views = [each for each in arrays_in(call.inputs) if owner(each) is array]
    return all(_layout(view) == _layout(call.out) for view in views)


def _layout(array: Array) -> Any:
    """Shape, strides and dtype: arrays alike in these may share a buffer."""
    return array.shape, array.strides, array.dtype


def _on_new_buffers(inputs: Any, moved: dict[int, Array], backend: Backend) -> Any:
    """The inputs, with each array that was moved as the same view of its new buffer."""
    if isinstance(inputs, (tuple, list)):
        return type(inputs)([_on_new_buffers(each, moved, backend) for each in inputs])
    if not isinstance(inputs, backend.xp.ndarray) or id(owner(inputs)) not in moved:
        return inputs
    buffer = moved[id(owner(inputs))]
    if buffer is owner(inputs):
        return inputs
    if _layout(inputs) == _layout(buffer):
        return buffer
    return backend.xp.lib.stride_tricks.as_strided(buffer, inputs.shape, inputs.strides)


def owner(array: Array) -> Array:
    """The array that owns the memory of this one, which may be a view."""
    while isinstance(getattr(array, "base", None), type(array)):
        array = array.base
    return array


def arrays_in(inputs: Any) -> list[Array]:
    """All arrays among the inputs of a call, also those inside a tuple."""
    if isinstance(inputs, (tuple, list)):
        return [array for each in inputs for array in arrays_in(each)]
    return [inputs] if hasattr(inputs, "strides") and hasattr(inputs, "dtype") else []
