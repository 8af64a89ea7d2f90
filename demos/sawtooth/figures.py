"""The figures of `scratchnet sawtooth`."""

from typing import Any

import numpy as np

from scratchnet.demos.drawing import color_of, seeds_at
from scratchnet.demos.figures import Figure, new_figure
from scratchnet.demos.running import Row
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.sawtooth import sawtooth, square_network

CLOSE_UP = 8  # so many pieces are drawn of more than 128


def sawtooth_figure(deepest: int) -> Figure:
    """The sawtooth of several depths; the deepest one close to 0, where its pieces can be seen."""
    depths = [*(depth for depth in (1, 2, 3, 4, 6) if depth < deepest), deepest]
    columns, rows = min(3, len(depths)), -(-len(depths) // 3)
    figure, axes = new_figure(
        rows, columns, width=3.2 * columns, height=0.5 + 2.0 * rows, squeeze=False, sharey=True
    )
    for panel in axes.ravel()[len(depths) :]:
        panel.set_axis_off()
    for panel, depth in zip(axes.ravel(), depths, strict=False):
        ends = np.arange((CLOSE_UP if depth > 7 else 2**depth) + 1) / 2.0**depth
        heights = predict_in_blocks(sawtooth(depth, backend="numpy"), ends[:, None])[:, 0]
        panel.plot(ends, heights, linewidth=1.2 if depth > 4 else 1.8)
        pieces = f"{2**depth:,}" if depth <= 20 else f"2^{depth}"
        panel.set(title=f"depth {depth}, {2 * depth} units: {pieces} pieces", yticks=[0, 1])
        last = f"{CLOSE_UP} / 2^{depth}" if depth > 7 else "1"
        panel.set_xticks([0, ends[-1]], ["0", last])
        if depth > 7:
            panel.set_xlabel(f"the first {CLOSE_UP} pieces")
    figure.suptitle("Every layer of two units doubles the pieces")
    return figure


def pieces_figure(folds: list[Row], random: list[Row]) -> Figure:
    """Pieces against hidden units: folded, at most by one layer, and with random weights."""
    figure, axes = new_figure(width=6.8, height=4.4)
    units = np.array([row["units"][0] for row in folds])
    counted = np.array([row["pieces counted"][0] for row in folds])
    axes.plot(units, 2.0 ** (units / 2), color=color_of(0), label="the sawtooth: 2^(n/2)")
    axes.plot(units, counted, "o", color=color_of(0), label="counted")
    axes.plot(units, units + 1, "--", color=color_of(1), label="one layer, at most: n + 1")
    labels = {"one layer": "one layer, random weights", "deep": "as deep, random weights"}
    for number, (name, label) in enumerate(labels.items(), start=2):
        style: dict[str, Any] = {"marker": "s^"[number - 2], "bimodal": False}
        samples = [row[name] for row in random]
        seeds_at(axes, list(units[: len(random)]), samples, color_of(number), label, **style)
    last = random[-1]
    axes.set(
        yscale="log",
        xlabel="hidden units n, two in each layer of the sawtooth",
        ylabel="linear pieces on [0, 1]",
        title=f"{2 ** last.facts['depth']:,} pieces are possible with "
        f"{2 * last.facts['depth']} units; random deep networks have {last['deep'].mean():.1f}",
    )
    axes.legend(loc="upper left")
    return figure


def square_figure(squares: list[Row]) -> Figure:
    """x^2 and its first approximations."""
    figure, axes = new_figure(width=5.2, height=4.2)
    x = np.linspace(0, 1, 201)
    axes.plot(x, x**2, color="#777777", linewidth=4, alpha=0.5, label="x²")
    for depth, line in zip(range(1, len(squares) + 1), (":", "--", "-"), strict=False):
        ends = np.arange(2**depth + 1) / 2**depth
        heights = predict_in_blocks(square_network(depth, backend="numpy"), ends[:, None])
        error = squares[depth - 1]["error"][0]
        axes.plot(ends, heights[:, 0], line, label=f"depth {depth}, error {error:.2g}")
    axes.set(xlabel="x", title="Each layer divides the error of x² by 4")
    axes.legend()
    return figure
