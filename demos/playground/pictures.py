"""What the page draws: the prediction over the plane, its boundary, the regions, the neurons."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet import Linear, Model
from scratchnet.backends.errors import InputError
from scratchnet.demos.playground.data import Task
from scratchnet.demos.playground.stages import stages
from scratchnet.depth.pieces import TooManyRegions
from scratchnet.depth.regions import plane_mosaic
from scratchnet.depth.slices import points
from scratchnet.layers import Activation, LeakyReLU, ReLU, Threshold
from scratchnet.pruning import prune

MOST_REGIONS = 10_000
TOO_MANY = f"more than {MOST_REGIONS:,} linear regions: too many to draw"
NEURON_PIXELS, MOST_NEURON_BYTES = 24, 100_000


def is_piecewise_linear(model: Model) -> bool:
    """Whether the network has linear regions."""
    kinds = [layer for _, layer in model.root.walk() if isinstance(layer, Activation)]
    return all(isinstance(each, (ReLU, LeakyReLU, Threshold)) for each in kinds)


def scores(outputs: Any, model: Model) -> Any:
    """Outputs (N, k) as P(class 1) (N,), or as the classes' probabilities (N, classes), 0 to 1.

    Logits go through sigmoid or softmax; outputs that were fitted to 0 and 1 are cut off there.
    """
    z = np.asarray(outputs, np.float64)
    if model.loss == "softmax_cross_entropy":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    if model.loss == "binary_cross_entropy":
        p = np.exp(-np.logaddexp(0, -z))
    elif model.loss == "hinge":
        p = np.clip((z + 1) / 2, 0, 1)
    else:
        p = np.clip(z, 0, 1)
    return p[:, 0] if p.shape[1] == 1 else p


def as_bytes(share: Any) -> Any:
    """Numbers from 0 to 1 as uint8, 0 to 255; what is not a number is 128."""
    values = np.asarray(np.asarray(share) * 255)
    values[np.isnan(values)] = 128
    return values.round().clip(0, 255).astype(np.uint8)


def prediction(model: Model, task: Task, size: int) -> tuple[Any, Any]:
    """The scores as bytes (size, size) or (classes, size, size), and the grid's margins.

    A margin is above 0 where the class wins: (size, size), or (classes, size, size).
    """
    outputs = model.predict(points(task.plane, task.plane.grid(size)))
    shown = as_bytes(scores(outputs, model))
    if shown.ndim == 1:
        return shown.reshape(size, size), (outputs[:, 0] - (model.threshold or 0)).reshape(
            size, size
        )
    return shown.T.reshape(-1, size, size), outputs.T.reshape(-1, size, size)


def exact(
    model: Model, task: Task, with_regions: bool, compile: bool = False
) -> tuple[dict[str, Any], int]:
    """Boundary and, if asked for, regions of a network of linear pieces; and their number.

    `compile` finds the same in less time, see `plane_mosaic`. Raises `TooManyRegions`, and
    `InputError` for weights that are not finite.
    """
    vertices, polygons, boundary = plane_mosaic(
        shifted(model), task.plane, max_regions=MOST_REGIONS, compile=compile
    )
    arrays = {"boundary": boundary.astype(np.float32)}
    if with_regions:
        arrays["regions_vertices"] = vertices.astype(np.float32)
        arrays["regions_polygons"] = polygons.astype(np.int32)
    return arrays, len(polygons)


def shifted(model: Model) -> Model:
    """A network whose single output is above 0 where this one's is above the threshold."""
    if not model.threshold or stages(model)[-1].linear.fan_out > 1:
        return model
    moved = copy.deepcopy(model)
    stages(moved)[-1].linear.parameters["bias"].data[...] -= model.threshold
    return moved


def contours(margins: Any, task: Task) -> Any:
    """Segments (B, 2, 2), float32, where the class of the grid's cells changes.

    Between neighbours of the grid each class's lead over the others is taken as linear.
    """
    if margins.ndim == 2:
        return _zero_lines(margins, task)
    order = np.sort(margins, axis=0)
    # The lead of each class over the best of the others.
    leads = np.where(margins == order[-1], margins - order[-2], margins - order[-1])
    return np.concatenate([_zero_lines(each, task) for each in leads])


# Which sides of a cell a line through it joins, for the signs of its corners (marching squares).
# Corners are numbered counter-clockwise from the lower left, and side i runs from corner i on.
_SIDES: Mapping[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 0),), 2: ((0, 1),), 3: ((3, 1),), 4: ((1, 2),), 5: ((3, 0), (1, 2)), 6: ((0, 2),),
    7: ((3, 2),), 8: ((2, 3),), 9: ((2, 0),), 10: ((0, 1), (2, 3)), 11: ((2, 1),), 12: ((1, 3),),
    13: ((1, 0),), 14: ((0, 3),),
}  # fmt: skip


