"""The figures of `scratchnet init`."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from scratchnet.demos.drawing import rate_figures
from scratchnet.demos.figures import LINE_COLORS, Figure, new_figure
from scratchnet.demos.init.measures import BOUND_WIDTHS, RULES, passed
from scratchnet.demos.running import Result, Row

COLORS = dict(zip(RULES, (*LINE_COLORS, "#888888"), strict=True))
MARKERS = dict(zip(RULES, "os^vDXP*", strict=True))


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Mean squares of each shape, learning rates, and the bounds."""
    found: dict[str, Callable[[], Figure]] = {}
    for shape in result.settings.shapes:
        if rows := shaped(result, shape):
            found[f"mean-squares-{shape}"] = partial(mean_squares, result, rows)
    groups = {
        activation: [name for name in result.tuned if name.startswith(f"{activation}: ")]
        for activation in result.settings.activations
    }
    found |= rate_figures(result, groups)
    if bounds := [row for row in result.verdict_rows() if "exercise" in row.measures]:
        found["sigmoid-bound"] = partial(bound_figure, bounds)
    return found


def shaped(result: Result, shape: str) -> list[Row]:
    """The mean squares of a shape, a row for each rule."""
    return [row for row in result.verdict_rows() if row.facts.get("shape") == shape]


def mean_squares(result: Result, rows: list[Row]) -> Figure:
    """Median and middle 80 % of the networks, layer by layer, on a logarithmic scale."""
    lines, widths = result.settings.activations, rows[0].facts["widths"]
    layers = np.arange(1, len(widths))
    size = {"width": 10.5, "height": 0.9 + 2.7 * len(lines)}
    figure, axes = new_figure(len(lines), 2, squeeze=False, sharex=True, **size)
    for line, activation in zip(axes, lines, strict=True):
        for panel, name in zip(line, ("forward", "backward"), strict=True):
            for number, row in enumerate(rows):
                rule, values = row.facts["rule"], row.arrays[f"{activation} {name}"]
                low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=0)
                color = COLORS[rule]
                panel.fill_between(layers, low, high, color=color, alpha=0.18, linewidth=0)
                formula = row.arrays[f"{activation} {name} formula"]
                panel.plot(layers, formula, "--", color=color, linewidth=1.1)
                # Rules that agree lie on each other; marks on different layers show all of them.
                mark = {"markevery": (number % 3, 3), "markeredgecolor": "white", "mew": 0.4}
                panel.plot(layers, middle, MARKERS[rule], color=color, label=rule, **mark)
            panel.set(yscale="log", title=f"{activation}, {name}: {NAMES[name]}")
            panel.xaxis.get_major_locator().set_params(integer=True)
        line[0].set_ylabel("mean square")
    for panel in axes[-1]:
        panel.set_xlabel("layer")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="initial weights")
    figure.suptitle(
        f"Only some rules keep the mean square; layers {between(widths)} wide\n"
        f"(dashed: formula; marks and bands: median and middle 80 % of {len(rows[0].seeds)} "
        "networks)",
        fontsize=11,
    )
    return figure


def between(widths: tuple[int, ...]) -> str:
    """Such as `2048 to 8`, or one number for equal widths."""
    return " to ".join(map(str, dict.fromkeys((widths[0], widths[-1]))))


NAMES = {"forward": "signals z", "backward": "gradients dL/dz"}


def bound_figure(rows: list[Row]) -> Figure:
    """First gradients against the theorem's bound and against the exercise's."""
    figure, axes = new_figure(1, 2, width=10, height=4.4, sharey=True)
    widths = np.concatenate([np.full(len(row.seeds), row.facts["width"]) for row in rows])
    gradients = np.concatenate([row["gradient"] for row in rows])
    titles = {"bound": "the theorem", "exercise": "the exercise's form"}
    for panel, (bound, title) in zip(axes, titles.items(), strict=True):
        values = np.concatenate([row[bound] for row in rows])
        style = {"c": np.log2(widths), "s": 6, "cmap": "viridis", "linewidths": 0}
        shown = panel.scatter(values, gradients, **style)
        ends = [gradients.min(), max(gradients.max(), 1.0)]
        panel.plot(ends, ends, color="black", linewidth=1)
        above = sum(passed(row, bound).sum() for row in rows)
        panel.set_title(f"{title}: {above:,} of {len(gradients):,} exceed it")
        panel.set(xscale="log", yscale="log", xlabel="bound")
    axes[0].set_ylabel("gradient of the first layer, |dL/dW_1|")
    bar = figure.colorbar(shown, ax=axes, label="neurons in a layer")
    bar.set_ticks(np.log2(BOUND_WIDTHS).tolist(), labels=list(map(str, BOUND_WIDTHS)))
    return figure
