"""The figure of `scratchnet prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, mean_with_band, new_figure, styled
from scratchnet.demos.prune.report import of_method
from scratchnet.demos.prune.settings import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.prune.experiment import Result

GREY = "#666666"
MARKERS = dict(zip(METHODS, "os^D", strict=True))


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Accuracy and size against what remains, a line for each method."""
    figure, (before, after, size) = new_figure(1, 3, width=12.6, height=4.5)
    for method, color in zip(METHODS, LINE_COLORS, strict=False):
        rows = of_method(result, method)
        left = [100 * max(row.weights, 0.5) / result.weights for row in rows]
        style: dict[str, Any] = {"marker": MARKERS[method], "markersize": 4, "color": color}
        for axes, stage in ((before, "pruned"), (after, "retrained")):
            accuracy = np.array([getattr(row, stage).mean(axis=1) for row in rows])
            mean_with_band(axes, left, accuracy.T, label=method, **style)
        parameters = np.array([row.parameters for row in rows])
        mean_with_band(size, left, parameters.T, **style)
    for axes in (before, after):
        axes.axhline(result.dense.mean(), color=GREY, linestyle=":", label="before pruning")
        axes.set_ylabel("test accuracy")
        axes.yaxis.set_major_formatter("{x:.0%}")
    low = min(axes.get_ylim()[0] for axes in (before, after))
    for axes in (before, after):
        axes.set_ylim(max(0.0, low), 1.02)
    before.set_title("as pruned", fontsize=10)
    after.set_title(f"after {result.settings.steps:,} more steps", fontsize=10)
    size.axhline(result.model.parameter_count, color=GREY, linestyle=":")
    size.set(ylabel="parameters of the compacted network", yscale="log")
    size.set_title("without dead neurons", fontsize=10)
    for axes in (before, after, size):
        draw_remaining(axes)
    size.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(*before.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    if result.settings.draws > 1:
        figure.suptitle(
            f"Random masks: mean and 95 % interval of {result.settings.draws} draws", fontsize=10
        )
    return {"pruning": figure}


def draw_remaining(axes: Axes) -> None:
    """Remaining weights from many to few, on a log axis."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("remaining weights, %")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
