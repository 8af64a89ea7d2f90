"""The figures of `scratchnet scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.scaling.report import NAMES, law_words
from scratchnet.demos.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.scaling.experiment import Curve, Result

GREY = "#666666"


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    return {"scaling": scaling_figure(result), "training": training_figure(result)}


def scaling_figure(result: Result) -> Figure:
    """Loss against each quantity with the fitted law, on logarithmic axes."""
    shown = [curve for curve in result.curves if len(curve.sizes)]
    figure, axes = new_figure(
        1, len(shown), width=0.6 + 3.6 * len(shown), height=4.1, squeeze=False, sharey=True
    )
    for panel, curve, color in zip(axes[0], shown, LINE_COLORS, strict=False):
        if curve.quantity == "compute":
            draw_trainings(panel, result)
        draw_curve(panel, curve, color)
    axes[0, 0].set_ylabel("test loss / variance of the target")
    seeds = result.settings.seeds
    figure.suptitle(
        "Test loss of ReLU networks that learn from a teacher"
        + (f": geometric mean and 95 % interval of {seeds} seeds" if seeds > 1 else ", one seed"),
        fontsize=11,
    )
    return figure


def draw_curve(axes: Axes, curve: Curve, color: str) -> None:
    """The means with their intervals, and the law."""
    estimates = [mean_interval(np.log(losses)) for losses in curve.losses]
    means = np.array([each.mean for each in estimates])
    half = np.array([each.half_width or 0.0 for each in estimates])
    middle = np.exp(means)
    axes.errorbar(
        curve.sizes,
        middle,
        yerr=[middle - np.exp(means - half), np.exp(means + half) - middle],
        fmt="o",
        color=color,
        capsize=2.5,
        elinewidth=1.2,
        label="measured",
    )
    title = "no power law fitted"
    if curve.law is not None:
        x = np.geomspace(curve.sizes[0], curve.sizes[-1], 100)
        axes.plot(x, curve.law.law(x), color=color, label="fit")
        title = law_words(curve)
        if curve.law.interval:
            low, high = curve.law.interval
            title += f"\nexponent {low:.2f} to {high:.2f}"
        smallest = middle.min()
        if curve.law.law.offset > 0.1 * smallest:
            axes.axhline(curve.law.law.offset, color=GREY, linestyle=":", label="offset of the fit")
    axes.set(xscale="log", yscale="log", xlabel=axis_name(curve.quantity))
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper right")


def axis_name(quantity: str) -> str:
    return "compute, floating-point operations" if quantity == "compute" else NAMES[quantity]


def draw_trainings(axes: Axes, result: Result) -> None:
    """The loss of each size while it trains, in grey."""
    for i, each in enumerate(result.by_parameters):
        mean = np.exp(np.log(each.test).mean(axis=1))
        label = "each size in training" if i == 0 else None
        axes.plot(each.compute, mean, color="#BBBBBB", linewidth=1, zorder=1, label=label)


def training_figure(result: Result) -> Figure:
    """Test loss while training, a line for each size; both series."""
    from matplotlib import colormaps

    series = [
        ("networks of growing size", result.by_parameters, "parameters"),
        ("growing training sets", result.by_samples, "samples"),
    ]
    shown = [each for each in series if each[1]]
    figure, axes = new_figure(
        1, len(shown), width=1.0 + 4.4 * len(shown), height=3.9, squeeze=False, sharey=True
    )
    for panel, (title, trained, quantity) in zip(axes[0], shown, strict=True):
        colors = colormaps["viridis"](np.linspace(0, 0.85, len(trained)))
        for each, color in zip(trained, colors, strict=True):
            mean = np.exp(np.log(each.test).mean(axis=1))
            panel.plot(each.seen, mean, color=color, label=f"{getattr(each, quantity):,}")
        panel.set(xscale="log", yscale="log", xlabel="samples seen", title=title)
        panel.xaxis.set_minor_formatter("")
        panel.legend(title=NAMES[quantity], loc="center left", bbox_to_anchor=(1, 0.5))
    axes[0, 0].set_ylabel("test loss, geometric mean")
    return figure
