"""The figures of `scratchnet spiral`."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.drawing import (
    color_of,
    loss_figure,
    percent_axis,
    rate_figures,
    seeds_at,
    short,
)
from scratchnet.demos.figures import Axes, Figure, decision_panel, new_figure, styled, window
from scratchnet.demos.running import Result, Row
from scratchnet.demos.spiral.experiment import by_method, finding
from scratchnet.files import write_atomically

MOST_PANELS = 5


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    groups = {name: [row.arm for row in rows] for name, rows in by_method(result).items()}
    rates = rate_figures(result, groups)
    losses = {"loss": partial(loss_figure, result, groups)}
    return {"overview": partial(overview, result), **rates, **losses}


def overview(result: Result) -> Figure:
    """Boundaries of the first seed, a line for each optimizer, beside accuracy against depth."""
    groups = by_method(result)
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
            boundary(each, row, row.arrays["boundary"], name)
            each.set_xlabel(f"{row['test_accuracy'][0]:.0%} correct", fontsize=9)
        line[0].set_ylabel(name.replace(", ", "\n"), fontsize=11)
    accuracies(figure.add_subplot(grid[:, -1]), groups)
    classes = axes[0, 0].get_legend_handles_labels()
    figure.legend(*classes, loc="outside lower left", ncols=2, markerscale=2)
    figure.suptitle(finding(result).replace("; ", "\n"))
    return figure


def boundary(axes: Axes, row: Row, probabilities: Any, method: str, size: float = 3.5) -> None:
    """A panel with what a network makes of the plane."""
    X, y = row.arrays["X"], row.arrays["y"]
    decision_panel(axes, window(X), probabilities, X, y, short(row.arm, method), size)


def accuracies(axes: Axes, groups: Mapping[str, list[Row]]) -> None:
    """Test accuracy against depth: a dot per seed, and medians."""
    depths = sorted({row.facts["depth"] for rows in groups.values() for row in rows})
    for number, (name, rows) in enumerate(groups.items()):
        places = [depths.index(row.facts["depth"]) + 0.22 * number for row in rows]
        samples = [row["test_accuracy"] for row in rows]
        seeds_at(axes, places, samples, color_of(number), name, linestyle="none")
    middle = 0.11 * (len(groups) - 1)
    axes.set(
        xticks=np.arange(len(depths)) + middle,
        xticklabels=[str(each) for each in depths],
        xlim=(middle - 0.5, middle + len(depths) - 0.5),
        xlabel="hidden layers",
    )
    axes.grid(axis="x", visible=False)
    percent_axis(axes, chance=0.5)
    if len(groups) > 1:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.14))


@styled
def animate(result: Result, path: Path) -> None:
    """A GIF of the boundaries of the first optimizer's networks during training."""
    method, rows = next(iter(by_method(result).items()))
    rows = rows[:MOST_PANELS]
    figure, axes = new_figure(
        1, len(rows), width=2.75 * max(len(rows), 2), height=3.4, squeeze=False
    )
    longest = max((row.arrays["frame_epochs"] for row in rows), key=len)

    def draw(i: int) -> None:
        """Draw frame i: the boundary of each network, and the epoch."""
        for panel, row in zip(axes[0], rows, strict=True):
            frames = row.arrays["frames"]
            for artist in (*panel.images, *panel.collections):
                artist.remove()
            # A network that diverged stopped early, and stays as it was.
            boundary(panel, row, frames[min(i, len(frames) - 1)], method, 5)
        figure.suptitle(f"Epoch {longest[i]:,} of {rows[0].facts['epochs']:,}")

    write_atomically(path, gif(figure, draw, len(longest)))
