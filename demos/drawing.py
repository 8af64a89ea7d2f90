"""What figures of experiments share, besides the style in `figures`: seeds as dots, and accuracy
against learning rate."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, Axes, Figure, mean_interval, new_figure
from scratchnet.demos.running import Result
from scratchnet.demos.tuning import Tuned, mean_scores
from scratchnet.demos.verdicts import FEWEST_SEEDS

SPREAD = 0.08
"""How far the dots of an arm are spread to both sides."""

PANELS_PER_LINE = 4


def seeds_at(
    axes: Axes,
    places: Sequence[float],
    samples: Sequence[Any],
    color: str,
    label: str,
    bimodal: bool = True,
    **line: Any,
) -> None:
    """A dot for each seed; from five seeds on the means as well, with their 95 % intervals.

    Where networks learn or do not, `bimodal`, the medians, which need no interval beside the dots.
    """
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
        middle, half = np.transpose([mean_interval(values) for values in samples])
        if bimodal:
            finite = np.ma.masked_invalid(np.array(samples, float))
            middle, half = np.ma.median(finite, axis=1).filled(np.nan), None
        line = {"marker": "o", "elinewidth": 1.3, "capsize": 3, **line}
        axes.errorbar(places, middle, yerr=half, color=color, label=label, **line)


def percent(share: float, place: float) -> str:
    """The label of a tick; above 100 % there is none."""
    return f"{100 * share:.3g}%" if share < 1.0001 else ""


def percent_axis(axes: Axes, chance: float | None = None, name: str = "test accuracy") -> None:
    """Accuracies up to 100 %, with a line where guessing is."""
    axes.set_ylabel(name)
    axes.yaxis.set_major_formatter(percent)
    if chance is not None:
        # Before the limits are fixed, so that the line lies within them.
        axes.axhline(chance, color="#666666", linewidth=0.9, linestyle=":")
        place = ("axes fraction", "data")
        axes.annotate("chance", (1, chance), xycoords=place, ha="right", va="bottom", fontsize=9)
    axes.set_ylim(top=1.02)


def named_places(axes: Axes, names: Sequence[str], label: str = "") -> None:
    """The horizontal axis of arms that stand at 0, 1, 2, ..., with what each of them is."""
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.5, max(len(names), 1) - 0.5), xlabel=label)
    axes.grid(axis="x", visible=False)


def rate_figures(
    result: Result, groups: Mapping[str, Sequence[str]] | None = None, **how: Any
) -> dict[str, Callable[[], Figure]]:
    """`learning_rate_figure` by its name, where several rates were tried."""
    if all(each.scores is None for each in result.tuned.values()):
        return {}
    return {"learning-rates": partial(learning_rate_figure, result, groups, **how)}


def learning_rate_figure(
    result: Result,
    groups: Mapping[str, Sequence[str]] | None = None,
    score: str = "validation accuracy",
    note: str = "",
) -> Figure:
    """The score of every arm against its learning rate, on its tuning seeds.

    `groups` names panels and the arms that each shows, such as one per optimizer. A ring marks the
    rate that was chosen. Panels of regressions, whose scores are below 0, show losses. The title
    says what was found, and `note` what else must be known.
    """
    tried = {name: each for name, each in result.tuned.items() if each.scores is not None}
    members = {
        panel: [tried[name] for name in names if name in tried]
        for panel, names in (groups or {"": list(tried)}).items()
    }
    members = {panel: arms for panel, arms in members.items() if arms} or {"": []}
    losses = any(are_losses(arms) for arms in members.values())
    columns = min(len(members), PANELS_PER_LINE)
    lines = -(-len(members) // columns)
    width, height = 2.2 + 3.6 * columns, 0.6 + 3.4 * lines
    figure, axes = new_figure(lines, columns, width, height, squeeze=False, sharey=not losses)
    for panel in axes.flat[len(members) :]:
        panel.remove()
    panels = list(axes.flat[: len(members)])
    for panel, (name, arms) in zip(panels, members.items(), strict=True):
        rates_panel(panel, name, arms, score)
    crowded = any(len(panel.get_xticks()) > 5 for panel in panels)
    for panel in panels:
        panel.tick_params(axis="x", rotation=45 * crowded)
    if not losses:
        for panel in axes[:, 1:].flat:
            panel.set_ylabel("")
    label_lines(figure, panels, inches=0.85 if crowded else 0.45)
    shown = sum(members.values(), []) or list(tried.values())
    figure.suptitle(finding(shown) + note)
    return figure


def finding(tried: Sequence[Tuned]) -> str:
    """Where the best rates lie, and for which arm the choice matters most."""
    bests = sorted({each.best for each in tried})
    rates = " to ".join(f"{rate:g}" for rate in dict.fromkeys((bests[0], bests[-1])))
    accuracies = [each for each in tried if not are_losses([each])]
    means = {each.arm.name: mean_scores(each.scores) for each in accuracies or tried}
    worth = {name: float(np.ptp(each)) for name, each in means.items()}
    shown = "{:.0%}"
    if not accuracies:
        worth = {name: float(each.min() / each.max()) for name, each in means.items()}
        shown = "{:.2g} times the loss"
    most = max(worth, key=worth.__getitem__)
    apart = shown.format(worth[most]).replace("%", " points")
    return f"Best learning rates (rings): {rates}; from worst to best lie up to {apart} ({most})"


def rates_panel(panel: Axes, name: str, arms: Sequence[Tuned], score: str) -> None:
    """A line for each arm through its mean scores, a dot for each seed, a ring at the best rate."""
    from matplotlib import colormaps

    colors = colormaps["viridis"](np.linspace(0, 0.85, max(len(arms), 1)))
    for color, found in zip(colors, arms, strict=True):
        scores = np.ma.masked_invalid(-found.scores if are_losses(arms) else found.scores)
        mean = scores.mean(axis=1).filled(np.nan)
        label = short(found.arm.name, name)
        panel.plot(found.rates, mean, "o-", color=color, label=label)
        panel.plot(found.rates, scores, ".", color=color, alpha=0.4, markersize=4)
        ring: Any = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 1.6}
        best = mean[found.rates.index(found.best)]
        panel.plot([found.best], [best], "o", color=color, **ring)
    panel.set(xscale="log", xlabel="learning rate", title=name)
    tried = sorted({rate for each in arms for rate in each.rates})
    panel.set_xticks(tried, [f"{rate:g}" for rate in tried])
    panel.set_xticks([], minor=True)
    if are_losses(arms):
        panel.set(yscale="log", ylabel="validation loss")
    else:
        panel.set_ylabel(score)
        panel.yaxis.set_major_formatter(percent)


def are_losses(arms: Sequence[Tuned]) -> bool:
    """Whether the scores are those of a regression, which are below 0."""
    return any((each.scores < 0).any() for each in arms)


def label_lines(figure: Figure, panels: Sequence[Axes], inches: float = 0.45) -> None:
    """One legend where all panels have the same lines, else one so far below each panel."""
    from matplotlib.transforms import ScaledTranslation

    legends = [panel.get_legend_handles_labels() for panel in panels]
    if len(panels) > 1 and all(names == legends[0][1] for _, names in legends):
        figure.legend(*legends[0], loc="outside right center")
        return
    down = ScaledTranslation(0, -inches, figure.dpi_scale_trans)
    for panel, (_, names) in zip(panels, legends, strict=True):
        if names:
            place: Any = {"bbox_to_anchor": (0.5, 0), "bbox_transform": panel.transAxes + down}
            panel.legend(loc="upper center", ncols=2, **place)
    grid: Any = panels[0].get_gridspec()
    most = max(len(names) for _, names in legends)
    figure.set_figheight(figure.get_figheight() + 0.12 * grid.nrows * most)


def short(arm: str, panel: str) -> str:
    """The arm's name without what its panel says already."""
    for said in (f", {panel}", f"{panel}, ", f"{panel}: ") if panel else ():
        arm = arm.replace(said, "")
    return arm


