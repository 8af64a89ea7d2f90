"""The figures of `scratchnet explore`."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from scratchnet.demos.architectures import ARCHITECTURES
from scratchnet.demos.data import PLANE
from scratchnet.demos.drawing import percent_axis, rate_figures, seeds_at
from scratchnet.demos.figures import (
    LINE_COLORS,
    Axes,
    Figure,
    decision_panel,
    new_figure,
    window,
)
from scratchnet.demos.running import Result, Row

MOST_COLUMNS = 6


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found: dict[str, Callable[[], Figure]] = {"accuracy": partial(accuracies, result)}
    if any(row.facts["dataset"] in PLANE for row in result.verdict_rows()):
        found["boundaries"] = partial(boundaries, result)
    panels = {name: [row.arm for row in rows] for name, rows in groups(result).items()}
    return found | rate_figures(result, panels)


def groups(result: Result) -> dict[str, list[Row]]:
    """The rows of each panel: depths on each dataset, and kinds of networks on the spirals."""
    s, rows = result.settings, list(result.verdict_rows())
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.facts["kind"] == "plain" and row.facts["depth"] in s.depths:
            found.setdefault(row.facts["dataset"], []).append(row)
    place = ("spirals", s.kinds_depth)
    kinds = [row for row in rows if (row.facts["dataset"], row.facts["depth"]) == place]
    # The plain network of this depth may have been trained among the depths, before the others.
    if len(kinds) > 1:
        kinds.sort(key=lambda row: list(ARCHITECTURES).index(row.facts["kind"]))
        found[f"spirals, {s.kinds_depth} layers"] = kinds
    return found


def accuracies(result: Result) -> Figure:
    """Training and test accuracy, a panel for each dataset, and one for the kinds of networks."""
    panels = groups(result)
    widths = [max(3, len(rows)) for rows in panels.values()]
    width, how = max(7.0, 0.5 * sum(widths) + 1.4), {"sharey": True, "width_ratios": widths}
    figure, axes = new_figure(1, len(panels), width, 3.9, squeeze=False, **how)
    for axis, (name, rows) in zip(axes[0], panels.items(), strict=True):
        draw(axis, rows)
        is_kinds = "layers" in name
        labels = [
            ARCHITECTURES[row.facts["kind"]].label.replace(" ", "\n", 1).replace("-", "-\n")
            if is_kinds
            else str(row.facts["depth"])
            for row in rows
        ]
        axis.set_xticks(range(len(rows)), labels, fontsize=8 if is_kinds else 9)
        axis.set(title=name, xlabel="" if is_kinds else "hidden layers")
    percent_axis(axes[0, 0], name="accuracy")
    axes[0, 0].legend(loc="lower right")
    figure.suptitle(finding(result))
    return figure


def finding(result: Result) -> str:
    """The fewest layers whose median test accuracy is within a point of the best."""
    parts = []
    for dataset in result.settings.datasets:
        rows = groups(result).get(dataset, [])
        medians = [np.nanmedian(row["test_accuracy"]) for row in rows]
        if rows:
            enough = next(i for i, each in enumerate(medians) if not each < max(medians) - 0.01)
            parts.append(f"{dataset} {rows[enough].facts['depth']}")
    return f"Fewest layers within a point of the best median accuracy: {', '.join(parts)}"


def draw(axes: Axes, rows: list[Row]) -> None:
    """A dot for each seed, and the medians."""
    looks = (("test_accuracy", "test data", 0.0), ("train_accuracy", "training data", 0.22))
    for number, (measure, label, shift) in enumerate(looks):
        places = [place + shift for place in range(len(rows))]
        samples = [row[measure] for row in rows]
        seeds_at(axes, places, samples, LINE_COLORS[number], label, linestyle="none")
    axes.set_xlim(-0.5, len(rows) - 0.3)
    axes.grid(axis="x", visible=False)


def boundaries(result: Result) -> Figure:
    """What the first seed's networks make of the plane: a line for each panel of `accuracies`."""
    lines = {
        name: rows[:MOST_COLUMNS]
        for name, rows in groups(result).items()
        if rows[0].facts["dataset"] in PLANE
    }
    columns = max(map(len, lines.values()))
    size = 2.0 * columns + 0.4, 2.25 * len(lines)
    figure, axes = new_figure(len(lines), columns, *size, squeeze=False)
    figure.set_layout_engine("compressed")
    for line, (name, rows) in zip(axes, lines.items(), strict=True):
        for panel in line[len(rows) :]:
            panel.remove()
        for panel, row in zip(line, rows, strict=False):
            X, y = row.arrays["X"], row.arrays["y"]
            title = f"{row.facts['layers']} layer{'s' * (row.facts['layers'] > 1)}"
            if row.facts["kind"] != "plain":
                title = ARCHITECTURES[row.facts["kind"]].label
            decision_panel(panel, window(X), row.arrays["boundary"], X, y, title, 3)
            panel.set_xlabel(f"{row['test_accuracy'][0]:.1%} correct", fontsize=9)
        line[0].set_ylabel(name, fontsize=11)
    classes = axes[0, 0].get_legend_handles_labels()
    figure.legend(*classes, loc="outside lower center", ncols=2, markerscale=3)
    least = min((row["test_accuracy"][0], row.arm) for rows in lines.values() for row in rows)
    figure.suptitle(f"Of the first seed's networks the worst gets {least[0]:.1%} right: {least[1]}")
    return figure