def _zero_lines(values: Any, task: Task) -> Any:
    """Segments where the values (size, size) over the window pass 0."""
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1e300, neginf=-1e300)
    size = len(values)
    corners = np.stack([values[:-1, :-1], values[:-1, 1:], values[1:, 1:], values[1:, :-1]])
    code = ((corners > 0) * np.array([1, 2, 4, 8])[:, None, None]).sum(axis=0)
    steps = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
    found = [np.empty((0, 2, 2))]
    for kind, sides in _SIDES.items():
        row, column = np.nonzero(code == kind)
        for pair in sides:
            ends = []
            for side in pair:
                behind = (side + 1) % 4
                a, b = corners[side, row, column], corners[behind, row, column]
                share = (a / (a - b))[:, None]
                place = steps[side] + share * (steps[behind] - steps[side])
                ends.append(np.stack([column, row], axis=1) + place)
            found.append(np.stack(ends, axis=1))
    (left, right), (bottom, top) = task.plane.window
    low, extent = np.array([left, bottom]), np.array([right - left, top - bottom])
    return (low + (np.concatenate(found) + 0.5) / size * extent).astype(np.float32)


def neurons(model: Model, task: Task) -> Any:
    """(neurons, s, s), uint8: each hidden neuron and output over the window, 128 for 0."""
    counts = [each.linear.fan_out for each in stages(model)]
    size = NEURON_PIXELS
    while size > 8 and sum(counts) * size**2 > MOST_NEURON_BYTES:
        size -= 4
    grid = points(task.plane, task.plane.grid(size))
    shown = []
    for values in layer_values(model, grid):
        largest = np.abs(values).max(initial=1e-12, where=np.isfinite(values))
        shown.append(as_bytes(0.5 + values * (127 / 255 / largest)).T)
    return np.concatenate(shown).reshape(-1, size, size)


def layer_values(model: Model, X: Any) -> list[Any]:
    """What each hidden layer hands on, and the outputs, (N, width) each."""
    values: list[Any] = []
    for each, layer in zip(model.activations(X).values(), model.layers, strict=True):
        # A hidden layer begins with Linear, or is one block with a shortcut around it.
        if any(isinstance(inner, Linear) for _, inner in layer.walk()):
            values.append(each)
        else:
            values[-1] = each
    return values


def silent(model: Model, X: Any) -> int:
    """How many hidden neurons are 0 on every point of X (N, inputs)."""
    return sum(int((values == 0).all(axis=0).sum()) for values in layer_values(model, X)[:-1])


def weights(model: Model) -> Any:
    """All weights (in, out) row by row and biases, layer by layer, float32 (n,)."""
    parts = []
    for each in stages(model):
        parts += [each.linear.parameters[name].data.reshape(-1) for name in ("weight", "bias")]
    return np.concatenate(parts).astype(np.float32)


def pruned(model: Model, share: float) -> Model:
    """A copy without that share of the smallest weights."""
    copied = copy.deepcopy(model)
    prune(copied, sparsity=share)
    return copied


def points_of(task: Task) -> dict[str, Any]:
    """The points on the plane, and their classes."""
    return {
        "points": task.on_plane(task.X),
        "labels": task.y.astype(np.uint8),
        "test_points": task.on_plane(task.X_test),
        "test_labels": task.y_test.astype(np.uint8),
    }


def plane_arrays(
    model: Model,
    task: Task,
    size: int,
    with_regions: bool,
    is_crowded: bool = False,
    compile: bool = False,
) -> tuple[dict[str, Any], int | None, str]:
    """Prediction, boundary, regions and neurons; the regions' number, and what is missing, why.

    `is_crowded` says that there are too many regions, so that none are looked for. `compile`
    is that of `exact`.
    """
    shown, margins = prediction(model, task, size)
    arrays = {"prediction": shown, "neurons": neurons(model, task), "weights": weights(model)}
    sentence = ""
    if not is_piecewise_linear(model):
        if with_regions:
            sentence = "this activation is smooth: the network has no linear regions"
    elif is_crowded:
        sentence = TOO_MANY
    else:
        try:
            found, count = exact(model, task, with_regions, compile)
            return {**arrays, **found}, count, ""
        except TooManyRegions:
            sentence = TOO_MANY
        except MemoryError:
            sentence = "not enough memory to find the linear regions"
        except InputError as error:
            sentence = str(error)
    return {**arrays, "boundary": contours(margins, task)}, None, sentence
