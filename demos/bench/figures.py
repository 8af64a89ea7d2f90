"""The figures of `scratchnet bench`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.bench.engine import EAGER, RECORDED
from scratchnet.demos.bench.floors import LOOP, PRODUCTS
from scratchnet.demos.bench.report import COLUMNS, by_device, contestant_in
from scratchnet.demos.figures import LINE_COLORS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.bench.roofline import Ceilings
    from scratchnet.demos.bench.run import Result, Row

GREY = "#666666"
MARKERS = "os^Dv>"
OWN_STYLES = {
    RECORDED: ("o", LINE_COLORS[0], None),
    EAGER: ("o", LINE_COLORS[0], "white"),
    PRODUCTS: ("_", "black", None),
    LOOP: ("s", "black", "white"),
}
"""Marker, colour and face of the engine and its floors in the figure of times."""


def figures(result: Result) -> dict[str, Callable[[], Figure]]:
    """Every figure of a run, by name."""
    titles = {"roofline": "Training steps under the roof of", "time": "Time of a training step on"}
    panels = {"roofline": roofline_panel, "time": time_panel}
    return {name: partial(panels_of, result, titles[name], panels[name]) for name in titles}


@styled
def panels_of(result: Result, title: str, draw: Callable[..., None]) -> Figure:
    """A panel for each device."""
    devices = by_device(result.rows)
    width = 1.6 + 5.4 * len(devices)
    figure, panels = new_figure(
        1, len(devices), width=width, height=4.8, squeeze=False, sharey=draw is time_panel
    )
    for axes, (name, rows) in zip(panels[0], devices.items(), strict=True):
        case = rows[0].case
        draw(axes, rows, result.ceilings[case.backend, case.precision])
        device = result.environments[case.backend].get("device")
        axes.set_title(f"{title} {device}, {name}", fontsize=10)
        axes.legend(loc="lower right", fontsize=8)
    return figure


def roofline_panel(axes: Axes, rows: list[Row], ceilings: Ceilings) -> None:
    """Draw the cases of one device under its two roofs: by the fastest addition and by the slowest.

    Each case has two marks, for the recorded step and, hollow, for the eager one.
    """
    intensities = np.array([row.count.operations / row.count.bytes for row in rows])
    span = np.geomspace(min(0.5, intensities.min() / 2), intensities.max() * 4, 200)
    fast, slow = max(ceilings.bandwidths.values()), min(ceilings.bandwidths.values())
    slopes = {"fastest addition": (fast, "-"), "slowest addition": (slow, "--")}
    for label, (bandwidth, style) in slopes.items():
        roof = np.minimum(span * bandwidth, ceilings.product_rate) / 1e9
        label = f"{label}, {bandwidth / 1e9:,.0f} GB/s"
        axes.plot(span, roof, style, color=GREY, label=label, lw=1.2)
        if fast == slow:
            break
    peak = ceilings.product_rate / 1e9
    axes.annotate(
        f"matrix product, {peak:,.0f} GFLOP/s",
        (span[-1], peak),
        (0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=GREY,
    )
    widths = sorted({row.case.width for row in rows})
    for row, intensity in zip(rows, intensities, strict=True):
        rates = [row.placements[name].rate / 1e9 for name in (EAGER, RECORDED)]
        place = widths.index(row.case.width)
        color = LINE_COLORS[place % len(LINE_COLORS)]
        marker = MARKERS[place % len(MARKERS)]
        axes.plot([intensity] * 2, rates, color=color, lw=0.8, zorder=2)
        axes.plot(intensity, rates[0], marker, mfc="white", mec=color, zorder=3)
        axes.plot(intensity, rates[1], marker, color=color, zorder=4)
    for place, width in enumerate(widths):
        color, marker = LINE_COLORS[place % len(LINE_COLORS)], MARKERS[place % len(MARKERS)]
        axes.plot([], [], marker, color=color, label=f"width {width:,}")
    axes.plot([], [], "o", color=GREY, label="recorded")
    axes.plot([], [], "o", mfc="white", mec=GREY, label="eager")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="operations per byte that the step must move",
        ylabel="GFLOP/s",
    )


def time_panel(axes: Axes, rows: list[Row], ceilings: Ceilings) -> None:
    """Draw the median time of a step of all networks, in microseconds, for every contestant.

    The line is the time that the operations take at the device's peak in a matrix product.
    """
    sizes = np.array([row.count.operations for row in rows]) / 1e6
    drawn: dict[str, Any] = {RECORDED: [RECORDED] * len(rows)}
    drawn |= {each: [contestant_in(row, each) for row in rows] for each in COLUMNS}
    others = zip(MARKERS[1:] * 2, LINE_COLORS[1:-1] * 2, strict=False)
    for label, names in drawn.items():
        found = [
            (size, 1e6 * row.seconds[name].median * row.case.networks)
            for size, row, name in zip(sizes, rows, names, strict=True)
            if name is not None
        ]
        if not found:
            continue
        marker, color, face = OWN_STYLES.get(label) or (*next(others), None)
        axes.plot(
            *zip(*found, strict=True),
            marker,
            color=color,
            markerfacecolor=face or color,
            label="matrix products alone" if label == PRODUCTS else label,
            zorder=4 if label == RECORDED else 3,
        )
    span = np.array([sizes.min() / 1.5, sizes.max() * 1.5])
    axes.plot(
        span,
        1e12 * span / ceilings.product_rate,
        color=GREY,
        lw=1.2,
        label="at the peak of a matrix product",
    )
    axes.set(xscale="log", yscale="log", xlabel="million operations of one step of all networks")
    axes.set_ylabel("microseconds of one step of all networks")
