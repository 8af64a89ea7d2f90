"""The figure of `scratchnet fractal-gradients`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.fractal.verdict import curve_name
from scratchnet.demos.fractal_gradients.experiment import Result, Row
from scratchnet.demos.fractal_gradients.report import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#666666"
# Smaller values are rounding.
FLOOR = 1e-16
MARKERS = "os^Dv"


@styled
def plot(result: Result) -> dict[str, Figure]:
    return {"gradients": gradient_figure(result)}


def gradient_figure(result: Result) -> Figure:
    """Entries against the level for each initialiser; below, each network beside its own bound.

    What is smaller than 1e-16 is drawn there.
    """
    rows = result.rows
    figure, panels = new_figure(
        2, len(rows), width=3.2 * len(rows) + 1.2, height=6.8, squeeze=False, sharey="row"
    )
    for axes, row in zip(panels[0], rows, strict=True):
        draw_levels(axes, result, row)
    for axes, row in zip(panels[1], rows, strict=True):
        draw_own(axes, result, row)
    panels[0, 0].set_ylabel("largest gradient entry\n(bottom: 1e-16 or less)")
    panels[1, 0].set_ylabel(f"largest entry at level {result.settings.levels[-1]}")
    panels[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5), title="curve")
    return figure


def draw_levels(axes: Axes, result: Result, row: Row) -> None:
    """Medians with the middle 80 % of networks, and the theorem's bound where it speaks."""
    s = result.settings
    for number, name in enumerate(s.curves):
        color = LINE_COLORS[number % len(LINE_COLORS)]
        low, middle, high = np.maximum(
            np.quantile(row.largest[:, number], [0.1, 0.5, 0.9], axis=-1), FLOOR
        )
        axes.plot(
            s.levels,
            middle,
            color=color,
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=curve_name(name),
        )
        axes.fill_between(s.levels, low, high, color=color, alpha=0.15, linewidth=0)
        bounds = np.maximum(result.bounds[:, number, 0], FLOOR)
        axes.plot(
            s.levels,
            bounds,
            "_",
            color=color,
            markersize=13,
            markeredgewidth=2,
            label="its bound" if number == len(s.curves) - 1 else None,
        )
    axes.set(yscale="log", xlabel="level n", title=row.initialiser, ylim=(FLOOR / 3, 30))
    axes.set_xticks(s.levels)


def draw_own(axes: Axes, result: Result, row: Row) -> None:
    """Each network at the deepest level: its largest entry against the bound of its own level."""
    s = result.settings
    own = result.own_bounds(row)[-1]
    for number in range(len(s.curves)):
        axes.plot(
            np.maximum(own[number], FLOOR),
            np.maximum(row.largest[-1, number], FLOOR),
            MARKERS[number % len(MARKERS)],
            color=LINE_COLORS[number % len(LINE_COLORS)],
            markersize=3,
            alpha=0.5,
            markeredgewidth=0,
        )
    ends = (FLOOR / 3, 30)
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="bound of the own level")
    broken, n = share(row.violations(result.own_bounds(row)))
    if n:
        axes.set_title(f"{broken / n:.1%} above it at some level", fontsize=10)
