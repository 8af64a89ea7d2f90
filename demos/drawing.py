"""What figures of experiments share, besides the style in `figures`: seeds as dots, and accuracy
against learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, mean_interval, new_figure, styled
from scratchnet.demos.running import Result
from scratchnet.demos.verdicts import FEWEST_SEEDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = 0.08
"""How far the dots of an arm are spread to both sides."""

PANELS_PER_LINE = 4


def seeds_at(
    axes: Axes,
    places: Sequence[float],
    samples: Sequence[Any],
    color: str,
    label: str,
    **line: Any,
) -> None:
    """A dot for each seed; from five seeds on the means as well, with their 95 % intervals."""
    enough = min(map(len, samples), default=0) >= FEWEST_SEEDS
    size, alpha = (3.5, 0.35) if enough else (5, 0.9)
    dots: Any = {"color": color, "alpha": alpha, "markersize": size, "markeredgewidth": 0}
    for place, values in zip(places, samples, strict=True):
        spread = SPREAD * np.linspace(-1, 1, len(values)) if len(values) > 1 else 0
        drawn = axes.plot(place + spread * np.ones(len(values)), values, "o", zorder=1.5, **dots)
        if not enough:
            drawn[0].set_label(label)
            label = "_"  # the legend names the first dots only
    if enough:
        mean, half = np.transpose([mean_interval(values) for values in samples])
        line = {"marker": "o", "elinewidth": 1.3, "capsize": 3, **line}
        axes.errorbar(places, mean, yerr=half, color=color, label=label, **line)


def percent_axis(axes: Axes, chance: float | None = None, name: str = "test accuracy") -> None:
    """Accuracies up to 100 %, with a line where guessing is."""
    axes.set_ylabel(name)
    axes.yaxis.set_major_formatter("{x:.0%}")
    if chance is not None:
        # Before the limits are fixed, so that the line lies within them.
        axes.axhline(chance, color="#666666", linewidth=0.9, linestyle=":")
        place = ("axes fraction", "data")
        axes.annotate("chance", (1, chance), xycoords=place, ha="right", va="bottom", fontsize=9)
    axes.set_ylim(top=1.02)


def named_places(axes: Axes, names: Sequence[str], label: str = "") -> None:
    """The horizontal axis of arms that stand at 0, 1, 2, ..., with what each of them is."""
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.5, len(names) - 0.5), xlabel=label)
    axes.grid(axis="x", visible=False)


def rate_figures(
    result: Result, title: str, groups: Mapping[str, Sequence[str]] | None = None, **how: Any
) -> dict[str, Callable[[], Figure]]:
    """`learning_rate_figure` by its name, where several rates were tried."""
    if all(each.scores is None for each in result.tuned.values()):
        return {}
    return {"learning-rates": partial(learning_rate_figure, result, title, groups, **how)}


@styled
def learning_rate_figure(
    result: Result,
    title: str,
    groups: Mapping[str, Sequence[str]] | None = None,
    score: str = "validation accuracy",
) -> Figure:
    """The score of every arm against its learning rate, on its tuning seeds.

    `groups` names panels and the arms that each shows, such as one per optimizer. A ring marks the
    rate that was chosen. Panels of regressions, whose scores are below 0, show losses.
    """
    from matplotlib import colormaps

    arms = [name for name, each in result.tuned.items() if each.scores is not None]
    groups = groups or {"": arms}
    shown = {panel: [name for name in names if name in arms] for panel, names in groups.items()}
    shown = {panel: names for panel, names in shown.items() if names} or {"": []}
    losses = {
        panel: any((result.tuned[arm].scores < 0).any() for arm in members)
        for panel, members in shown.items()
    }
    columns = min(len(shown), PANELS_PER_LINE)
    lines = -(-len(shown) // columns)
    figure, axes = new_figure(
        lines,
        columns,
        width=2.2 + 3.6 * columns,
        height=0.6 + 3.4 * lines,
        squeeze=False,
        sharey=not any(losses.values()),
    )
    for panel in axes.flat[len(shown) :]:
        panel.remove()
    for panel, (name, members) in zip(axes.flat, shown.items(), strict=False):
        colors = colormaps["viridis"](np.linspace(0, 0.85, max(len(members), 1)))
        for color, arm in zip(colors, members, strict=True):
            found = result.tuned[arm]
            scores = -found.scores if losses[name] else found.scores
            finite = [values[np.isfinite(values)] for values in scores]
            mean = np.array([values.mean() if len(values) else np.nan for values in finite])
            panel.plot(found.rates, mean, "o-", color=color, label=short(arm, name))
            for rate, values in zip(found.rates, scores, strict=True):
                panel.plot([rate] * len(values), values, ".", color=color, alpha=0.4, markersize=4)
            best = found.rates.index(found.best)
            ring = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.6}
            panel.plot([found.best], [mean[best]], "o", color=color, **ring)
        panel.set(xscale="log", xlabel="learning rate", title=name)
        tried = sorted({rate for arm in members for rate in result.tuned[arm].rates})
        panel.set_xticks(tried, [f"{rate:g}" for rate in tried], rotation=45 * (len(tried) > 5))
        panel.set_xticks([], minor=True)
        if losses[name]:
            panel.set(yscale="log", ylabel="validation loss")
        else:
            panel.set_ylabel(score)
            panel.yaxis.set_major_formatter("{x:.0%}" if "accuracy" in score else "{x:g}")
    legends = [panel.get_legend_handles_labels() for panel in axes.flat[: len(shown)]]
    if len(shown) > 1 and all(names == legends[0][1] for _, names in legends):
        figure.legend(*legends[0], loc="outside right center")
    else:
        for panel, members in zip(axes.flat, shown.values(), strict=False):
            if members:
                panel.legend(title="", loc="best")
    if not any(losses.values()):
        for panel in axes[:, 1:].flat:
            panel.set_ylabel("")
    figure.suptitle(title, fontsize=11)
    return figure


def short(arm: str, panel: str) -> str:
    """The arm's name without what its panel says already."""
    for said in (f", {panel}", f"{panel}, ", f"{panel}: ") if panel else ():
        arm = arm.replace(said, "")
    return arm


def color_of(number: int) -> str:
    return LINE_COLORS[number % len(LINE_COLORS)]
