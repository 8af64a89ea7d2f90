"""The figures of `scratchnet spiral`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.figures import LINE_COLORS, decision_panel, new_figure, styled
from scratchnet.demos.spiral.report import depth, first_accuracy, mean_test_accuracy
from scratchnet.demos.spiral.settings import OPTIMIZER_NAMES
from scratchnet.demos.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.spiral.experiment import Result, Row

OPTIMIZER_COLORS = {"sgd": LINE_COLORS[0], "adam": LINE_COLORS[1]}
GREY = "#666666"

CURVE_POINTS = 200
SMALLEST_LOSS = 1e-12
SIDESTEP = 0.09
MOST_TICKS = 16
PANELS_IN_OVERVIEW, PANELS_PER_LINE, MOST_PANELS = 4, 4, 24


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    return {
        "overview": overview(result),
        "accuracy": accuracy_figure(result),
        "boundaries": boundary_figure(result),
        "loss": loss_figure(result),
        "parameters": parameter_figure(result),
    }


def curves(result: Result) -> list[list[Row]]:
    """The depths in order, and the control that trained the same networks, if it finished any."""
    same = [row for row in result.controls if shape(row) in map(shape, result.rows)]
    return [sorted(rows, key=depth) for rows in (result.rows, same) if rows]


def extra_controls(result: Result) -> list[Row]:
    """The controls of another shape: the wide network, and logistic regression."""
    return [row for row in result.controls if shape(row) not in map(shape, result.rows)]


def shape(row: Row) -> tuple[int, int]:
    return row.training.depth, row.training.width


def at_most(rows: Sequence[Row], n: int) -> list[Row]:
    """n of the rows, evenly chosen, with the first and the last."""
    if len(rows) <= n:
        return list(rows)
    return [rows[round(i)] for i in np.linspace(0, len(rows) - 1, n)]


def overview(result: Result) -> Figure:
    """Decision boundaries, a line of panels for each optimizer, beside accuracy against depth."""
    lines = [at_most(rows, PANELS_IN_OVERVIEW) for rows in curves(result)]
    columns = len(lines[0])
    figure, axes = new_figure(
        len(lines),
        columns + 1,
        width=2.05 * columns + 4.0,
        height=2.35 * max(len(lines), 1.4),
        squeeze=False,
        width_ratios=[1.0] * columns + [1.75],
    )
    add_space_above(figure)
    grid = axes[0, -1].get_gridspec()
    for each in axes[:, -1]:
        each.remove()
    for line, rows in zip(axes, lines, strict=True):
        for each in line[len(rows) : columns]:
            each.remove()
        for each, row in zip(line, rows, strict=False):
            boundary_panel(each, result, row, point_size=3.5)
            each.set_xlabel(first_accuracy(row), fontsize=9)
        line[0].set_ylabel(OPTIMIZER_NAMES[rows[0].training.optimizer], fontsize=11)
    for each, row in zip(axes[0], lines[0], strict=False):
        each.set_title(depth_words(row))
    draw_accuracy(figure.add_subplot(grid[:, -1]), result, train=False)
    return figure


def add_space_above(figure: Figure) -> None:
    """Keep the titles of the first line off the edge."""
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.08)


def depth_words(row: Row) -> str:
    layers = "hidden layer" if depth(row) == 1 else "hidden layers"
    return f"{depth(row)} {layers}"


def boundary_panel(axes: Axes, result: Result, row: Row, point_size: float) -> None:
    decision_panel(axes, result.extent, row.probabilities, result.X, result.y, "", point_size)


def boundary_figure(result: Result) -> Figure:
    """The decision boundary of each depth, by the first seed's network, with its training data."""
    groups = [at_most(rows, MOST_PANELS) for rows in curves(result)]
    columns = min(PANELS_PER_LINE, len(groups[0]))
    lines = [
        rows[start : start + columns] for rows in groups for start in range(0, len(rows), columns)
    ]
    figure, axes = new_figure(
        len(lines), columns, width=2.9 * columns, height=3.25 * len(lines), squeeze=False
    )
    add_space_above(figure)
    for line, rows in zip(axes, lines, strict=True):
        for each in line[len(rows) :]:
            each.remove()
        for each, row in zip(line, rows, strict=False):
            boundary_panel(each, result, row, point_size=8)
            name = OPTIMIZER_NAMES[row.training.optimizer]
            each.set_title(f"{depth_words(row)}, {name}\n{first_accuracy(row)}", fontsize=10)
    return figure


