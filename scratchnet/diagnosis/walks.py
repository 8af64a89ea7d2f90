"""A backward pass that somebody wrote: are the gradients of a graph's nodes what they should be?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.diagnosis.explain import Explanation
from scratchnet.diagnosis.subjects import Fault, as_gradient, guarded, walked
from scratchnet.graph import nodes_of, operation_name
from scratchnet.tensor import Tensor

Gradients = dict[Tensor, Any]
Walk = Callable[[Tensor], Mapping[Tensor, Any] | None]


def explain_walk(walk: Walk, result: Tensor) -> list[Explanation]:
    """The mistakes that explain why a backward pass over the graph of `result` is wrong.

    walk(result) returns dL/d(node) for the nodes of the graph, or for its leaves at least, as a
    dictionary of arrays, where dL/d(result) is 1; or it returns None and leaves them in `grad`. A
    gradient is compared with what `backward` computes, and where it is wrong, with what the node's
    consumers sent: it may hold one contribution alone ("overwritten"), or an array that another
    node holds as well, to which something was added later ("changed later").

    Returns no explanation where all are right, one without a name where none is known. Never raises
    what the walk raises; `InputError` for a result that depends on no tensor with a gradient.
    """
    if not isinstance(result, Tensor) or not result.requires_grad:
        raise InputError("explain_walk(walk, result): result must be a Tensor with a graph")
    backend = result.backend
    right = {
        node: np.array(backend.to_numpy(gradient))
        for node, gradient in walked(result, backend.ones(result.shape, result.dtype)).items()
    }
    try:
        got = _gradients(walk, result)
        return [
            Explanation(name, sentence, _evidence(node, got, right))
            for name, sentence, node in _faults(result, got, right)
        ]
    except Fault as fault:
        return [Explanation(fault.mistake, fault.sentence)]


def _gradients(walk: Walk, result: Tensor) -> Gradients:
    """What the walk computed, as NumPy arrays that still share their memory."""
    nodes = nodes_of(result)
    for node in nodes:
        if not node.inputs:
            node.grad = None
    given = guarded("the walk", walk, result)
    if given is None:
        given = {node: node.grad for node in nodes if node.grad is not None}
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise Fault(f"the walk returns a value of type {kind}: must be a dictionary of gradients")
    got = {}
    for node in nodes:
        if node in given:
            name = f"the walk's gradient of {_name(node)}"
            got[node] = node.backend.to_numpy(as_gradient(name, given[node]))
            if got[node].shape != node.shape:
                raise Fault(f"{name} has shape {got[node].shape}: must be {node.shape}")
        elif not node.inputs and node.requires_grad:
            raise Fault(f"the walk leaves no gradient for a leaf of shape {node.shape}")
    return got


def _name(node: Tensor) -> str:
    """What a sentence calls a node: the result of its op, or a leaf of its shape."""
    name = operation_name(node)
    return f"a leaf of shape {node.shape}" if name == "leaf" else f"the result of {name}"


def _faults(
    result: Tensor, got: Gradients, right: Gradients
) -> Iterator[tuple[str | None, str, Tensor]]:
    """The first fault that explains wrong gradients of nodes: mistake, sentence and node."""
    wrong = [n for n in nodes_of(result)[::-1] if n in got and not _same(got[n], right[n])]
    if not wrong:
        return
    sent = contributions(result, right | got)
    torn = [node for node in wrong if node in sent and not _same(got[node], sum(sent[node]))]
    if torn and wrong[0] is not result and all(_is_part(got[node], sent[node]) for node in torn):
        count = len(sent[torn[0]])
        yield (
            "overwritten",
            f"{_name(torn[0])} is used {count} times, and one contribution to its gradient "
            "replaced the others instead of being added",
            torn[0],
        )
        return
    for order in ("last", "first"):
        simulated = _overwriting(result, order)
        if all(_same(got[node], simulated[node]) for node in got):
            yield (
                "overwritten",
                "where a node is used twice, one contribution to its gradient replaced the other "
                "instead of being added",
                wrong[0],
            )
            return
    sender = _sent_too_early(torn[0], result, sent, got[torn[0]]) if torn else None
    if sender is not None:
        yield (
            None,
            f"{_name(sender)} sent its gradient on before all of its consumers had sent theirs: a "
            "node's turn comes when the last of them has",
            torn[0],
        )
        return
    for node in wrong:
        for other in got:
            shares = np.shares_memory(got[node], got[other])
            is_that = _same(got[other], right[other]) and _same(got[node], right[other])
            if other is not node and (shares or is_that):
                yield (
                    "changed later",
                    f"{_name(node)} and {_name(other)} hold one array for their gradients: what "
                    "was added to one later changed the other",
                    node,
                )
                return
    yield None, f"the gradient of {_name(wrong[0])} is wrong, by no mistake known here", wrong[0]


def contributions(result: Tensor, gradients: Gradients) -> dict[Tensor, list[Any]]:
    """For every node, what its consumers send to it, from the gradients that they have."""
    sent: dict[Tensor, list[Any]] = {}
    for node in nodes_of(result)[::-1]:
        for parent, pullback in node.inputs:
            sent.setdefault(parent, []).append(_pulled(pullback, node, gradients[node]))
    return sent


def _sent_too_early(
    node: Tensor, result: Tensor, sent: dict[Tensor, list[Any]], got: Any
) -> Tensor | None:
    """The consumer of a node that sent on a part of its gradient, or each running sum of it."""
    for consumer in nodes_of(result):
        parts = sent.get(consumer, [])
        edges = [pullback for parent, pullback in consumer.inputs if parent is node]
        if not edges or not 2 <= len(parts) <= 4:
            continue
        for order in itertools.permutations(parts):
            sums = list(itertools.accumulate(order))
            for early in (*sums[:-1], sum(sums)):
                change = early - sums[-1]
                moved = sum(_pulled(pullback, consumer, change) for pullback in edges)
                if _same(got, sum(sent[node]) + moved):
                    return consumer
    return None


def _pulled(pullback: Callable[[Any], Any], consumer: Tensor, dy: Any) -> Any:
    """The gradient that a consumer's pullback sends for dy, as a NumPy array."""
    backend = consumer.backend
    dx = pullback(backend.asarray(np.array(dy), consumer.dtype))
    return np.array(backend.to_numpy(dx))


