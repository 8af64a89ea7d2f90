"""The figures of `scratchnet xor`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import rate_figures
from scratchnet.demos.figures import (
    POINT_COLORS,
    Axes,
    Figure,
    decision_panel,
    grid_points,
    new_figure,
    probabilities,
    window,
)
from scratchnet.demos.running import Result, Row
from scratchnet.demos.xor.experiment import (
    CORNER_NAMES,
    CORNERS,
    SOLVED,
    XOR,
    build,
    ended,
    gate_signals,
)

RESOLUTION, POINT_SIZE = 200, 90
INK = "#333333"


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    trained = [row for row in result.verdict_rows() if row.facts["hidden"]]
    found: dict[str, Callable[[], Figure]] = {"gates": gates}
    if trained and trained[0].facts["hidden"] == 2:
        found["folding"] = partial(folding, result, trained[0])
    groups: dict[str, list[str]] = {}
    for row in trained:
        groups.setdefault(row.arm.rpartition(", ")[0], []).append(row.arm)
    return found | rate_figures(result, groups, score="points right")


def gates() -> Figure:
    """Where OR, NAND and their AND fire in the plane, and the plane of the two hidden signals."""
    figure, axes = new_figure(1, 4, width=11, height=3.4)
    extent = window(CORNERS, margin=0.9)
    points = grid_points(extent, RESOLUTION)
    signals, at_corners = gate_signals(points), gate_signals(CORNERS)
    hidden = np.column_stack([at_corners["OR"], at_corners["NAND"]])
    both = points.sum(axis=1) >= 1.5
    panels = [
        ("OR fires: a + b ≥ ½", "a", "b", signals["OR"], CORNERS),
        ("NAND fires: −a − b ≥ −1½", "a", "b", signals["NAND"], CORNERS),
        ("both fire: XOR", "a", "b", signals["AND"], CORNERS),
        ("what the output sees", "OR", "NAND", both, hidden),
    ]
    for panel, (title, x, y, fires, corners) in zip(axes, panels, strict=True):
        shown = np.asarray(fires, float).reshape(RESOLUTION, RESOLUTION)
        plane(panel, extent, shown, corners, x, y)
        panel.set_title(title)
        panel.set(xticks=[0, 1], yticks=[0, 1])
    figure.suptitle("No line separates XOR (circles from squares); two lines and an AND do")
    return figure


def plane(axes: Axes, extent: Any, shown: Any, corners: Any, x: str, y: str) -> None:
    """P(1) over a plane with the four corners, each beside its name; equal places are joined."""
    decision_panel(axes, extent, shown, corners, XOR, point_size=POINT_SIZE)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(False)
    names: dict[tuple[float, float], list[str]] = {}
    for name, (left, up) in zip(CORNER_NAMES, np.round(corners.astype(float), 2), strict=True):
        names.setdefault((left, up), []).append(name)
    offset: dict[str, Any] = {"xytext": (7, 5), "textcoords": "offset points", "fontsize": 9}
    for place, here in names.items():
        axes.annotate(", ".join(here), place, **offset)


def folding(result: Result, row: Row) -> Figure:
    """What a solved network and a stuck one do with the plane: inputs left, hidden signals right.

    The stuck one is of the most frequent kind.
    """
    ends = ended(row)
    stuck = sorted(set(ends) - {SOLVED}, key=ends.count)
    shown = [*([SOLVED] if SOLVED in ends else []), *stuck[-1:]]
    size = {"width": 7.2, "height": 1.1 + 3.2 * len(shown)}
    figure, axes = new_figure(len(shown), 2, **size, squeeze=False)
    networks = build(result.settings, row.facts, row.seeds)
    state = {name[6:]: each for name, each in row.arrays.items() if name.startswith("state ")}
    networks.load_state_dict(state)
    for (inputs, signals), end in zip(axes, shown, strict=True):
        model = networks.network(ends.index(end))
        draw_inputs(inputs, model)
        draw_hidden(signals, model)
        inputs.set_title(f"{row.arm}: {end}")
        signals.set_title("after the hidden layer")
    labels = {"--": "weighted sum of neuron 1 is 0", ":": "weighted sum of neuron 2 is 0"}
    handles = [
        inputs.plot([], [], color=INK, linestyle=line, label=text)[0]
        for line, text in labels.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle("Solved: the hidden layer folds the plane until one line is enough")
    return figure


def draw_inputs(axes: Axes, model: Any) -> None:
    """P(1) over the inputs, and where the weighted sum of each hidden neuron is 0."""
    extent = window(CORNERS, margin=0.9)
    points = grid_points(extent, RESOLUTION)
    plane(axes, extent, probabilities(model, extent, RESOLUTION), CORNERS, "a", "b")
    sums = model.activations(points)["0"]
    for neuron, line in enumerate(("--", ":")):
        z = sums[:, neuron].reshape(RESOLUTION, RESOLUTION)
        axes.contour(z, levels=[0], extent=extent, colors=INK, linestyles=line, linewidths=1.2)
    axes.set(xticks=[0, 1], yticks=[0, 1])


def draw_hidden(axes: Axes, model: Any) -> None:
    """P(1) over the hidden signals, with the images of the corners."""
    corners = model.activations(CORNERS)["1"]
    extent = window(corners, margin=0.9)
    logits = model.as_input(grid_points(extent, RESOLUTION))
    for layer in model.layers[2:]:
        logits = layer(logits)
    shown = np.exp(-np.logaddexp(0, -logits.numpy())).reshape(RESOLUTION, RESOLUTION)
    plane(axes, extent, shown, corners, "hidden 1", "hidden 2")
    # Where points of both classes coincide, the circle shows inside the square.
    x, y = corners[XOR == 0].T
    axes.scatter(x, y, s=POINT_SIZE / 5, c=POINT_COLORS[0], zorder=3)
