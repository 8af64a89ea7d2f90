"""The figures of `scratchnet depth-limits`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.architectures import ARCHITECTURES
from scratchnet.demos.drawing import learning_rate_figure, percent_axis
from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.running import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = dict(zip(ARCHITECTURES, LINE_COLORS, strict=True))
MARKERS = dict(zip(ARCHITECTURES, "os^vDP*", strict=True))


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found: dict[str, Callable[[], Figure]] = {"overview": partial(overview, result)}
    if any(each.scores is not None for each in result.tuned.values()):
        found["learning-rates"] = partial(rates, result)
    found["loss"] = partial(losses, result)
    return found


@styled
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
            color = COLORS[kind]
            axes.plot([place] * len(values), values, ".", color=color, alpha=0.4, markersize=5)
            name = ARCHITECTURES[kind].label if asked == layers[0] else None
            median = np.median(values) if np.isfinite(values).all() else np.nan
            axes.plot([place], [median], MARKERS[kind], color=color, markersize=7, label=name)
    for axes in panels:
        axes.set(xticks=range(len(layers)), xticklabels=layers, xlim=(-0.5, len(layers) - 0.5))
        axes.set_xlabel("hidden layers, at least")
        axes.grid(axis="x", visible=False)
        axes.vlines(
            np.arange(1, len(layers)) - 0.5, 0, 1, "#CCCCCC", transform=axes.get_xaxis_transform()
        )
    percent_axis(panels[0], chance=0.5, name="training accuracy")
    panels[1].set(yscale="log", ylabel="|dL/dW_1| before training")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    text = answer(result, ())
    figure.suptitle(text[0].upper() + text[1:-1], fontsize=10)
    return figure


def rates(result: Result) -> Figure:
    """Accuracy of every kind against learning rate, a panel for each depth."""
    groups: dict[str, list[str]] = {}
    for row in result.verdict_rows():
        asked = row.facts["asked_layers"]
        groups.setdefault(f"{asked} layer{'s' * (asked > 1)}", []).append(row.arm)
    return learning_rate_figure(
        result, "The best rate depends on depth and kind of network (ring: chosen)", groups
    )


@styled
def losses(result: Result) -> Figure:
    """Training loss against epochs, a panel for each depth: has training settled?"""
    layers = sorted({row.facts["asked_layers"] for row in result.verdict_rows()})
    figure, axes = new_figure(
        1, len(layers), width=2.4 + 3.0 * len(layers), height=3.8, squeeze=False, sharey=True
    )
    panels = dict(zip(layers, axes[0], strict=True))
    for row in result.verdict_rows():
        if not row.facts["switch"]:
            # A loss that is not finite is left out.
            curve = np.ma.masked_invalid(row.arrays["loss_curve"])
            style = {"color": COLORS[row.facts["kind"]]}
            panel, epochs = panels[row.facts["asked_layers"]], np.arange(1, len(curve) + 1)
            panel.plot(epochs, curve, alpha=0.15, linewidth=0.7, **style)
            label = ARCHITECTURES[row.facts["kind"]].label
            panel.plot(epochs, np.ma.median(curve, axis=1), label=label, **style)
    for asked, panel in panels.items():
        panel.set(yscale="log", ylim=(1e-5, 30), xlabel="epoch", title=f"{asked} layers")
    axes[0, 0].set_ylabel("training loss (median, and each seed)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    figure.suptitle("Training loss at each network's best rate", fontsize=11)
    return figure
