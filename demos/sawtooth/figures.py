"""The figures of `scratchnet sawtooth`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, mean_with_band, new_figure, styled
from scratchnet.demos.sawtooth.experiment import Result
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.sawtooth import sawtooth, square_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEEP, SHALLOW, RANDOM_DEEP, RANDOM_WIDE = LINE_COLORS[:4]
GREY = "#888888"

DRAWN = (1, 2, 3, 4, 6)
MOST_DRAWN = 7
CLOSE_UP_PIECES = 8


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The figures of what was finished, by their names."""
    figures = {"sawtooth": function_figure(result), "pieces": piece_figure(result)}
    if result.squares:
        figures["square"] = square_figure(result)
    return figures


def function_figure(result: Result) -> Figure:
    """The sawtooth of several depths; the deepest one close to 0, where its pieces can be seen."""
    deepest = result.folds[-1].depth
    depths = [depth for depth in DRAWN if depth < deepest]
    depths.append(deepest)
    columns = min(3, len(depths))
    rows = -(-len(depths) // columns)
    figure, axes = new_figure(
        rows, columns, width=3.2 * columns, height=0.3 + 2.0 * rows, squeeze=False, sharey=True
    )
    for panel in axes.ravel()[len(depths) :]:
        panel.set_axis_off()
    for panel, depth in zip(axes.ravel(), depths, strict=False):
        close_up = depth > MOST_DRAWN
        ends = np.arange(CLOSE_UP_PIECES + 1 if close_up else 2**depth + 1) / 2.0**depth
        heights = predict_in_blocks(sawtooth(depth, backend="numpy"), ends[:, None])[:, 0]
        panel.plot(ends, heights, color=DEEP, linewidth=1.2 if depth > 4 else 1.8)
        title = f"depth {depth}, {2 * depth} units: {pieces_in_words(depth)}"
        panel.set(title=title, yticks=[0, 1], xticks=[0, ends[-1]], ylim=(-0.06, 1.06))
        panel.set_xticklabels(["0", f"${CLOSE_UP_PIECES} / 2^{{{depth}}}$" if close_up else "1"])
        if close_up:
            panel.set_xlabel(f"the first {CLOSE_UP_PIECES} pieces")
    return figure


def pieces_in_words(depth: int) -> str:
    return f"{2**depth:,} pieces" if depth <= 20 else f"2^{depth} pieces"


def piece_figure(result: Result) -> Figure:
    """Pieces against hidden units: folded, at most by one layer, and with random weights."""
    figure, axes = new_figure(width=6.8, height=4.4)
    units = np.array([each.units for each in result.folds])
    pieces = np.array([float(each.pieces) for each in result.folds])
    counted = np.array([each.counted is not None for each in result.folds])
    axes.plot(units, pieces, color=DEEP, label="depth: the sawtooth, 2^(n/2)")
    axes.plot(units[counted], pieces[counted], "o", color=DEEP, label="counted")
    width = np.arange(1, units[-1] + 1)
    axes.plot(width, width + 1, "--", color=SHALLOW, label="one layer of n units, at most: n + 1")
    random = [each for each in result.folds if each.random_deep is not None]
    some = [each.units for each in random]
    for name, label, color, marker in (
        ("random_wide", "one layer, random weights", RANDOM_WIDE, "s"),
        ("random_deep", "the sawtooth's shape, random weights", RANDOM_DEEP, "^"),
    ):
        samples = np.array([getattr(each, name) for each in random]).T
        mean_with_band(axes, some, samples, label, color, marker=marker, markersize=4)
    bands = "; bands: 95 % interval" if result.settings["seeds"] > 1 else ""
    axes.set(
        yscale="log",
        xlabel="hidden units n, two in each layer of the sawtooth",
        ylabel="linear pieces on [0, 1]",
        title=f"The same units, deep or wide{bands}",
    )
    axes.set_ylim(bottom=0.7)
    axes.legend(loc="upper left")
    return figure


def square_figure(result: Result) -> Figure:
    """x^2 and its first approximations, their errors, and the units they and one layer take."""
    figure, (curves, errors, units) = new_figure(1, 3, width=11, height=3.5)
    draw_squares(curves, min(3, len(result.squares)))
    depth = [each.depth for each in result.squares]
    errors.plot(depth, [each.bound for each in result.squares], color=GREY, label="2^(-2m-2)")
    errors.plot(depth, [each.error for each in result.squares], "o", color=DEEP, label="measured")
    errors.set(yscale="log", title="largest error of x²", xlabel="depth m", ylabel="error")
    units.plot(
        depth,
        [max(1, each.at_least) for each in result.squares],
        "s--",
        color=SHALLOW,
        label="one layer, at least",
    )
    units.plot(depth, [each.units for each in result.squares], "o-", color=DEEP, label="deep: 3m")
    units.set(
        yscale="log", title="units for the same error", xlabel="depth m", ylabel="hidden units"
    )
    for panel in (errors, units):
        panel.legend()
        panel.xaxis.get_major_locator().set_params(integer=True)
    return figure


def draw_squares(axes: Axes, depth: int) -> None:
    """The parabola, and its chords at each depth up to `depth`."""
    x = np.linspace(0, 1, 201)
    axes.plot(x, x**2, color=GREY, linewidth=4, alpha=0.5, label="x²")
    lines: Any = (":", "--", "-")
    for level in range(1, depth + 1):
        ends = np.arange(2**level + 1) / 2**level
        heights = predict_in_blocks(square_network(level, backend="numpy"), ends[:, None])[:, 0]
        axes.plot(
            ends,
            heights,
            lines[level - 1],
            color=LINE_COLORS[level - 1],
            linewidth=1.4,
            label=f"depth {level}",
        )
    axes.set(title="x² from summed tents", xlabel="x", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.legend()
