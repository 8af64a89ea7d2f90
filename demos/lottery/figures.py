"""The figures of `scratchnet lottery`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from scratchnet.demos.drawing import named_places, percent_axis, rate_figures, seeds_at
from scratchnet.demos.figures import LINE_COLORS, Figure, new_figure
from scratchnet.demos.lottery.experiment import DENSE, SOLVED, answer, masks_of
from scratchnet.demos.lottery.masks import BEFORE, TICKETS, VARIANTS
from scratchnet.demos.running import Result, Row
from scratchnet.lottery import CONTROLS
from scratchnet.pruning import layer_masks

PANELS = {
    "a ticket and its controls": ("ticket", *CONTROLS),
    "tickets, and pruning before training": (*TICKETS, *BEFORE),
}
COLORS = dict(zip(VARIANTS[1:], (*LINE_COLORS[:6], *LINE_COLORS[1:5]), strict=True)) | {
    "ticket": "#000000"
}


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found: dict[str, Callable[[], Figure]] = {"lottery": partial(plot, result)}
    if any(row.part == "pruning" for row in result.rows):
        found["masks"] = partial(plot_masks, result)
    sparsest = [each[-1] for each in by_variant(result).values()]
    groups = {
        panel: [row.arm for row in sparsest if row.facts["variant"] in members]
        for panel, members in PANELS.items()
    }
    return found | rate_figures(result, groups, note=", at the fewest weights")


def by_variant(result: Result) -> dict[str, list[Row]]:
    """The rows of each variant, from many weights to few."""
    rows = [row for row in result.verdict_rows() if row.arm != DENSE]
    names = [each for each in VARIANTS if any(row.facts["variant"] == each for row in rows)]
    return {each: [row for row in rows if row.facts["variant"] == each] for each in names}


def plot(result: Result) -> Figure:
    """Accuracy of every arm against the share of weights that is left."""
    figure, panels = new_figure(1, 2, width=12, height=4.8, sharey=True)
    variants = by_variant(result)
    shares = {
        row.facts["round"]: row.facts["remaining"] for rows in variants.values() for row in rows
    }
    numbers = sorted(shares)
    for axes, (title, members) in zip(panels, PANELS.items(), strict=True):
        shown = [each for each in members if each in variants]
        for i, variant in enumerate(shown):
            rows = variants[variant]
            offset = 0.13 * (i - (len(shown) - 1) / 2)
            places = [numbers.index(row.facts["round"]) + offset for row in rows]
            samples = [row["test_accuracy"] for row in rows]
            style: dict[str, Any] = {"linewidth": 1, "marker": "os^Dv<"[i]}
            seeds_at(axes, places, samples, COLORS[variant], variant, **style)
        percent_axis(axes, chance=0.5 if result.settings.dataset == "spirals" else 0.1)
        axes.axhline(SOLVED, color="#666666", linestyle="--", linewidth=0.8)
        axes.set_title(title)
        named_places(axes, [f"{100 * shares[each]:.3g} %" for each in numbers], "weights left")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4)
    panels[1].set_ylabel("")
    if numbers:
        figure.suptitle(answer(result))
    return figure


def plot_masks(result: Result) -> Figure:
    """The masks of the first seed's ticket: a line for each sparsity, a column for each layer."""
    s = result.settings
    row = next(row for row in result.rows if row.part == "pruning")
    model = masks_of(s).build([s.seed])
    lines = []
    for number in sorted(s.rounds):
        model.set_mask(row.arrays["masks"][number, :1])
        lines.append([mask[0] for mask in layer_masks(model).values()])
    columns = len(lines[0])
    sizes = [max(mask.shape[1], 16) for mask in lines[0]]
    figure, axes = new_figure(
        len(lines), columns, 1.9 * columns, 1.7 * len(lines), squeeze=False, width_ratios=sizes
    )
    for line, masks in zip(axes, lines, strict=True):
        for i, (panel, mask) in enumerate(zip(line, masks, strict=True)):
            panel.imshow(mask, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none")
            panel.set(xticks=[], yticks=[])
            panel.set_title(f"layer {i + 1}: {mask.mean():.0%}", fontsize=9)
        kept = sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)
        line[0].set_ylabel(f"{kept:.1%} left", fontsize=9)
    shares = [mask.mean() for mask in lines[-1]]
    title = (
        f"The smallest ticket keeps {shares[0]:.0%} of its first layer and {min(shares):.0%} of a "
    )
    figure.suptitle(f"{title}later one (rows: inputs of neurons, columns: neurons)")
    return figure
