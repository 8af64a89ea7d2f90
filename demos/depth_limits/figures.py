"""The figure of `scratchnet depth-limits`: accuracy, first gradient and time against depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.depth_limits.report import time_ratio
from scratchnet.demos.depth_limits.settings import KINDS
from scratchnet.demos.figures import (
    LINE_COLORS,
    line_of_spreads,
    mean_with_band,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.depth_limits.experiment import Result, Row

COLORS = dict(zip(KINDS, LINE_COLORS, strict=False))
MARKERS = dict(zip(KINDS, "os^vD", strict=True))
GREY = "#888888"


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    return {"depth_limits": overview(result)}


def overview(result: Result) -> Figure:
    """Three panels against the layers asked for; dashed with the switches on."""
    figure, (accuracies, gradients, times) = new_figure(1, 3, width=13, height=4.2)
    for rows in lines(result):
        kind, switched = rows[0].network.kind, rows[0].network.switched
        label = f"{kind}, {result.settings.switch}" if switched else kind
        draw(accuracies, rows, lambda row: row.accuracy, label)
        if not switched:
            # Before training the switches change nothing.
            draw(gradients, rows, lambda row: np.log10(np.maximum(row.first_gradient, 1e-30)), kind)
            if kind != "plain":
                line_of_spreads(
                    times,
                    [row.network.layers for row in rows],
                    [time_ratio(result, row) for row in rows],
                    color=COLORS[kind],
                    marker=MARKERS[kind],
                )
    accuracies.axhline(0.5, color=GREY, linewidth=0.9, linestyle=":")
    accuracies.set(title="training accuracy", ylim=(0.4, 1.03))
    accuracies.yaxis.set_major_formatter("{x:.0%}")
    gradients.set(title="|dL/dW_1| before training")
    gradients.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    gradients.yaxis.get_major_locator().set_params(integer=True)
    times.axhline(1, color=COLORS["plain"], linewidth=1.2)
    times.set(title="time of a step / that of plain", ylim=(0, None))
    for panel in (accuracies, gradients, times):
        layers = sorted(result.settings.layers)
        panel.set_xscale("log", base=2)
        panel.set(xticks=layers, xticklabels=list(map(str, layers)), xlabel="hidden layers")
        panel.minorticks_off()
    handles, labels = accuracies.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure


def lines(result: Result) -> list[list[Row]]:
    """The rows of each line, in order of depth."""
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in result.rows:
        groups.setdefault((row.network.kind, row.network.switched), []).append(row)
    return list(groups.values())


def draw(axes: Axes, rows: list[Row], values: Callable[[Row], Any], label: str) -> None:
    """The mean over seeds with its 95 % interval."""
    kind, switched = rows[0].network.kind, rows[0].network.switched
    mean_with_band(
        axes,
        [row.network.layers for row in rows],
        np.stack([values(row) for row in rows], axis=1),
        label,
        COLORS[kind],
        marker=MARKERS[kind],
        linestyle="--" if switched else "-",
        markerfacecolor="white" if switched else COLORS[kind],
    )
