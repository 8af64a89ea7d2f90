"""The figures of `scratchnet scaling`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.drawing import learning_rate_figure
from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.running import Result
from scratchnet.demos.scaling.experiment import THEORY, curves, fits, joint_laws, law_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"N": "parameters N", "D": "training samples D", "C": "compute C, operations"}
GREY = "#777777"


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """The three curves, all losses with the joint law, and the learning rates."""
    found = {"scaling": partial(scaling, result)} if curves(result) else {}
    found["joint"] = partial(joint, result)
    if any(each.scores is not None for each in result.tuned.values()):
        title = "Each size on the largest training set (ring: the rate that was chosen)"
        found["learning-rates"] = partial(learning_rate_figure, result, title)
    return found


@styled
def scaling(result: Result) -> Figure:
    """Loss against each quantity: every seed, the fitted law, and for N the slope of the theory."""
    shown, laws = curves(result), fits(result)
    size = {"width": 0.6 + 3.8 * len(shown), "height": 4.2}
    figure, axes = new_figure(1, len(shown), squeeze=False, sharey=True, **size)
    for panel, color, (name, (sizes, losses)) in zip(
        axes[0], LINE_COLORS, shown.items(), strict=False
    ):
        panel.plot(sizes, losses, "o", color=color, alpha=0.4, ms=3.5, mew=0)
        middle, x = np.exp(np.log(losses).mean(axis=1)), np.geomspace(sizes[0], sizes[-1], 100)
        panel.plot(sizes, middle, "o", color=color, label="geometric mean, and seeds")
        if name in laws:
            panel.plot(x, laws[name].law(x), color=color, label="fit")
            interval = laws[name].interval
            ends = "\nexponent {:.2f} to {:.2f}".format(*interval) if interval else ""
            panel.set_title(law_words(laws[name], name) + ends, fontsize=10)
        if name == "N":
            slope = middle[0] * (x / sizes[0]) ** -THEORY
            panel.plot(x, slope, "--", color=GREY, label=f"theory: exponent 4/d = {THEORY:.2f}")
        panel.set(xscale="log", yscale="log", xlabel=AXES[name])
        panel.legend(loc="lower left")
    axes[0, 0].set_ylabel("test loss / variance")
    exponents = ", ".join(f"{fit.law.exponent:.2f} in {name}" for name, fit in laws.items())
    figure.suptitle(f"Losses fall with exponents {exponents}", fontsize=11)
    return figure


@styled
def joint(result: Result) -> Figure:
    """Every loss against the number of samples, a line for each size, beside the joint law."""
    from matplotlib import colormaps

    rows, law = list(result.verdict_rows()), next(iter(joint_laws(result)), None)
    sizes = sorted({row.facts["parameters"] for row in rows})
    colors = colormaps["viridis"](np.linspace(0, 0.9, len(sizes)))
    figure, axes = new_figure(width=7.2, height=4.4)
    for size, color in zip(sizes, colors, strict=True):
        own = [row for row in rows if row.facts["parameters"] == size]
        mine = sorted((row.facts["samples"], row["test_loss"].tolist()) for row in own)
        D, losses = np.array([d for d, _ in mine], float), np.array([loss for _, loss in mine])
        axes.plot(D, losses, ".", color=color, alpha=0.5, ms=4)
        axes.plot(D, np.exp(np.log(losses).mean(axis=1)), "o", color=color, label=f"{size:,}")
        if law is not None:
            x = np.geomspace(D[0], D[-1], 60)
            axes.plot(x, law(np.full(60, size), x), color=color)
    axes.set(xscale="log", yscale="log", xlabel=AXES["D"], ylabel="test loss / variance")
    axes.legend(title="parameters N", loc="center left", bbox_to_anchor=(1, 0.5))
    title = "No joint law was fitted"
    if law is not None:
        title = (
            f"One law for all (lines): L = {law.E:.2g} + {law.A:.3g} / N^{law.alpha:.2f} + "
            f"{law.B:.3g} / D^{law.beta:.2f}"
        )
    axes.set_title(title)
    return figure