def _overwriting(result: Tensor, kept: str) -> Gradients:
    """The gradients of a walk in which the first or the last contribution is all that counts."""
    backend = result.backend
    gradients = {result: backend.ones(result.shape, result.dtype)}
    for node in nodes_of(result)[::-1]:
        for parent, pullback in node.inputs:
            dx = pullback(gradients[node])
            if kept == "last" or parent not in gradients:
                gradients[parent] = dx
    return {node: np.array(backend.to_numpy(each)) for node, each in gradients.items()}


def _is_part(got: Any, parts: list[Any]) -> bool:
    """Whether it is the sum of some of the parts, but not of all."""
    few = parts[:8]
    return any(
        _same(got, sum(some))
        for count in range(1, len(few))
        for some in itertools.combinations(few, count)
        if some[0].shape == np.shape(got)
    )


def _same(a: Any, b: Any) -> bool:
    """Whether shapes are the same, and numbers up to rounding in their dtype."""
    largest = np.maximum(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0))
    eps = np.finfo(np.asarray(b).dtype if np.asarray(b).dtype.kind == "f" else float).eps
    return np.shape(a) == np.shape(b) and bool(np.all(np.abs(a - b) <= 1e3 * eps * largest))


def _evidence(node: Tensor, got: Gradients, right: Gradients) -> str:
    """The entry that is most wrong, in words."""
    gap = np.abs(got[node] - right[node])
    place = np.unravel_index(int(np.argmax(gap)), gap.shape)
    index = tuple(int(i) for i in place)
    where = f" at {index}" if index else ""
    return (
        f"got {float(got[node][place]):.9g}{where}, should be {float(right[node][place]):.9g}, "
        f"where its value is {float(node.numpy()[place]):.4g}"
    )
