"""The figures of `scratchnet parity`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.parity.experiment import Built, Result
from scratchnet.demos.parity.formulas import FORMULAS, Formula
from scratchnet.demos.parity.learning import DEEP, KINDS, ONE, WIDE, Training
from scratchnet.depth.circuits import MOST_INPUTS
from scratchnet.depth.parity import PARITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#333333"
LOOKS = {
    "dnf": (LINE_COLORS[1], "o", "-"),
    "tree": (LINE_COLORS[0], "^", "-"),
    "counting": (LINE_COLORS[2], "s", "-"),
    "relu": (LINE_COLORS[4], "x", "--"),
    "tent": (LINE_COLORS[3], "D", "-"),
}
KIND_LOOKS = {
    ONE: (LINE_COLORS[1], "o", "--", "one layer of 32"),
    DEEP: (LINE_COLORS[0], "^", "-", "log₂ n layers of 32"),
    WIDE: (LINE_COLORS[2], "s", ":", "one wide layer,\nas many parameters"),
}
SHIFT = 0.12


@styled
def plot(result: Result) -> dict[str, Figure]:
    """What the circuits cost against n; with training, what was solved and what generalised."""
    figures = {"circuits": circuits_figure(result.circuits)}
    if result.trainings:
        figures["learning"] = learning_figure(result.trainings)
    return figures


def circuits_figure(circuits: Sequence[Built]) -> Figure:
    """Neurons and connections against the number of inputs: lines are formulas, marks networks."""
    figure, axes = new_figure(1, 2, width=10.4, height=4.6, sharex=True)
    for panel, quantity in zip(axes, ("neurons", "connections"), strict=True):
        for construction in PARITY:
            draw_costs(panel, construction, quantity, circuits)
        panel.set(
            yscale="log",
            xlabel="inputs n",
            ylabel=quantity,
            xlim=(1, MOST_INPUTS + 0.5),
            xticks=[2, *range(4, MOST_INPUTS + 1, 4)],
        )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.6)
    figure.suptitle("Lines: formulas. Marks: networks built, and right on all of their rows.")
    return figure


def draw_costs(axes: Axes, construction: str, quantity: str, circuits: Sequence[Built]) -> None:
    """Draw a formula as a line, and a mark for each network that was right on all its rows."""
    color, marker, line = LOOKS[construction]
    formula = FORMULAS[construction][quantity]
    sizes = [2**power for power in range(1, 6)] if construction == "tent" else range(2, 25)
    sizes = [n for n in sizes if n <= MOST_INPUTS]
    axes.plot(sizes, [formula(n) for n in sizes], color=color, linestyle=line, linewidth=1.4)
    name_line(axes, construction, formula, sizes[-1])
    right = [each for each in circuits if each.construction == construction and each.right]
    right.sort(key=lambda each: each.inputs)
    shown = [each for each in right if each.inputs > 1 and each.counts]
    axes.plot(
        [each.inputs for each in shown],
        [(each.counts or {})[quantity] for each in shown],
        color=color,
        marker=marker,
        linestyle="none",
        markerfacecolor="none" if marker == "s" else color,
        markersize=6 if marker in "sx" else 5,
    )
    label = PARITY[construction].title
    axes.plot(
        [],
        [],
        color=color,
        marker=marker,
        linestyle=line,
        label=label,
        markerfacecolor="none" if marker == "s" else color,
    )


def name_line(axes: Axes, construction: str, formula: Formula, last: int) -> None:
    """Write the formula at the end of its line; one ReLU layer has that of counting."""
    if construction == "relu":
        return
    left = construction == "dnf"
    text = formula.text.replace("2^(n-1)", "$2^{n-1}$").replace("n^2", "n²")
    axes.annotate(
        text.replace("log2", "log₂").replace(" - ", " − "),
        (last, formula(last)),
        xytext=(-8 if left else 7, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=9,
        color=LOOKS[construction][0],
        annotation_clip=False,
    )


def learning_figure(trainings: Sequence[Training]) -> Figure:
    """The fraction solved on the full table, and the accuracy on the half that was held out."""
    figure, (full, half) = new_figure(1, 2, width=9.6, height=4.2)
    networks = trainings[0].networks
    for number, kind in enumerate(KINDS):
        shift = SHIFT * (number - 1)
        same = [each for each in trainings if each.kind == kind]
        draw_solved(full, kind, [each for each in same if not each.half], shift)
        draw_accuracy(half, kind, [each for each in same if each.half], shift)
    half.axhline(0.5, color=INK, linewidth=0.9, linestyle="-.")
    half.annotate(
        "chance",
        (1, 0.5),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=INK,
    )
    sizes = sorted({each.inputs for each in trainings})
    full.set(title=f"full table, {networks} networks each", ylabel="fraction with all rows right")
    half.set(
        title="half of the table held out; bars: 95 % interval",
        ylabel="accuracy on the rows held out",
    )
    for panel in (full, half):
        panel.set(xlabel="inputs n", ylim=(-0.03, 1.03), xticks=sizes)
    handles, labels = full.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3)
    return figure


def draw_solved(axes: Axes, kind: str, same: Sequence[Training], shift: float) -> None:
    """Draw the fraction of one kind with all rows right, and intervals, moved by `shift`."""
    color, marker, line, label = KIND_LOOKS[kind]
    fraction = np.array([each.solved / each.networks for each in same])
    ends = np.array([each.interval for each in same]).reshape(-1, 2)
    axes.errorbar(
        [each.inputs + shift for each in same],
        fraction,
        # Rounding can put an end of the interval just inside the fraction.
        yerr=np.maximum(0, [fraction - ends[:, 0], ends[:, 1] - fraction]),
        color=color,
        marker=marker,
        linestyle=line,
        capsize=3,
        elinewidth=1.1,
        label=label,
    )


def draw_accuracy(axes: Axes, kind: str, same: Sequence[Training], shift: float) -> None:
    color, marker, line, label = KIND_LOOKS[kind]
    estimates = [each.accuracy for each in same]
    axes.errorbar(
        [each.inputs + shift for each in same],
        [each.mean for each in estimates],
        yerr=[each.half_width or 0.0 for each in estimates],
        color=color,
        marker=marker,
        linestyle=line,
        capsize=3,
        elinewidth=1.1,
        label=label,
    )