def loss_figure(result: Result, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Training loss against epochs, a panel for each group of arms: has training settled?

    The median of the networks, and each of them; rows keep `loss_curve` (epochs, seeds).
    """
    width = 2.4 + 3.2 * len(groups)
    figure, axes = new_figure(1, len(groups), width, squeeze=False, sharey=True)
    for panel, (name, arms) in zip(axes[0], groups.items(), strict=True):
        for number, arm in enumerate(arms):
            curve = result[arm].arrays["loss_curve"]
            at = np.unique(np.linspace(0, len(curve) - 1, 200).astype(int))
            # Losses that are not finite are left out.
            shown = np.ma.masked_invalid(np.maximum(curve[at], 1e-6))
            style = {"color": color_of(number)}
            panel.plot(at + 1, shown, alpha=0.2, linewidth=0.7, **style)
            panel.plot(at + 1, np.ma.median(shown, axis=1), label=short(arm, name), **style)
        panel.set(yscale="log", xlabel="epoch", title=name)
    # Once all panels, which share the axis, have set its limits.
    axes[0, 0].set_ylim(top=min(axes[0, 0].get_ylim()[1], 30))
    axes[0, 0].set_ylabel("training loss (median, and each seed)")
    label_lines(figure, axes[0])
    ends = {
        arm: np.ma.masked_invalid(result[arm]["loss"]) for arms in groups.values() for arm in arms
    }
    medians = sorted((float(np.ma.median(each)), arm) for arm, each in ends.items() if each.count())
    named = (f"{loss:.2g} ({arm})" for loss, arm in medians[:: max(1, len(medians) - 1)])
    figure.suptitle(f"Training loss at the end, in the median: {' to '.join(named)}")
    return figure


def color_of(number: int) -> str:
    """The colors of lines, over and over."""
    return LINE_COLORS[number % len(LINE_COLORS)]
