"""The figures of `scratchnet explore`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.explore.report import plain_row, rows_of, time_ratio
from scratchnet.demos.figures import (
    LINE_COLORS,
    decision_panel,
    line_of_spreads,
    new_figure,
    styled,
)
from scratchnet.demos.representation import map_figure
from scratchnet.demos.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.explore.experiment import Inside, Result, Row

MOST_COLUMNS = 8
VARIANT_NAMES = ("plain", "batch norm", "skip", "batch norm + skip")


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    figures = {"accuracy": accuracy_figure(result), "cost": cost_figure(result)}
    if any(row.probabilities is not None for row in result.rows):
        figures["boundaries"] = boundary_figure(result)
    if result.variants:
        figures["variants"] = variant_figure(result)
    if result.inside:
        figures["layers"] = inside_figure(result, result.inside)
    return figures


def finished(result: Result) -> list[str]:
    return [name for name in result.settings.datasets if rows_of(result, name)]


def seeds_words(result: Result) -> str:
    n = result.settings.seeds
    return f"mean and 95 % interval of {n} seeds" if n > 1 else "one seed"


def boundary_figure(result: Result) -> Figure:
    """A line for each dataset in the plane, a column for each depth: the first seed's networks."""
    names = [name for name in finished(result) if name in result.planes]
    depths = sorted({row.depth for row in result.rows})[:MOST_COLUMNS]
    figure, axes = new_figure(
        len(names),
        len(depths),
        width=2.2 * len(depths) + 0.4,
        height=2.5 * len(names) + 0.5,
        squeeze=False,
    )
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.08)
    for line, name in zip(axes, names, strict=True):
        own = {row.depth: row for row in rows_of(result, name)}
        plane = result.planes[name]
        for panel, depth in zip(line, depths, strict=True):
            row = own.get(depth)
            if row is None:
                panel.set_axis_off()
                continue
            decision_panel(panel, plane.extent, row.probabilities, plane.X, plane.y, "", 4)
            panel.set_xlabel(first_accuracy(row), fontsize=9)
        line[0].set_ylabel(name, fontsize=11)
    for panel, depth in zip(axes[0], depths, strict=True):
        panel.set_title(f"{depth} hidden layer{'s' if depth > 1 else ''}", fontsize=10.5)
    figure.suptitle(
        f"What networks of each depth make of the plane, and their training data (seed "
        f"{result.settings.seed})",
        fontsize=11.5,
    )
    return figure


def first_accuracy(row: Row) -> str:
    accuracy = float(row.trained.test_accuracy[0])
    return "diverged" if math.isnan(accuracy) else f"{accuracy:.1%} of test points"


def accuracy_figure(result: Result) -> Figure:
    """Training and test accuracy against depth, a panel for each dataset."""
    names = finished(result)
    figure, axes = new_figure(
        1, len(names), width=2.9 * len(names) + 0.8, height=3.5, squeeze=False
    )
    for panel, name in zip(axes[0], names, strict=True):
        rows = rows_of(result, name)
        tests = [row.trained.test_accuracy for row in rows]
        trains = [row.trained.train_accuracy for row in rows]
        places = np.arange(len(rows))
        draw_means(panel, places, tests, LINE_COLORS[0], "test data")
        draw_means(
            panel,
            places + 0.12,
            trains,
            LINE_COLORS[1],
            "training data",
            linestyle="--",
            markerfacecolor="white",
        )
        panel.set(xticks=places, xticklabels=[row.depth for row in rows], title=name)
        panel.set_xlabel("hidden layers")
        limit_to_what_was_seen(panel, [*tests, *trains])
    axes[0, 0].set_ylabel("accuracy")
    axes[0, 0].legend(loc="best")
    figure.suptitle(f"Accuracy against depth; {seeds_words(result)}", fontsize=11)
    return figure


def limit_to_what_was_seen(axes: Axes, samples: Sequence[Any]) -> None:
    """Room for all single values: the intervals of a few seeds can be wider than [0, 1]."""
    seen = np.concatenate([np.ravel(values) for values in samples])
    lowest = float(np.nanmin(seen)) if np.isfinite(seen).any() else 0.0
    low = lowest - max(0.02, 0.06 * (1 - lowest))
    axes.set_ylim(low, 1 + 0.05 * (1 - low))
    axes.locator_params(axis="y", steps=[1, 2, 5, 10])
    axes.yaxis.set_major_formatter("{x:.0%}" if low < 0.9 else "{x:.1%}")


