"""The figures of `scratchnet probes`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import rate_figures, seeds_at
from scratchnet.demos.figures import LINE_COLORS, Axes, Figure, new_figure, scatter_classes
from scratchnet.demos.running import Result, Row

COLORS = {"trained": LINE_COLORS[0], "untrained": LINE_COLORS[1], "random biases": LINE_COLORS[2]}
STYLES = {"trained": "-", "untrained": "--", "random biases": "-."}


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    rows = [result[name] for name in COLORS if name in result]
    if not rows:
        return {}
    drawn = {"probes": partial(probes, result, rows), "layers": partial(maps, result, rows)}
    return drawn | rate_figures(result)


def probes(result: Result, rows: Sequence[Row]) -> Figure:
    """Probe accuracy after each hidden layer, with the controls."""
    figure, axes = new_figure(width=6.8, height=4.4)
    for number, row in enumerate(rows):
        samples = row.arrays["test"]
        places = np.arange(1, len(samples) + 1)
        shifted = list(places + 0.2 * (number - 1))
        style: Any = {"linestyle": STYLES[row.arm], "bimodal": False}
        seeds_at(axes, shifted, samples, COLORS[row.arm], row.arm, **style)
    raw = float(np.nanmean(result["raw inputs"].arrays["test"]))
    axes.axhline(raw, color="#666666", linestyle=":", label="raw inputs")
    first = rows[0]
    ends = [f"{np.nanmean(first.arrays['test'][layer]):.0%}" for layer in (0, -1)]
    title = f"{first.arm.capitalize()}: a linear probe gets {ends[0]} after the first layer"
    axes.set(title=f"{title}, {ends[1]} after the last", ylabel="test accuracy of a linear probe")
    axes.set(xlabel="hidden layer", xticks=places[:: -(-len(places) // 10)])
    axes.set_ylim(top=1.01)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="best")
    return figure


def maps(result: Result, rows: Sequence[Row]) -> Figure:
    """Maps of some layers of the first seed's networks, with what a probe gets there."""
    layers = [int(name[4:]) for name in rows[0].arrays if name.startswith("map ")]
    size = {"width": 2.4 * len(layers) + 0.4, "height": 2.45 * len(rows) + 0.3}
    figure, axes = new_figure(len(rows), len(layers), **size, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for panel, layer in zip(line, layers, strict=True):
            draw_map(panel, row.arrays[f"map {layer}"], row.arrays["labels"])
            correct = row.arrays["test"][layer - 1, 0]
            panel.set_title(f"layer {layer}: probe {correct:.1%}", fontsize=10)
        line[0].set_ylabel(row.arm, fontsize=11)
    if result.settings.dataset == "spirals":
        axes[0, -1].legend(loc="best", fontsize=8)
    method = "t-SNE" if result.settings.embedding == "tsne" else "First two principal components"
    figure.suptitle(f"{method} of layers' outputs for test samples (first seed)")
    return figure


def draw_map(axes: Axes, points: Any, labels: Any) -> None:
    """The points in the colours of their classes; a digit is drawn as itself."""
    axes.set(xticks=[], yticks=[])
    if labels.max() == 1:
        scatter_classes(axes, points, labels, 9, linewidths=0.2)
        return
    for label in np.unique(labels):
        (x, y), color = points[labels == label].T, LINE_COLORS[label % len(LINE_COLORS)]
        axes.scatter(x, y, s=16, c=color, marker=f"${label}$", linewidths=0.2)
