"""The figures of `scratchnet depth-limits`."""

from collections.abc import Callable, Mapping
from functools import partial

from scratchnet.demos.architectures import ARCHITECTURES
from scratchnet.demos.drawing import (
    color_of,
    loss_figure,
    named_places,
    percent_axis,
    rate_figures,
    seeds_at,
)
from scratchnet.demos.figures import Figure, new_figure
from scratchnet.demos.running import Result

MARKERS = "os^vDP*"


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name; rates and losses have a panel for each depth."""
    groups: dict[str, list[str]] = {}
    for row in result.verdict_rows():
        asked = row.facts["asked_layers"]
        groups.setdefault(f"{asked} layer{'s' * (asked > 1)}", []).append(row.arm)
    rates = rate_figures(result, groups)
    plain = {depth: [arm for arm in arms if "(" not in arm] for depth, arms in groups.items()}
    losses = {"loss": partial(loss_figure, result, plain)}
    return {"overview": partial(overview, result), **rates, **losses}


def overview(result: Result) -> Figure:
    """Training accuracy, and the first gradient before training, of each kind against depth.

    A dot for each seed, and a mark at the median.
    """
    from scratchnet.demos.depth_limits.experiment import BEFORE, answer

    layers, kinds = sorted(result.settings.layers), result.settings.kinds
    figure, panels = new_figure(1, 2, width=11, height=4.4)
    for row in result.rows:
        if row.part != "tuning" and not row.facts["switch"]:
            axes = panels[int(row.part == BEFORE)]
            values = row["first_gradient" if row.part == BEFORE else "train_accuracy"]
            asked, kind = row.facts["asked_layers"], row.facts["kind"]
            place = layers.index(asked) + 0.7 * ((kinds.index(kind) + 0.5) / len(kinds) - 0.5)
            color, mark = color_of(kinds.index(kind)), MARKERS[kinds.index(kind)]
            name = ARCHITECTURES[kind].label if asked == layers[0] else "_"
            seeds_at(axes, [place], [values], color, name, marker=mark)
    for axes in panels:
        named_places(axes, [str(each) for each in layers], "hidden layers, at least")
        for between in range(1, len(layers)):
            axes.axvline(between - 0.5, color="#CCCCCC", linewidth=1)
    percent_axis(panels[0], chance=0.5, name="training accuracy")
    panels[1].set(yscale="log", ylabel="|dL/dW_1| before training")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(answer(result, ()))
    return figure
