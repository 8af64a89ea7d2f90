"""The figures of `scratchnet init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.init.report import ACTIVATION_NAMES, epochs, kind
from scratchnet.demos.init.settings import RULES
from scratchnet.demos.init.training_runs import CONSTANT_GUESS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.init.experiment import Result
    from scratchnet.demos.init.sigmoid_bound import Gradients
    from scratchnet.demos.init.training_runs import Training

GREY = "#888888"
COLORS = dict(zip(RULES, (*LINE_COLORS, GREY), strict=True))
MARKERS = dict(zip(RULES, "os^vDXP*", strict=True))

SMALLEST, LARGEST = 1e-4, 1e3


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The figures of what was finished: mean squares of each shape, training, the bound."""
    figures = {}
    for shape in result.settings.shapes:
        if any(case.shape == shape for case in result.cases):
            figures[f"variance_{shape}"] = variance_figure(result, shape)
    if result.trainings:
        figures["training"] = training_figure(result)
    if result.gradients:
        figures["sigmoid_bound"] = bound_figure(result.gradients)
    return figures


def variance_figure(result: Result, shape: str) -> Figure:
    """Mean squares layer by layer: a line of panels for each activation, forward and backward."""
    activations = [
        each for each in result.settings.activations if (each, shape) in map(kind, result.cases)
    ]
    figure, axes = new_figure(
        len(activations),
        2,
        width=10.5,
        height=0.9 + 2.7 * len(activations),
        squeeze=False,
        sharex=True,
    )
    for line, activation in zip(axes, activations, strict=True):
        name = ACTIVATION_NAMES[activation]
        for case in result.cases:
            if kind(case) != (activation, shape):
                continue
            layers = np.arange(1, len(case.widths))
            for panel, values, formula in (
                (line[0], case.forward, case.forward_formula),
                (line[1], case.backward, case.backward_formula),
            ):
                draw_band(panel, layers, values, formula, case.rule)
        line[0].set(ylabel="mean square", title=f"{name}, forward: signals z")
        line[1].set(title=f"{name}, backward: gradients dL/dz")
        for panel in line:
            panel.set_yscale("log")
            panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in axes[-1]:
        panel.set_xlabel("layer")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="initial weights")
    widths = result.settings.widths(shape)
    sizes = (
        f"{shape} widths ({widths[0]})"
        if shape == "constant"
        else f"{shape} widths ({widths[0]} to {widths[-1]})"
    )
    figure.suptitle(
        f"Mean squares with {sizes}. Dashed: formula; marks: mean of "
        f"{result.settings.networks_of(shape)} networks; bands: their middle 80 %",
        fontsize=11,
    )
    return figure


def draw_band(axes: Axes, layers: Any, values: Any, formula: Any, rule: str) -> None:
    """Draw the mean and the middle 80 % of values (networks, layers), and dashed the formula."""
    color = COLORS[rule]
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    axes.fill_between(layers, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(layers, formula, "--", color=color, linewidth=1.1)
    # Rules that agree lie on each other; marks on different layers show that all are there.
    place = list(RULES).index(rule)
    axes.plot(
        layers,
        values.mean(axis=0),
        MARKERS[rule],
        color=color,
        markevery=(place % 3, 3),
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=rule,
    )


def training_figure(result: Result) -> Figure:
    """Training loss of each rule, a panel for each activation; a cross where it became NaN."""
    activations = list(dict.fromkeys(each.activation for each in result.trainings))
    figure, axes = new_figure(
        1, len(activations), width=2.0 + 3.4 * len(activations), height=3.9, squeeze=False
    )
    for panel, activation in zip(axes[0], activations, strict=True):
        trainings = [each for each in result.trainings if each.activation == activation]
        for training in trainings:
            draw_training(panel, training)
        for line, training in enumerate(each for each in trainings if each.diverged):
            panel.text(
                0.99,
                0.96 - 0.07 * line,
                f"{training.rule}: {len(training.diverged)} of {training.seeds} NaN, "
                f"epoch {epochs(training)}",
                transform=panel.transAxes,
                ha="right",
                color=COLORS[training.rule],
                fontsize=9,
            )
        panel.axhline(CONSTANT_GUESS, color=GREY, linewidth=0.9, linestyle=":")
        panel.set(yscale="log", xlabel="epoch", title=ACTIVATION_NAMES[activation])
    axes[0, 0].set_ylabel("training loss, median over seeds\n(dotted: a constant guess)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="initial weights")
    return figure


def draw_training(axes: Axes, training: Training) -> None:
    """The median over the networks that are still finite."""
    kept = np.isfinite(training.loss)
    alive = np.flatnonzero(kept.any(axis=1))
    loss = np.array([np.median(training.loss[each][kept[each]]) for each in alive])
    loss = np.clip(loss, SMALLEST, LARGEST)
    color, place = COLORS[training.rule], list(RULES).index(training.rule)
    axes.plot(
        alive + 1,
        loss,
        color=color,
        marker=MARKERS[training.rule],
        markevery=(place * len(alive) // 32, max(1, len(alive) // 4)),
        linewidth=1.3,
        label=training.rule,
    )


def bound_figure(gradients: Gradients) -> Figure:
    """Measured gradient norms against the bound, and against the false one."""
    figure, axes = new_figure(1, 2, width=10, height=4.3, sharey=True)
    for panel, bound, title, violations in (
        (axes[0], gradients.bound, "the bound, with spectral norms", gradients.violations),
        (axes[1], gradients.false_bound, "a textbook's (w/4)^(L-1)", gradients.false_violations),
    ):
        shown = panel.scatter(
            bound, gradients.norm, c=gradients.depth, s=7, cmap="viridis", alpha=0.8, linewidths=0
        )
        ends = [gradients.norm.min(), max(gradients.norm.max(), 1.0)]
        panel.plot(ends, ends, color="black", linewidth=1)
        panel.set(xscale="log", yscale="log", xlabel="bound")
        panel.set_title(f"{title}: {violations:,} of {len(bound):,} above it")
    axes[0].set_ylabel("gradient of the first layer, |dL/dW_1|")
    figure.colorbar(shown, ax=axes, label="sigmoid layers")
    return figure
