"""The figures of `scratchnet regions`: mosaics, and counts beside what theory says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import (
    LINE_COLORS,
    POINT_COLORS,
    mean_with_band,
    new_figure,
    styled,
)
from scratchnet.demos.mosaic import Mosaic, draw_mosaic
from scratchnet.demos.regions.compare import Comparison, Reached
from scratchnet.demos.regions.experiment import Result, Row
from scratchnet.demos.regions.settings import Architecture, Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#888888"

# Bounds this many times the best network found are drawn on a logarithmic axis.
LINEAR_SCALE_ENDS = 20


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The figures, by their names."""
    figures = {"mosaic": mosaic_figure(result), "counts": count_figure(result)}
    if len(result.rows) > 1:
        figures["depths"] = depth_figure(result)
    return figures


@styled
def plot_comparison(comparison: Comparison) -> dict[str, Figure]:
    return {"compare": compare_figure(comparison)}


def draw_points(axes: Axes, result: Result, size: float) -> None:
    for label, (color, marker) in enumerate(zip(POINT_COLORS, "os", strict=True)):
        points = result.X[result.y == label]
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=size,
            c=color,
            marker=marker,
            linewidths=0.35,
            edgecolors="white",
            zorder=3,
        )


def mosaic_figure(result: Result) -> Figure:
    """One network before, during and after training."""
    row, settings = result.shown, result.settings
    wanted = settings.drawn_checkpoints()
    drawn = [each for each in row.checkpoints if each.epochs in wanted]
    columns = 2 if len(drawn) == 4 else len(drawn)
    rows = -(-len(drawn) // columns)
    figure, axes = new_figure(rows, columns, width=3.7 * columns, height=4.0 * rows, squeeze=False)
    figure.set_layout_engine("compressed")
    for panel, each in zip(axes.ravel(), drawn, strict=True):
        steps = "1 step" if each.epochs == 1 else f"{each.epochs:,} steps"
        when = f"after {steps}" if each.epochs else "before training"
        accuracy = f"{each.test_accuracy[0]:.0%} of test points right"
        title = f"{when}: {counted(each.mosaic)}\n{accuracy}"
        draw_mosaic(panel, each.mosaic, title)
        draw_points(panel, result, 8)
    return figure


def counted(mosaic: Mosaic) -> str:
    """The activation regions, which are drawn, and the linear ones where they are fewer."""
    merged = mosaic.linear_count < mosaic.count
    linear = f", {mosaic.linear_count:,} linear" if merged else ""
    return f"{mosaic.count:,} regions{linear}"


def depth_figure(result: Result) -> Figure:
    """Before and after training: one column for each architecture."""
    rows = result.rows
    figure, axes = new_figure(2, len(rows), width=2.7 * len(rows), height=6.0, squeeze=False)
    figure.set_layout_engine("compressed")
    for column, row in zip(axes.T, rows, strict=True):
        name = layers_in_words(row.architecture)
        for panel, when, each in zip(
            column, ("before", "after"), (row.before, row.after), strict=True
        ):
            title = f"{when}: {counted(each.mosaic)}"
            title = f"{name}\n{title}" if when == "before" else title
            draw_mosaic(panel, each.mosaic, title, edge_width=0.12)
    return figure


def layers_in_words(architecture: Architecture) -> str:
    hidden = architecture.hidden
    layers = "1 layer" if len(hidden) == 1 else f"{len(hidden)} layers"
    return f"{layers} of {hidden[0]}" if len(set(hidden)) == 1 else f"layers of {architecture}"


def count_figure(result: Result) -> Figure:
    """Regions during training, and before and after it beside the bounds."""
    figure, (course, bounds) = new_figure(1, 2, width=10, height=4.1)
    for number, row in enumerate(result.rows):
        epochs = [each.epochs for each in row.checkpoints]
        counts = np.array([each.linear_count for each in row.checkpoints]).T
        mean_with_band(
            course,
            epochs,
            counts,
            layers_in_words(row.architecture),
            LINE_COLORS[number % len(LINE_COLORS)],
            marker="osD^vPX"[number % 7],
        )
    at_start = result.rows[0].architecture.bounds()["at_start"]
    if len({row.architecture.neurons for row in result.rows}) == 1:
        course.axhline(at_start, color=GREY, linestyle="--", label="N²/2")
    later = [epoch for epoch in result.settings.checkpoints() if epoch]
    course.set_xscale("symlog", linthresh=later[0], linscale=0.4)
    seeds = result.settings.seeds
    course.set(
        xticks=[0, *later],
        xticklabels=["0", *map(str, later)],
        xlabel="training steps",
        ylabel="linear regions in the window",
        title=f"Mean of {seeds} seeds, band: 95 % interval" if seeds > 1 else "One seed",
    )
    course.minorticks_off()
    course.margins(x=0.03)
    course.set_xlim(left=-0.25 * later[0])
    course.set_ylim(bottom=0)
    course.legend()
    draw_bounds(bounds, result.rows)
    return figure


def draw_bounds(axes: Axes, rows: tuple[Row, ...]) -> None:
    """For each architecture the measured regions, and what theory says of them."""
    marks: Any = (
        ("textbook", "textbook: at most", "v", LINE_COLORS[4]),
        ("at_most", "Serra et al.: at most", "_", LINE_COLORS[1]),
        ("at_least", "Montúfar et al.: the best, at least", "^", LINE_COLORS[2]),
    )
    bounds = [row.architecture.bounds() for row in rows]
    for name, label, marker, color in marks:
        at = [x for x, each in enumerate(bounds) if each[name] is not None]
        axes.scatter(
            at,
            [float(bounds[x][name]) for x in at],
            s=70,
            marker=marker,
            color=color,
            label=label,
            zorder=3,
        )
    measured = [
        [float(each.linear_count.mean()) for each in (row.before, row.after)] for row in rows
    ]
    for column, (label, face) in enumerate(
        (("before training", "white"), ("after training", LINE_COLORS[0]))
    ):
        axes.scatter(
            range(len(rows)),
            [each[column] for each in measured],
            s=36,
            facecolors=face,
            edgecolors=LINE_COLORS[0],
            linewidths=1.4,
            label=label,
            zorder=4,
        )
    axes.set(
        yscale="log",
        xticks=range(len(rows)),
        xticklabels=[layers_in_words(row.architecture) for row in rows],
        xlim=(-0.5, len(rows) - 0.5),
        ylabel="regions",
        title="What bounds allow, and what there is",
    )
    axes.legend(loc="upper left")


def compare_figure(comparison: Comparison) -> Figure:
    """For each architecture the counts of random networks, a typical network and the best one."""
    rows = comparison.rows
    figure, axes = new_figure(len(rows), 3, width=10.5, height=3.6 * len(rows), squeeze=False)
    for (counts, typical, best), row in zip(axes, rows, strict=True):
        draw_counts(counts, row)
        for panel, name, mosaic in (
            (typical, "typical random network", row.typical),
            (best, "best network found", row.best),
        ):
            extent = close_up(mosaic, comparison.settings.extent)
            title = f"{name}:\n{mosaic.linear_count:,} regions, close-up"
            draw_mosaic(panel, mosaic, title, edge_width=0.8)
            panel.set(xlim=extent[:2], ylim=extent[2:])
    return figure


def draw_counts(axes: Axes, row: Reached) -> None:
    """How many random networks have how many regions, with the best found and the bounds."""
    bounds = row.architecture.bounds()
    counts, networks = np.unique(row.linear_count, return_counts=True)
    share = networks / networks.sum()
    axes.vlines(counts, 0, share, color=LINE_COLORS[0], linewidth=3, label="random networks")
    marks: dict[int, list[str]] = {}
    for value, name in (
        (row.best.linear_count, "best found"),
        (bounds["at_most"], "Serra et al.: at most"),
        (bounds["textbook"], "textbook: at most"),
    ):
        marks.setdefault(value, []).append(name)
    for number, (value, names) in enumerate(marks.items(), start=1):
        axes.axvline(
            value,
            color=LINE_COLORS[number],
            linestyle=("-", "--", ":")[number - 1],
            label=f"{value:,}: " + ",\n".join(names),
            zorder=1,
        )
    farthest = max(marks)
    axes.set(
        xlabel="linear regions",
        ylabel="share of random networks",
        title=layers_in_words(row.architecture),
        yticks=[tick for tick in axes.get_yticks() if 0 <= tick <= 1],
    )
    axes.set_ylim(0, 1.6 * share.max())
    if farthest > LINEAR_SCALE_ENDS * row.best.linear_count:
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.05 * farthest)
    axes.legend(loc="upper center", frameon=True, facecolor="white", framealpha=1, edgecolor="none")


def close_up(mosaic: Mosaic, extent: Window) -> Window:
    """A square around most corners of regions, those on the rim of the window left out."""
    left, right, bottom, top = extent
    x, y = mosaic.vertices.T
    inside = (x > left) & (x < right) & (y > bottom) & (y < top)
    if not inside.any():
        return extent
    low, high = np.quantile(mosaic.vertices[inside], [0.08, 0.92], axis=0)
    middle, half = (low + high) / 2, 0.7 * float((high - low).max()) or 1.0
    return (middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half)