def accuracy_figure(result: Result) -> Figure:
    """Training and test accuracy against depth."""
    figure, axes = new_figure(width=6.8, height=4.6)
    draw_accuracy(axes, result, train=True)
    return figure


def draw_accuracy(axes: Axes, result: Result, train: bool) -> None:
    """Accuracy against depth: means with their 95 % intervals, and the single seeds as dots."""
    extra = extra_controls(result)
    depths = sorted({depth(row) for row in (*extra, *result.rows)})
    place = {each: float(i) for i, each in enumerate(depths)}
    # Side by side, so that the bars do not hide each other.
    beside = 0.0
    for rows in curves(result):
        optimizer = rows[0].training.optimizer
        color, name = OPTIMIZER_COLORS[optimizer], OPTIMIZER_NAMES[optimizer]
        x = np.array([place[depth(row)] for row in rows])
        tests = [row.test_accuracy for row in rows]
        draw_means(axes, x + beside, tests, color, f"{name}, test data" if train else name)
        beside += SIDESTEP
        if train:
            hollow = {"linestyle": "--", "markerfacecolor": "white"}
            trains = [row.train_accuracy for row in rows]
            draw_means(axes, x + beside, trains, color, f"{name}, training data", **hollow)
            beside += SIDESTEP
    for row in extra:
        name = f"{OPTIMIZER_NAMES[row.training.optimizer]}, width {row.training.width}"
        name = name if depth(row) else "logistic regression"
        label = f"{name}, test data" if train else name
        draw_extra(axes, row, place[depth(row)] + beside, label)
    draw_accuracy_axes(axes, result, depths, (beside - SIDESTEP) / 2)
    axes.set_ylabel("accuracy" if train else "test accuracy")
    axes.legend(loc="best", frameon=True, facecolor="white", edgecolor="none", framealpha=1)


def draw_accuracy_axes(axes: Axes, result: Result, depths: Sequence[int], middle: float) -> None:
    """The depths below the middle of their marks, and the line of chance."""
    widths = {depth(row): row.training.width for row in result.rows}
    labels = [str(each) for each in depths]
    if result.settings.equal_parameters:
        labels = [f"{each}\n{widths[each]} wide" for each in depths]
    every = -(-len(depths) // MOST_TICKS)
    axes.set(
        xticks=np.arange(0, len(depths), every) + middle,
        xticklabels=labels[::every],
        xlim=(middle - 0.4, middle + len(depths) - 0.6),
        xlabel="hidden layers",
        ylim=(lowest_accuracy(result) - 0.03, 1.02),
    )
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="x", visible=False)
    axes.axhline(0.5, color=GREY, linewidth=0.9, linestyle=":")
    axes.annotate(
        "chance",
        (1, 0.5),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        color=GREY,
        fontsize=9,
    )


def lowest_accuracy(result: Result) -> float:
    """Of all networks, and at most that of chance."""
    rows = (*result.rows, *result.controls)
    samples = [values for row in rows for values in (row.train_accuracy, row.test_accuracy)]
    return float(np.nanmin(np.concatenate([[0.5], *samples])))


def draw_means(
    axes: Axes, x: Any, samples: Sequence[Any], color: str, label: str, **line: Any
) -> None:
    """A line through the means, bars for the intervals, and a faint dot for each seed."""
    estimates = [mean_interval(values) for values in samples]
    axes.errorbar(
        x,
        [estimate.mean for estimate in estimates],
        yerr=[estimate.half_width or 0.0 for estimate in estimates],
        color=color,
        marker="o",
        elinewidth=1.2,
        capsize=2.5,
        label=label,
        **line,
    )
    for place, values in zip(x, samples, strict=True):
        scatter = SIDESTEP / 4 * np.resize([0, -1, 1], len(values))
        axes.plot(place + scatter, values, ".", color=color, alpha=0.35, markersize=4, zorder=1.5)


def draw_extra(axes: Axes, row: Row, place: float, label: str) -> None:
    """A control that belongs to no line: a mark of its own."""
    estimate = mean_test_accuracy(row)
    axes.errorbar(
        [place],
        [estimate.mean],
        yerr=[estimate.half_width or 0.0],
        color=OPTIMIZER_COLORS[row.training.optimizer],
        marker="D",
        markerfacecolor="white",
        elinewidth=1.2,
        capsize=2.5,
        linestyle="none",
        label=label,
    )


