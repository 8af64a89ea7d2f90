"""The figures of `scratchnet xor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from scratchnet.demos.figures import (
    LINE_COLORS,
    POINT_COLORS,
    decision_panel,
    grid_points,
    new_figure,
    styled,
    window,
)
from scratchnet.demos.xor.experiment import (
    CORNER_NAMES,
    CORNERS,
    CURVES,
    PLATEAUS,
    SOLVED,
    XOR,
    Result,
    Training,
    gate_network,
    gate_signals,
    plateau_loss,
    probability,
)
from scratchnet.demos.xor.report import described, shown_outcomes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.model import Model

Extent: TypeAlias = tuple[float, float, float, float]

RESOLUTION = 200
POINT_SIZE = 90
NEURON_LINES = ("--", ":")
INK, GRID_COLOR = "#333333", "#888888"
SOLVED_COLOR, STUCK_COLOR = LINE_COLORS[0], LINE_COLORS[1]


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The figures of the steps that were finished, by their names."""
    figures = {"gates": gates_figure()}
    if result.smooth:
        narrowest = min(each.hidden for each in result.smooth)
        shown = [each for each in result.smooth if each.hidden == narrowest]
        figures["loss"] = loss_figure(shown)
        figures |= {
            f"folding_{each.activation}": folding_figure(each)
            for each in result.smooth
            if each.hidden == 2
        }
        figures["solved"] = solved_figure(result)
    return figures


def gates_figure() -> Figure:
    """Where OR, NAND and their AND fire in the plane, and the plane of the two hidden signals."""
    figure, axes = new_figure(1, 4, width=10, height=2.9)
    extent = window(CORNERS, margin=0.9)
    points = grid_points(extent, RESOLUTION)
    signals, at_corners = gate_signals(points), gate_signals(CORNERS)
    hidden = np.column_stack([at_corners["OR"], at_corners["NAND"]])
    panels = [
        ("OR fires: a + b ≥ ½", "a", "b", signals["OR"], CORNERS),
        ("NAND fires: −a − b ≥ −1½", "a", "b", signals["NAND"], CORNERS),
        ("both fire: XOR", "a", "b", signals["AND"], CORNERS),
        ("hidden plane: AND fires", "OR", "NAND", from_hidden(gate_network(), points), hidden),
    ]
    for panel, (title, x, y, fires, corners) in zip(axes, panels, strict=True):
        fires = fires.reshape(RESOLUTION, RESOLUTION)
        decision_panel(panel, extent, fires, corners, XOR, title, POINT_SIZE)
        panel.set(xticks=[0, 1], yticks=[0, 1], xlabel=x, ylabel=y)
        panel.grid(False)
        name_corners(panel, corners)
    return figure


def from_hidden(model: Model, hidden: Any) -> Any:
    """The output (n,) of a network with one hidden layer for hidden signals (n, width)."""
    signals = model.as_input(hidden)
    for layer in model.layers[2:]:
        signals = layer(signals)
    return signals.numpy()[:, 0]


def name_corners(axes: Axes, points: Any) -> None:
    """Write 00, 01, 10 and 11 beside their points; names of points that coincide are joined."""
    names: dict[tuple[float, float], list[str]] = {}
    for name, (x, y) in zip(CORNER_NAMES, np.round(points.astype(float), 2), strict=True):
        names.setdefault((float(x), float(y)), []).append(name)
    for point, here in names.items():
        axes.annotate(", ".join(here), point, xytext=(7, 5), textcoords="offset points", fontsize=8)


def loss_figure(trainings: list[Training]) -> Figure:
    """For each kind of network: the loss of each seed against the epoch, and where it ended."""
    rows = len(trainings)
    figure, axes = new_figure(
        rows,
        2,
        width=7.2,
        height=0.7 + 2.5 * rows,
        squeeze=False,
        sharey=True,
        sharex="col",
        width_ratios=[3, 1],
    )
    for (curves, ends), training in zip(axes, trainings, strict=True):
        solved = np.array(training.outcomes) == SOLVED
        draw_losses(curves, ends, training, ~solved, STUCK_COLOR, "--", "not solved")
        draw_losses(curves, ends, training, solved, SOLVED_COLOR, "-", "solved")
        for name in PLATEAUS:
            mark_plateau(curves, ends, name)
        curves.set(
            xscale="log",
            xlim=(1, max(2, len(training.loss))),
            ylim=(0, 1),
            ylabel="loss",
            title=f"{training.activation}, {training.hidden} hidden neurons",
        )
        curves.legend(loc="lower left")
        ends.set_title("final loss")
    axes[-1, 0].set_xlabel("epoch")
    axes[-1, 1].set_xlabel("networks")
    return figure


def draw_losses(
    curves: Axes, ends: Axes, training: Training, chosen: Any, color: str, line: str, label: str
) -> None:
    """Draw the loss curves of the chosen networks (E,), and a histogram of all their ends."""
    # As many epochs as a logarithmic axis can show.
    epochs = np.unique(np.geomspace(1, len(training.loss), 200).astype(int))
    losses = training.loss[epochs - 1][:, chosen[:CURVES]]
    curves.plot(epochs, losses, color=color, linestyle=line, linewidth=0.6, alpha=0.5)
    curves.plot([], [], color=color, linestyle=line, label=f"{label}: {chosen.sum()}")
    ends.hist(
        training.final_loss[chosen],
        np.linspace(0, 1, 51).tolist(),
        orientation="horizontal",
        color=color,
        hatch="" if line == "-" else "////",
        edgecolor="white",
        linewidth=0.4,
    )


