"""The figures of `scratchnet spiral`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.drawing import learning_rate_figure, percent_axis, seeds_at
from scratchnet.demos.figures import LINE_COLORS, decision_panel, new_figure, styled, window
from scratchnet.demos.running import Result, Row
from scratchnet.demos.tuning import OPTIMIZER_NAMES
from scratchnet.demos.verdicts import successes
from scratchnet.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"sgd": LINE_COLORS[0], "adam": LINE_COLORS[1]}
SOLVED = 0.95
MOST_PANELS = 5


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found: dict[str, Callable[[], Figure]] = {"overview": partial(overview, result)}
    if any(each.scores is not None for each in result.tuned.values()):
        found["learning-rates"] = partial(rates, result)
    found["loss"] = partial(losses, result)
    return found


def by_optimizer(result: Result) -> dict[str, list[Row]]:
    """The rows of each optimizer, by depth."""
    found: dict[str, list[Row]] = {}
    for row in sorted(result.verdict_rows(), key=lambda row: int(row.facts["depth"])):
        found.setdefault(row.facts["optimizer"], []).append(row)
    return found


def layers(row: Row) -> str:
    depth = row.facts["depth"]
    normed = ", batch norm" if "batch norm" in row.arm else ""
    return f"{depth} hidden layer{'s' * (depth != 1)}{normed}"


@styled
def overview(result: Result) -> Figure:
    """Boundaries of the first seed, a line for each optimizer, beside accuracy against depth."""
    groups = by_optimizer(result)
    lines = {name: rows[:MOST_PANELS] for name, rows in groups.items()}
    columns = max(map(len, lines.values()))
    figure, axes = new_figure(
        len(lines),
        columns + 1,
        width=1.75 * columns + 4.2,
        height=1.85 * max(len(lines), 1.4) + 0.45,
        squeeze=False,
        width_ratios=[1.0] * columns + [1.9],
    )
    # Square panels leave room beside them, which this layout takes away.
    figure.set_layout_engine("compressed")
    grid = axes[0, -1].get_gridspec()
    for each in axes[:, -1]:
        each.remove()
    for line, (name, rows) in zip(axes, lines.items(), strict=True):
        for each in line[len(rows) : columns]:
            each.remove()
        for each, row in zip(line, rows, strict=False):
            boundary(each, row, row.arrays["boundary"], layers(row))
            each.set_xlabel(f"{row['test_accuracy'][0]:.0%} correct", fontsize=9)
        line[0].set_ylabel(OPTIMIZER_NAMES[name], fontsize=11)
    accuracies(figure.add_subplot(grid[:, -1]), groups)
    figure.suptitle(finding(groups), fontsize=12)
    return figure


def finding(groups: Mapping[str, list[Row]]) -> str:
    """The counts that the picture is about."""
    parts = []
    for name, rows in groups.items():
        counts = ", ".join(
            f"{successes(row['test_accuracy'], SOLVED)}/{len(row.seeds)}" for row in rows
        )
        depths = ", ".join(str(row.facts["depth"]) for row in rows)
        parts.append(f"{OPTIMIZER_NAMES[name]} solves {counts} at depth {depths}")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] if text else ""


def boundary(axes: Axes, row: Row, probabilities: Any, title: str, size: float = 3.5) -> None:
    X, y = row.arrays["X"], row.arrays["y"]
    decision_panel(axes, window(X), probabilities, X, y, title, size)


def accuracies(axes: Axes, groups: Mapping[str, list[Row]]) -> None:
    """Test accuracy against depth: a dot per seed, means with intervals from five seeds on."""
    depths = sorted({row.facts["depth"] for rows in groups.values() for row in rows})
    for number, (name, rows) in enumerate(groups.items()):
        places = [depths.index(row.facts["depth"]) + 0.22 * number for row in rows]
        samples = [row["test_accuracy"] for row in rows]
        seeds_at(axes, places, samples, COLORS[name], OPTIMIZER_NAMES[name], linestyle="none")
    middle = 0.11 * (len(groups) - 1)
    axes.set(
        xticks=np.arange(len(depths)) + middle,
        xticklabels=[str(each) for each in depths],
        xlim=(middle - 0.5, middle + len(depths) - 0.5),
        xlabel="hidden layers",
    )
    axes.grid(axis="x", visible=False)
    percent_axis(axes, chance=0.5)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.06))


def rates(result: Result) -> Figure:
    """Accuracy of every depth against learning rate, a panel for each optimizer."""
    groups = {
        OPTIMIZER_NAMES[name]: [row.arm for row in rows]
        for name, rows in by_optimizer(result).items()
    }
    return learning_rate_figure(
        result, "Which depth works best depends on the learning rate (ring: chosen)", groups
    )


@styled
def losses(result: Result) -> Figure:
    """Training loss of each seed against epochs, at the arm's learning rate."""
    from matplotlib import colormaps

    groups = by_optimizer(result)
    figure, axes = new_figure(
        1, len(groups), width=2.4 + 3.6 * len(groups), height=4.0, squeeze=False, sharey=True
    )
    for panel, (name, rows) in zip(axes[0], groups.items(), strict=True):
        colors = colormaps["viridis"](np.linspace(0, 0.85, len(rows)))
        for row, color in zip(rows, colors, strict=True):
            curve = np.maximum(row.arrays["loss_curve"], 1e-7)
            keep = np.unique(np.linspace(0, len(curve) - 1, 200).astype(int))
            panel.plot(keep + 1, curve[keep], color=color, alpha=0.25, linewidth=0.8)
            middle = np.nanmedian(curve[keep], axis=1)
            label = f"{layers(row)}, rate {row.facts['learning_rate']:g}"
            panel.plot(keep + 1, middle, color=color, label=label)
        panel.set(yscale="log", xlabel="epoch", title=OPTIMIZER_NAMES[name])
        panel.legend(loc="lower left")
    axes[0, 0].set_ylabel("training loss (median, and each seed)")
    return figure


@styled
def animate(result: Result, path: Path) -> None:
    """A GIF of the boundaries of the first optimizer's networks during training."""
    rows = next(iter(by_optimizer(result).values()))[:MOST_PANELS]
    figure, axes = new_figure(
        1, len(rows), width=2.75 * max(len(rows), 2), height=3.4, squeeze=False
    )
    longest = max((row.arrays["frame_epochs"] for row in rows), key=len)

    def draw(i: int) -> None:
        for panel, row in zip(axes[0], rows, strict=True):
            frames = row.arrays["frames"]
            for artist in (*panel.images, *panel.collections):
                artist.remove()
            # A network that diverged stopped early, and stays as it was.
            boundary(panel, row, frames[min(i, len(frames) - 1)], layers(row), 5)
        figure.suptitle(f"Epoch {longest[i]:,} of {rows[0].facts['epochs']:,}", fontsize=11)

    write_atomically(path, gif(figure, draw, len(longest)))
