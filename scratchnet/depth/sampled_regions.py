"""Linear regions seen by a grid of points: the cross-check of the exact count.

The model itself is run, on its own backend and in its own dtype, and its gradient comes from
`backward()`. So nothing is shared with `regions.py` but the question. Regions that no grid point
hits are missed, so the count is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import Array
from scratchnet.backends.errors import positive_whole
from scratchnet.depth.piecewise_linear import check_network, row_keys
from scratchnet.depth.slices import Slice, points
from scratchnet.layers import Layer, LeakyReLU, ReLU, Residual, Sequential, Threshold
from scratchnet.model import Model, in_mode
from scratchnet.tensor import Tensor, no_grad

POINTS_PER_BLOCK = 2**15

# Maps that differ by less than this share of the largest coefficient count as one.
SAME_MAP = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False)
class SampledRegions:
    """The activation patterns and affine maps at the points of a grid in a slice."""

    patterns: np.ndarray
    """(U, hidden neurons), bool: each pattern found, once."""
    labels: np.ndarray
    """(resolution,) on a line or (resolution, resolution) on a plane, with a row for each second
    coordinate: which pattern is found there."""
    map_count: int
    """How many different affine maps these patterns have, connected or not."""

    @property
    def count(self) -> int:
        """The number of activation patterns found."""
        return len(self.patterns)


def sampled_regions(
    model: Model, where: Slice, resolution: int = 512, network: int | None = None
) -> SampledRegions:
    """Count the regions of `model` that a grid of `resolution` points along each direction hits.

    Any layers may stand between: only ReLU, LeakyReLU and Threshold have a pattern. Two maps are
    the same if no coefficient differs by more than 1e-4 (float32) or 1e-9 (float64) of the largest.
    `network` chooses one of an ensemble. Raises `InputError` for a resolution below 1.
    """
    check_network(model.ensemble, network)
    positive_whole("resolution", resolution)
    coordinates = where.grid(resolution)
    with _in_eval_mode(model):
        keys = [
            row_keys(_patterns(model, points(where, block), network))
            for block in _blocks(coordinates)
        ]
        _, first, label = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
        maps = [_affine_maps(model, where, block, network) for block in _blocks(coordinates[first])]
        patterns = [
            _patterns(model, points(where, block), network) for block in _blocks(coordinates[first])
        ]
    return SampledRegions(
        patterns=np.concatenate(patterns),
        labels=label.reshape((resolution,) * len(where.directions)),
        map_count=_distinct(np.concatenate(maps), SAME_MAP[model.dtype]),
    )


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in blocks of at most `POINTS_PER_BLOCK`."""
    for start in range(0, len(rows), POINTS_PER_BLOCK):
        yield rows[start : start + POINTS_PER_BLOCK]


def _patterns(model: Model, X: np.ndarray, network: int | None) -> np.ndarray:
    """(N, hidden neurons), bool: which neurons are active at the points X."""
    active = [np.empty((len(X), 0), bool)]

    def watch(layer: Layer, x: Tensor) -> None:
        """Note which neurons of an activation are active at its inputs x."""
        if isinstance(layer, ReLU | LeakyReLU | Threshold):
            z: Array = x.data if network is None or x.ndim < 3 else x.data[network]
            fires = z >= 0 if isinstance(layer, Threshold) else z > 0
            active.append(x.backend.to_numpy(fires))

    with no_grad():
        _run(model.root, model.as_input(X), watch)
    return np.concatenate(active, axis=1)


def _run(layer: Layer, x: Tensor, watch: Callable[[Layer, Tensor], None]) -> Tensor:
    """The layer's output; `watch` is shown each layer that holds no others, and its input.

    A threshold is run without its surrogate window, so that its derivative is the true one, 0.
    """
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            x = _run(inner, x, watch)
        return x
    if isinstance(layer, Residual):
        return layer.added(x, _run(layer.body, x, watch))
    watch(layer, x)
    return ops.threshold(x) if isinstance(layer, Threshold) else layer.forward(x)


def _affine_maps(
    model: Model, where: Slice, coordinates: np.ndarray, network: int | None
) -> np.ndarray:
    """(N, outputs * (directions + 1)): gradient by the coordinates, and offset, of each output."""
    X = Tensor(points(where, coordinates), model.dtype, model.backend)
    outputs = _run(model.root, X, lambda layer, x: None)
    columns: list[Any] = []
    for output in range(outputs.shape[-1]):
        y = outputs[..., output] if network is None else outputs[network, :, output]
        y.sum().backward()
        assert X.grad is not None
        gradient = model.backend.to_numpy(X.grad).astype(float) @ where.directions.T
        columns += [gradient, (y.numpy() - (gradient * coordinates).sum(axis=1))[:, None]]
    return np.concatenate(columns, axis=1)


def _distinct(maps: np.ndarray, tolerance: float) -> int:
    """How many rows differ, each coefficient rounded to a multiple of the tolerance."""
    largest = np.abs(maps).max()
    step = tolerance * largest if largest else 1.0
    return len(np.unique(np.rint(maps / step), axis=0))


@contextmanager
def _in_eval_mode(model: Model) -> Iterator[None]:
    """Inside, the model is in eval mode; afterwards modes and gradients are as before."""
    gradients = model.backend.copy(model.gradient_buffer)
    try:
        with in_mode(model, training=False):
            yield
    finally:
        model.backend.copy(gradients, out=model.gradient_buffer)
