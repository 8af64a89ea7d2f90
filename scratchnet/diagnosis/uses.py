"""A node that is used several times gets one contribution from each use: which were left out?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from scratchnet.diagnosis.subjects import leaves, walked
from scratchnet.diagnosis.trials import Trial
from scratchnet.tensor import Tensor, enable_grad


def uses_forgotten(
    trials: Sequence[Trial], reference: Callable[..., Tensor], like: Sequence[Tensor]
) -> Iterator[tuple[str, str]]:
    """The gradient is the sum of some of the contributions that the reference's graph has."""
    parts = [contributions(t, reference, like) for t in trials]
    count = len(parts[0])
    if not 2 <= count <= 6 or any(len(each) != count for each in parts):
        return
    for size in range(count - 1, 0, -1):
        for kept in itertools.combinations(range(count), size):
            if all(
                t.agrees(t.got, sum(each[k] for k in kept))
                for t, each in zip(trials, parts, strict=True)
            ):
                yield (
                    "use forgotten",
                    f"the input is used {count} times, and only {size} of its contributions "
                    f"{'was' if size == 1 else 'were'} counted",
                )
                return


def contributions(t: Trial, function: Callable[..., Tensor], like: Sequence[Tensor]) -> list[Any]:
    """For each use of the input in the function's graph, its matrix."""
    backend = like[0].backend
    with enable_grad():
        tensors = leaves(t.inputs, like)
        y = function(*tensors)
    leaf = tensors[t.argument]
    columns = []
    for one in np.eye(t.y.size):
        received = walked(y, backend.asarray(one.reshape(t.y.shape)))
        columns.append(
            [
                np.ravel(backend.to_numpy(pullback(dy)))
                for node, dy in received.items()
                for parent, pullback in node.inputs
                if parent is leaf
            ]
        )
    return [np.array(part).T for part in zip(*columns, strict=True)]