def loss_figure(result: Result) -> Figure:
    """Training loss of each depth: the geometric mean over seeds with its 95 % interval."""
    groups = curves(result)
    figure, axes = new_figure(
        1, len(groups), width=2.4 + 3.6 * len(groups), height=4.0, squeeze=False, sharey=True
    )
    colors = dict(zip(map(depth, groups[0]), depth_colors(len(groups[0])), strict=True))
    for each, rows in zip(axes[0], groups, strict=True):
        for row in rows:
            draw_loss(each, row, colors[depth(row)])
        each.set(yscale="log", xlabel="epoch")
        each.set_title(OPTIMIZER_NAMES[rows[0].training.optimizer])
        each.xaxis.set_major_formatter("{x:,.0f}")
    # The bands of a few seeds are wider than anything that was seen.
    seen = np.concatenate([converged_loss(row).ravel() for rows in groups for row in rows])
    if seen.size:
        axes[0, 0].set_ylim(seen.min() / 2, seen.max() * 2)
    several = result.settings.seeds > 1
    axes[0, 0].set_ylabel(
        "training loss, geometric mean over seeds" if several else "training loss"
    )
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def depth_colors(n: int) -> list[Any]:
    """Depth is an order, so the colours are: from dark to light, all readable on white."""
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.85, n)))


def converged_loss(row: Row) -> Any:
    """The loss curves (epochs, networks), on a log axis, of the networks that did not diverge."""
    kept = [network for network in range(row.training.seeds) if network not in row.diverged]
    return np.maximum(row.loss[:, kept], SMALLEST_LOSS)


def draw_loss(axes: Axes, row: Row, color: Any) -> None:
    """The mean of the logarithm, so that a band on a log axis never reaches below 0."""
    epochs = np.unique(np.linspace(0, len(row.loss) - 1, CURVE_POINTS).astype(int))
    estimates = [mean_interval(values) for values in np.log(converged_loss(row)[epochs])]
    mean = np.array([estimate.mean for estimate in estimates])
    half = np.array([estimate.half_width or 0.0 for estimate in estimates])
    axes.plot(epochs + 1, np.exp(mean), color=color, label=depth_words(row))
    axes.fill_between(
        epochs + 1, np.exp(mean - half), np.exp(mean + half), color=color, alpha=0.2, linewidth=0
    )


def parameter_figure(result: Result) -> Figure:
    """Weights and biases of each depth."""
    rows = at_most(curves(result)[0], MOST_PANELS)
    figure, axes = new_figure(width=max(4.8, 0.9 * len(rows)), height=3.6)
    bars = axes.bar(
        range(len(rows)), [row.parameters for row in rows], color=LINE_COLORS[0], width=0.62
    )
    axes.bar_label(bars, [f"{row.parameters:,}" for row in rows], padding=2, fontsize=9)
    axes.set(
        xticks=range(len(rows)),
        xticklabels=[f"{depth(row)}\n{row.training.width} wide" for row in rows],
        xlabel="hidden layers",
        ylabel="parameters",
    )
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="x", visible=False)
    return figure


@styled
def animate(result: Result) -> bytes:
    """A GIF of the decision boundaries during training, a panel for each depth."""
    rows = at_most(curves(result)[0], PANELS_IN_OVERVIEW)
    figure, axes = new_figure(
        1, len(rows), width=2.75 * max(len(rows), 2), height=3.3, squeeze=False
    )
    add_space_above(figure)
    name = OPTIMIZER_NAMES[result.settings.optimizer]
    longest = max((row.frames for row in rows), key=len)

    def draw(i: int) -> None:
        for panel, row in zip(axes[0], rows, strict=True):
            # A network that diverged stopped early, and stays as it was.
            _, probabilities = row.frames[min(i, len(row.frames) - 1)]
            # Clearing the axes, ticks and all, would take as long as drawing them.
            for artist in (*panel.images, *panel.collections):
                artist.remove()
            decision_panel(
                panel, result.extent, probabilities, result.X, result.y, depth_words(row), 5
            )
        epoch, epochs = longest[i][0], rows[0].training.epochs
        figure.suptitle(f"{name}, epoch {epoch:,} of {epochs:,}", fontsize=11)

    return gif(figure, draw, len(longest))