def draw_means(
    axes: Axes, x: Any, samples: Sequence[Any], color: str, label: str, **line: Any
) -> None:
    """A line through the means, bars for the intervals, and a faint dot for each seed."""
    estimates = [mean_interval(values) for values in samples]
    axes.errorbar(
        x,
        [estimate.mean for estimate in estimates],
        yerr=[estimate.half_width or 0.0 for estimate in estimates],
        **{
            "color": color,
            "marker": "o",
            "elinewidth": 1.2,
            "capsize": 2.5,
            "label": label,
            **line,
        },
    )
    for place, values in zip(x, samples, strict=True):
        axes.plot([place] * len(values), values, ".", color=color, alpha=0.3, ms=3.5, zorder=1.5)


def cost_figure(result: Result) -> Figure:
    """Parameters, and time of a step relative to the shallowest networks, against depth."""
    figure, (left, right) = new_figure(1, 2, width=9.0, height=3.6)
    # Sets of points have networks of the same size: smaller marks on larger ones show them all.
    looks = zip(finished(result), LINE_COLORS, "os^D", (10, 8, 5, 5), strict=False)
    for name, color, marker, size in looks:
        rows = rows_of(result, name)
        depths = [row.depth for row in rows]
        style: Any = {"color": color, "marker": marker, "markersize": size, "label": name}
        left.plot(depths, [row.trained.parameters for row in rows], **style)
        line_of_spreads(right, depths, [time_ratio(result, row, rows[0]) for row in rows], **style)
    shallowest = min(row.depth for row in result.rows)
    left.set(xlabel="hidden layers", ylabel="parameters of a network", title="Size")
    right.set(
        xlabel="hidden layers",
        ylabel=f"time of a step / that at depth {shallowest}",
        title="Time of a training step",
    )
    for panel in (left, right):
        panel.set_xticks(sorted({row.depth for row in result.rows}))
    left.yaxis.set_major_formatter("{x:,.0f}")
    left.legend(loc="best")
    return figure


def variant_figure(result: Result) -> Figure:
    """Test accuracy of plain networks, with batch normalisation, with skips, and with both."""
    depths = sorted({row.depth for row in result.variants})
    figure, axes = new_figure(
        1, len(depths), width=3.4 * len(depths) + 0.9, height=3.6, squeeze=False
    )
    for panel, depth in zip(axes[0], depths, strict=True):
        own = [row for row in result.variants if row.depth == depth]
        rows = {row.variant: row for row in (plain_row(result, own[0]), *own)}
        names = [name for name in VARIANT_NAMES if name in rows]
        samples = [rows[name].trained.test_accuracy for name in names]
        for place, (name, values) in enumerate(zip(names, samples, strict=True)):
            color = LINE_COLORS[VARIANT_NAMES.index(name)]
            if np.isfinite(values).any():
                draw_means(panel, [place], [values], color, name, linestyle="none")
            else:
                where = (place, 0.5)
                panel.annotate(
                    "diverged", where, xycoords=("data", "axes fraction"), ha="center", color=color
                )
        labels = [
            name.replace(" + ", "\n+ ").replace("batch norm", "batch\nnorm") for name in names
        ]
        panel.set(xticks=range(len(names)), xticklabels=labels, xlim=(-0.5, len(names) - 0.5))
        panel.set_title(f"{own[0].dataset}, {depth} hidden layers")
        panel.grid(axis="x", visible=False)
        limit_to_what_was_seen(panel, samples)
    axes[0, 0].set_ylabel("test accuracy")
    figure.suptitle(f"Batch normalisation and skip connections; {seeds_words(result)}", fontsize=11)
    return figure


def inside_figure(result: Result, inside: Inside) -> Figure:
    """Principal components of some layers of the first seed's network, with probe accuracies."""

    def titles(tests: Any) -> list[str]:
        return [
            f"layer {layer}\nprobe {test:.1%}" if np.isfinite(test) else f"layer {layer}\ndiverged"
            for layer, test in zip(inside.after.layers, tests[:, 0], strict=True)
        ]

    figure = map_figure(
        [("trained", inside.maps_after), ("untrained", inside.maps_before)],
        [titles(inside.after.test), titles(inside.before.test)],
        inside.map_labels,
    )
    figure.suptitle(
        "First two principal components of what a layer puts out for the test points, and what a "
        f"linear probe gets (spirals, seed {result.settings.seed})",
        fontsize=11,
    )
    return figure
