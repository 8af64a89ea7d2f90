"""The figures of `scratchnet probes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.figures import new_figure, styled
from scratchnet.demos.probes.report import raw_accuracy
from scratchnet.demos.representation import Representation, layer_curve, map_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scratchnet.demos.probes.experiment import Result

GREY = "#666666"


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    return {
        "probes": probe_figure(result),
        "layers": layer_figure(result),
        "statistics": statistics_figure(result),
    }


def probe_figure(result: Result) -> Figure:
    """Probe accuracy after each hidden layer, with the controls."""
    figure, axes = new_figure(width=6.8, height=4.4)
    layer_curve(axes, result.after, result.before, "test")
    for line in axes.lines:
        line.set(marker="o", markersize=4)
    raw = raw_accuracy(result)
    axes.axhline(raw.mean, color=GREY, linestyle=":", label="raw inputs")
    if raw.half_width:
        axes.axhspan(
            raw.mean - raw.half_width, raw.mean + raw.half_width, color=GREY, alpha=0.15, lw=0
        )
    for run in result.after.test.T:
        axes.plot(result.after.layers, run, color=axes.lines[0].get_color(), alpha=0.2, lw=0.7)
    # The intervals of a few seeds reach beyond what an accuracy can be.
    seen = (result.after.test, result.before.test, result.inputs.test)
    lowest = min(float(np.nanmin(values)) for values in seen if np.isfinite(values).any())
    axes.set(ylabel="test accuracy of a linear probe", ylim=(max(0.0, lowest - 0.05), 1.01))
    axes.yaxis.set_major_formatter("{x:.0%}")
    seeds = result.settings.seeds
    drawn = f"mean and 95 % interval of {seeds} seeds; thin lines: each seed"
    axes.set_title(
        f"What a linear probe reads after each hidden layer, {result.settings.dataset}\n"
        + (drawn if seeds > 1 else "one seed"),
        fontsize=10,
    )
    axes.legend(loc="best")
    return figure


def panel_titles(
    shown: Sequence[int], numbers: Representation, diverged: bool = False
) -> list[str]:
    """The layer, and what a probe of the first seed's network gets there."""
    if diverged:
        return [f"layer {layer}\ndiverged" for layer in shown]
    accuracy = dict(zip(numbers.layers, numbers.test[:, 0], strict=True))
    return [f"layer {layer}\nprobe {accuracy[layer]:.1%}" for layer in shown]


def layer_figure(result: Result) -> Figure:
    """Maps of some layers of the first seed's network, after training and before it."""
    r = result
    figure = map_figure(
        [("trained", r.maps_after), ("untrained", r.maps_before)],
        [
            panel_titles(r.shown, r.after, bool(np.isnan(r.after.test[:, 0]).any())),
            panel_titles(r.shown, r.before),
        ],
        r.map_labels,
    )
    method = "t-SNE" if r.settings.embedding == "tsne" else "First two principal components"
    figure.suptitle(
        f"{method} of what a layer puts out for the test samples, seed {r.settings.seed}",
        fontsize=11,
    )
    return figure


def statistics_figure(result: Result) -> Figure:
    """Zeros, dead units and effective rank, layer by layer."""
    figure, axes = new_figure(1, 3, width=10.2, height=3.5)
    titles = {
        "zero_share": "outputs that are zero",
        "dead_share": "dead units: zero on every sample",
        "effective_rank": "effective rank of the outputs",
    }
    for panel, (name, title) in zip(axes, titles.items(), strict=True):
        layer_curve(panel, result.after, result.before, name)
        panel.set_title(title, fontsize=10)
        panel.set_ylim(bottom=0)
        if name != "effective_rank":
            panel.yaxis.set_major_formatter("{x:.0%}")
    axes[0].legend(loc="best")
    return figure