def mark_plateau(curves: Axes, ends: Axes, name: str) -> None:
    """Draw the loss of a plateau as a line, and write beside it what it is."""
    loss = plateau_loss(name)
    for panel in (curves, ends):
        panel.axhline(loss, color=INK, linewidth=0.8, linestyle=":")
    ends.annotate(
        f"{loss:.3f}\n{name}",
        (1, loss),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def folding_figure(training: Training) -> Figure:
    """What a solved and a stuck network with two hidden neurons do with the plane.

    On the left the plane of the inputs, on the right that of the two hidden signals.
    """
    shown = shown_outcomes(training)
    figure, axes = new_figure(
        len(shown), 2, width=7.2, height=0.7 + 3.2 * len(shown), squeeze=False
    )
    extent = window(CORNERS, margin=0.9)
    for (inputs, signals), outcome in zip(axes, shown, strict=True):
        model = training.example(outcome)
        draw_inputs(inputs, model, extent)
        draw_hidden(signals, model, extent)
        inputs.set_title(f"{training.activation}, {described(outcome)}")
        signals.set_title("after the hidden layer")
    key = axes[0, 0]
    for number, line in enumerate(NEURON_LINES, start=1):
        key.plot([], [], color=INK, linestyle=line, label=f"sum of neuron {number} is 0")
    key.plot([], [], color=INK, linewidth=0.9, label="P(1) = ½")
    key.plot([], [], color=GRID_COLOR, linewidth=0.5, label="image of a square grid")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def draw_inputs(axes: Axes, model: Model, extent: Extent) -> None:
    """Draw P(1) over the inputs, and where the weighted sum of each hidden neuron is 0."""
    points, shape = grid_points(extent, RESOLUTION), (RESOLUTION, RESOLUTION)
    p = probability(model.predict(points)).reshape(shape)
    decision_panel(axes, extent, p, CORNERS, XOR, point_size=POINT_SIZE)
    sums = model.activations(points)["0"]
    for neuron, line in enumerate(NEURON_LINES):
        axes.contour(
            sums[:, neuron].reshape(shape),
            levels=[0],
            extent=extent,
            colors=INK,
            linestyles=line,
            linewidths=1.2,
        )
    axes.set(xticks=[0, 1], yticks=[0, 1], xlabel="a", ylabel="b")
    axes.grid(False)
    name_corners(axes, CORNERS)


def draw_hidden(axes: Axes, model: Model, extent: Extent) -> None:
    """Draw P(1) over the hidden signals, with the images of the corners and of a square grid."""
    images = [model.activations(line)["1"] for line in grid_lines(extent)]
    corners = model.activations(CORNERS)["1"]
    hidden_extent = window(np.concatenate(images), margin=0.25)
    logits = from_hidden(model, grid_points(hidden_extent, RESOLUTION))
    p = probability(logits).reshape(RESOLUTION, RESOLUTION)
    decision_panel(axes, hidden_extent, p, corners, XOR, point_size=POINT_SIZE)
    for image in images:
        axes.plot(*image.T, color=GRID_COLOR, linewidth=0.5, zorder=1)
    # Where points of both classes coincide, the circle shows inside the square.
    zeros = corners[XOR == 0]
    axes.scatter(zeros[:, 0], zeros[:, 1], s=POINT_SIZE / 5, c=POINT_COLORS[0], zorder=3)
    axes.set(xlabel="hidden neuron 1", ylabel="hidden neuron 2")
    name_corners(axes, corners)


def grid_lines(extent: Extent, count: int = 13) -> list[Any]:
    """Points (200, 2) along each of `count` vertical and `count` horizontal lines."""
    left, right, bottom, top = extent
    x, y = np.linspace(left, right, 200), np.linspace(bottom, top, 200)
    return [
        *(np.column_stack([np.full(200, each), y]) for each in np.linspace(left, right, count)),
        *(np.column_stack([x, np.full(200, each)]) for each in np.linspace(bottom, top, count)),
    ]


def solved_figure(result: Result) -> Figure:
    """The fraction of networks that solve XOR against the hidden width, with 95 % intervals."""
    figure, axes = new_figure(width=6.4, height=4)
    trainings = [*result.smooth, *result.thresholds]
    kinds = list(dict.fromkeys(each.activation for each in trainings))
    widths = sorted({each.hidden for each in trainings})
    for number, kind in enumerate(kinds):
        same = sorted(
            (each for each in trainings if each.activation == kind), key=lambda each: each.hidden
        )
        fraction = np.array([each.solved / each.networks for each in same])
        low, high = np.array([each.interval for each in same]).T
        shift = 0.06 * (number - (len(kinds) - 1) / 2)
        axes.errorbar(
            [widths.index(each.hidden) + shift for each in same],
            fraction,
            yerr=[fraction - low, high - fraction],
            label=kind,
            marker="osD^vPX"[number % 7],
            linestyle=("-", "--", "-.", ":")[number % 4],
            capsize=3,
        )
    axes.set(
        xticks=range(len(widths)),
        xticklabels=widths,
        xlabel="hidden neurons",
        ylabel="fraction that solves XOR",
        xlim=(-0.5, len(widths) - 0.5),
        ylim=(-0.03, 1.03),
        title=f"{trainings[0].networks} networks each; bars: 95 % interval",
    )
    axes.legend()
    return figure
