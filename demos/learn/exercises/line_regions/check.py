"""Crossings by hand, and whole networks beside the engine's count."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import mlp
from scratchnet.demos.learn.answers import row
from scratchnet.demos.learn.wrong import Wrong, WrongNumbers, shown
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.regions import line_regions
from scratchnet.depth.slices import Line

NEAR = 1e-5
"""Points that are so near to each other, on an interval of length 1 or more, are one."""

CASES: tuple[tuple[list[float], list[list[float]], list[float]], ...] = (
    ([0, 4], [[-1], [3]], [1]),
    ([0, 4], [[3], [-1]], [3]),
    ([2, 6], [[-1], [3]], [3]),
    ([0, 1, 3], [[1], [2], [-2]], [2]),
    ([0, 2, 3], [[-1], [1], [-1]], [1, 2.5]),
    ([0, 4], [[3, -1], [-1, 3]], [1, 3]),
    ([0, 4], [[1, -1], [3, -4]], []),
    ([0, 4], [[-1, -2], [3, 6]], [1]),
    ([0, 4, 8], [[0], [3], [2]], []),
    ([0, 4, 6], [[-2], [0], [3]], []),
    ([0, 4], [[0, -1], [0, 3]], [1]),
)


def check(learner: Any) -> None:
    """Raise `Wrong` unless `cut` finds each crossing once, and the pieces of whole networks."""
    for points, values, new in CASES:
        found = learner.cut(np.array(points, float), np.array(values, float))
        if isinstance(found, set):
            raise Wrong("cut returns a set, which has no order: must be sorted")
        what = f"cut({shown(points)}, {shown(values)})"
        found = row(found, what)
        check_points(what, found, np.array(points, float), np.array(values, float), np.array(new))
    draw = np.random.default_rng(0)
    for widths in ([5], [4, 4], [6, 5, 4]):
        sizes = [1, *widths]
        layers = [
            (draw.standard_normal((a, b)), draw.standard_normal(b))
            for a, b in zip(sizes, sizes[1:], strict=False)
        ]
        right = pieces(layers)
        ends = np.array([-2.0, 2.0])
        for number in range(len(layers)):
            ends = row(learner.cut(ends, inputs_of(layers[: number + 1], ends)), "cut")
        if len(ends) - 1 != right:
            what = f"a network of {' + '.join(map(str, widths))} ReLUs"
            why = ": kinks may lie near to each other" if len(ends) - 1 < right else ""
            raise Wrong(f"{what} has {len(ends) - 1} pieces on [-2, 2], must be {right}{why}")


def inputs_of(layers: list[Any], points: Any) -> Any:
    """What goes into the ReLUs of the last of these layers, (P, n)."""
    x = points[:, None]
    for W, b in layers[:-1]:
        x = np.maximum(x @ W + b, 0)
    W, b = layers[-1]
    return x @ W + b


def pieces(layers: list[Any]) -> int:
    """The engine's count; what follows the last hidden layer is one output that sees all."""
    last = (np.ones((len(layers[-1][1]), 1)), np.zeros(1))
    model = model_from_weights([*layers, last], "relu")
    return line_regions(model, Line((0.0,), (1.0,), (-2.0, 2.0))).count


def check_points(what: str, found: Any, points: Any, values: Any, new: Any) -> None:
    """The points of one case must be the old ones and the new ones, in order, each once."""
    right = np.sort(np.concatenate([points, new]))
    result = f"{what} gives {listed(found)}, must be {listed(right)}"
    if found.shape == right.shape and np.allclose(found, right, atol=NEAR):
        return
    if found.shape == right.shape and np.allclose(np.sort(found), right, atol=NEAR):
        raise Wrong(f"{result}: the points are not sorted")
    once = np.unique(np.round(found, 6))
    if once.shape == right.shape and np.allclose(once, right, atol=NEAR):
        raise Wrong(f"{result}: every place must be there once")
    if len(new) and found.shape == new.shape and np.allclose(np.sort(found), new, atol=NEAR):
        raise Wrong(f"{result}: the old points must be returned too")
    if why := reason(found, points, values, new):
        raise Wrong(f"{result}: {why}")
    raise WrongNumbers(result, found)


def listed(numbers: Any) -> str:
    """The numbers in brackets, with 6 digits at most."""
    return f"[{', '.join(f'{each:g}' for each in numbers)}]"


def reason(found: Any, points: Any, values: Any, new: Any) -> str:
    """Which slip gives these points, as far as it is known."""
    if np.isnan(found).any():
        return "a neuron that is 0 at both ends has no crossing, and v0 / (v0 - v1) is 0 / 0"
    extra = [each for each in found if np.abs(points - each).min() > NEAR]
    lost = [each for each in points if not len(found) or np.abs(found - each).min() > NEAR]
    if lost:
        return f"the old point {lost[0]:g} is gone"
    if len(extra) < len(new):
        neuron, p0, p1, v0, v1 = crossed(points, values)
        for which, start, end, left, right in zip(neuron, p0, p1, v0, v1, strict=True):
            place = start + left / (left - right) * (end - start)
            if not len(extra) or np.abs(np.array(extra) - place).min() > NEAR:
                return (
                    f"a crossing is missed, at {place:g}, where neuron {which} (column {which} of "
                    f"values) goes from {left:g} to {right:g}"
                )
    if len(extra) > len(new):
        return "there is no crossing where both ends have the same sign, or one is 0"
    for p0, p1, v0, v1 in zip(points, points[1:], values[:-1, 0], values[1:, 0], strict=False):
        share = v0 / (v0 - v1) if v0 != v1 else np.nan
        slips = {
            "the share is that of the way back, from the right end": p1 - share * (p1 - p0),
            "the share must be taken of p1 - p0, and added to p0": p0 + share * p1,
            "the share is v0 / (v0 - v1), this has v1 above": p0 + (share - 1) * (p1 - p0),
            "p0 must be added": share * (p1 - p0),
            "this is the middle, not the place where the line is 0": (p0 + p1) / 2,
            "the share is v0 / (v0 - v1), not + v1": p0 + v0 / (v0 + v1 or np.nan) * (p1 - p0),
            "the share is v0 / (v0 - v1), the sign is turned": p0 - share * (p1 - p0),
        }
        for sentence, place in slips.items():
            if len(extra) == 1 and abs(extra[0] - place) < NEAR:
                return sentence
    return ""


def crossed(points: Any, values: Any) -> tuple[Any, ...]:
    """The neuron, the points and the values around each place where a neuron changes its sign."""
    left, right = values[:-1], values[1:]
    piece, neuron = np.nonzero(left * right < 0)
    around = points[piece], points[piece + 1], left[piece, neuron], right[piece, neuron]
    return neuron, *around


def outcome() -> tuple[str, int]:
    """Pieces of one layer of 32 and of four layers of 8, on average over 20 networks."""
    line = Line((0.0,), (1.0,), (-1.0, 1.0))
    wide, deep = (
        float(
            np.mean(
                [
                    line_regions(mlp([1, *widths, 1], seed=i, bias_init="uniform"), line).count
                    for i in range(20)
                ]
            )
        )
        for widths in ([32], [8] * 4)
    )
    words = f"one layer of 32 has {wide:.1f} pieces on average, four layers of 8 have {deep:.1f}"
    return words, 2 if max(wide, deep) < 2 * min(wide, deep) else 0 if wide > deep else 1
