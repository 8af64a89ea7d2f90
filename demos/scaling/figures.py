"""The figures of `scratchnet scaling`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import rate_figures
from scratchnet.demos.figures import LINE_COLORS, Axes, Figure, new_figure
from scratchnet.demos.running import Result
from scratchnet.demos.scaling import experiment as laws

AXES = {"N": "parameters N", "D": "training samples D", "C": "compute C, operations"}
GREY = "#777777"


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """The three curves, all losses with the joint law, and the learning rates."""
    found = {"scaling": partial(scaling, result)} if laws.curves(result) else {}
    groups = {f"D {max(result.settings.samples):,}": list(result.tuned)}
    return found | {"joint": partial(joint, result)} | rate_figures(result, groups)


def scaling(result: Result) -> Figure:
    """Loss against each quantity: every seed, the fitted law, and for N the slope of the theory."""
    shown, fits = laws.curves(result), laws.fits(result)
    size = {"width": 0.6 + 3.8 * len(shown), "height": 4.2}
    figure, axes = new_figure(1, len(shown), squeeze=False, sharey=True, **size)
    for panel, color, (name, (sizes, losses)) in zip(
        axes[0], LINE_COLORS, shown.items(), strict=False
    ):
        panel.plot(sizes, losses, "o", color=color, alpha=0.4, ms=3.5, mew=0)
        middle, x = laws.geometric(losses), np.geomspace(sizes[0], sizes[-1], 100)
        panel.plot(sizes, middle, "o", color=color, label="geometric mean, and seeds")
        if name in fits:
            panel.plot(x, fits[name].law(x), color=color, label="fit")
            panel.set_title(laws.law_words(fits[name], name), fontsize=10)
        if name == "N":
            slope = middle[0] * (x / sizes[0]) ** -laws.THEORY
            label = f"theory: exponent 4/d = {laws.THEORY:.2f}"
            panel.plot(x, slope, "--", color=GREY, label=label)
        panel.set(xscale="log", yscale="log", xlabel=AXES[name])
        if name == "D":
            size_ticks(panel, sizes)
        panel.legend(loc="lower left")
    axes[0, 0].set_ylabel("test loss / variance")
    figure.suptitle(laws.answer(result))
    return figure


def joint(result: Result) -> Figure:
    """Every loss against the number of samples, a line for each size, beside the joint law."""
    from matplotlib import colormaps

    sizes, law = laws.by_size(result), next(iter(laws.joint_laws(result)), None)
    figure, axes = new_figure(width=7.2, height=4.4)
    colors = colormaps["viridis"](np.linspace(0, 0.9, len(sizes)))
    for (size, rows), color in zip(sizes.items(), colors, strict=True):
        D = np.array([row.facts["samples"] for row in rows], float)
        losses = np.array([row["test_loss"] for row in rows])
        axes.plot(D, losses, ".", color=color, alpha=0.5, ms=4)
        axes.plot(D, laws.geometric(losses), "o", color=color, label=f"{size:,}")
        if law is not None:
            x = np.geomspace(D[0], D[-1], 60)
            axes.plot(x, law(np.full(60, size), x), color=color)
    axes.set(xscale="log", yscale="log", xlabel=AXES["D"], ylabel="test loss / variance")
    size_ticks(axes, result.settings.samples)
    axes.legend(title="parameters N", loc="center left", bbox_to_anchor=(1, 0.5))
    words = "no law was fitted" if law is None else laws.joint_words(law)
    axes.set_title(f"One law for all losses (lines): {words}")
    return figure


def size_ticks(axes: Axes, sizes: Any) -> None:
    """A tick at each size, and none between them."""
    axes.set_xticks(sizes, [f"{int(each):,}" for each in sizes])
    axes.set_xticks([], minor=True)
