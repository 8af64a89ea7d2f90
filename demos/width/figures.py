"""The figures of `scratchnet width`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.width.report import SOLVED, Comparison, comparisons, rows_of
from scratchnet.demos.width.settings import OPTIMIZER_NAMES
from scratchnet.depth.targets import TARGETS, get_target

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.width.experiment import Result

COLORS = {"sgd": LINE_COLORS[0], "adam": LINE_COLORS[1]}
GREY = "#666666"
PANELS_PER_LINE = 4


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    figures = {"verdicts": verdict_figure(result)} if comparisons(result) else {}
    for task in result.settings.tasks:
        if any(row.task == task for row in result.rows):
            figures[task] = error_figure(result, task)
    return figures


def verdict_figure(result: Result) -> Figure:
    """The ratio of errors of every comparison with its interval, on a line each."""
    found = comparisons(result)
    tasks = [task for task in SOLVED if any(each.shallow.task == task for each in found)]
    targets = [name for name in TARGETS if any(each.shallow.target == name for each in found)]
    place = {name: i for i, name in enumerate(reversed(targets))}
    figure, axes = new_figure(
        1,
        len(tasks),
        width=2.2 + 3.7 * len(tasks),
        height=1.9 + 0.5 * len(targets),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for panel, task in zip(axes[0], tasks, strict=True):
        panel.axvline(1, color=GREY, linewidth=1)
        for i, optimizer in enumerate(OPTIMIZER_NAMES):
            mine = [
                each
                for each in found
                if (each.shallow.task, each.shallow.optimizer) == (task, optimizer)
            ]
            draw_ratios(panel, mine, place, 0.14 - 0.28 * i, optimizer)
        panel.set(xscale="log", title=task, ylim=(-0.6, len(targets) - 0.4))
        panel.set_xlabel("test error, deep / one layer (filled: told apart)")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.tick_params(axis="x", which="minor", labelbottom=False)
        panel.annotate("depth better", (0.03, 1.0), xycoords="axes fraction", color=GREY, va="top")
        panel.annotate(
            "worse", (0.97, 1.0), xycoords="axes fraction", color=GREY, va="top", ha="right"
        )
    axes[0, 0].set_yticks(list(place.values()), list(place))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    several = result.settings.seeds > 1
    figure.suptitle(
        "The same parameters in several layers, or in one"
        + (
            f": geometric mean and 95 % interval of {result.settings.seeds} seeds"
            if several
            else ""
        ),
        fontsize=11,
    )
    return figure


def draw_ratios(
    axes: Axes, found: list[Comparison], place: dict[str, int], shift: float, optimizer: str
) -> None:
    """A mark for each comparison: filled where the interval excludes 1."""
    name, color = OPTIMIZER_NAMES[optimizer], COLORS[optimizer]
    axes.plot([], [], "o", color=color, label=name)
    for each in found:
        estimate = each.log_ratio
        if estimate.n == 0:
            continue
        y = place[each.shallow.target] + shift
        low, high = estimate.interval or (estimate.mean, estimate.mean)
        axes.plot([math.exp(low), math.exp(high)], [y, y], color=color, linewidth=1.4)
        told = each.sign in (1, -1) and not each.solved
        axes.plot([math.exp(estimate.mean)], [y], "o", color=color, mfc=color if told else "white")


def error_figure(result: Result, task: str) -> Figure:
    """Test error against depth, a panel for each target."""
    targets = [name for name in TARGETS if any(r.target == name for r in result.rows)]
    columns = min(PANELS_PER_LINE, len(targets))
    lines = -(-len(targets) // columns)
    figure, axes = new_figure(
        lines, columns, width=0.6 + 2.7 * columns, height=0.9 + 2.5 * lines, squeeze=False
    )
    for panel in axes.flat[len(targets) :]:
        panel.remove()
    for panel, target in zip(axes.flat, targets, strict=False):
        draw_errors(panel, result, target, task)
        panel.set_title(f"{target}\n{get_target(target).formula}", fontsize=9)
    for panel in axes[:, 0]:
        panel.set_ylabel("test error / variance" if task == "regression" else "wrong classes")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    figure.suptitle(
        f"Test error at equal parameters, {task}: geometric mean over seeds, and each seed "
        f"(errors below {smallest(task):g} are shown there)",
        fontsize=11,
    )
    return figure


def smallest(task: str) -> float:
    """Where an error of 0 is drawn, which has no place on a logarithmic axis."""
    return SOLVED[task] / 100


def draw_errors(axes: Axes, result: Result, target: str, task: str) -> None:
    """Draw the test errors of one target by depth: each seed, and their geometric mean."""
    from matplotlib.ticker import LogLocator

    depths = sorted({row.depth for row in result.rows if row.target == target})
    widths = {
        row.depth: row.width for row in result.rows if (row.target, row.task) == (target, task)
    }
    seen = []
    for optimizer, name in OPTIMIZER_NAMES.items():
        rows = [
            row for row in rows_of(result, target, task, optimizer) if np.isfinite(row.test).any()
        ]
        errors = [np.maximum(row.test[np.isfinite(row.test)], smallest(task)) for row in rows]
        x = [depths.index(row.depth) for row in rows]
        means = [math.exp(float(np.log(each).mean())) for each in errors]
        axes.plot(x, means, "o-", color=COLORS[optimizer], label=name)
        for place, each in zip(x, errors, strict=True):
            axes.plot([place] * len(each), each, ".", color=COLORS[optimizer], alpha=0.4, ms=4)
        seen += errors
    axes.set(
        yscale="log",
        xticks=range(len(depths)),
        xticklabels=[f"{depth}\n{widths.get(depth, '')}" for depth in depths],
        xlim=(-0.3, len(depths) - 0.7),
    )
    axes.set_xlabel("hidden layers, and their width", fontsize=8)
    axes.grid(axis="x", visible=False)
    if seen:
        values = np.concatenate(seen)
        axes.set_ylim(values.min() / 1.6, values.max() * 1.6)
        # Within a decade or so some ticks between powers of ten need labels too.
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        if values.max() < 30 * values.min():
            axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
            axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="y", which="both", labelsize=8)
