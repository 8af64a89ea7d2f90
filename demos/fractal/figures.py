"""The figures of `scratchnet fractal`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import color_of, named_places, rate_figures, seeds_at
from scratchnet.demos.figures import (
    Axes,
    Figure,
    bare,
    decision_panel,
    grid_points,
    new_figure,
    scatter_classes,
)
from scratchnet.demos.fractal.exact import box
from scratchnet.demos.fractal.experiment import (
    arm_name,
    binomial,
    curve_name,
    draw,
    trained_rows,
)
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.running import Result
from scratchnet.demos.tuning import TRAINING, stream

SHOWN_POINTS, PICTURE = 1200, 405


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name, of what was finished."""
    s = result.settings
    found: dict[str, Callable[[], Figure]] = {"fractal": partial(fractal_figure, s)}
    if trained_rows(result):
        found = {"accuracy": partial(accuracy_figure, result), **found}
        found["boundaries"] = partial(boundary_figure, result)
    groups = {curve_name(c): [arm_name(c, t) for t in s.depths] for c in s.curve}
    return found | rate_figures(result, groups)


def accuracy_figure(result: Result) -> Figure:
    """Test accuracy against depth, a panel for each curve, with lines at the curve's P(j)."""
    s, gains = result.settings, []
    figure, panels = new_figure(
        1, len(s.curve), width=2.4 * len(s.curve) + 0.8, height=4.0, squeeze=False, sharey=True
    )
    for number, (axes, curve) in enumerate(zip(panels[0], s.curve, strict=True)):
        draw_curve(axes, [0.5, *s.p(curve)])
        rows = [result[arm_name(curve, t)] for t in s.depths if arm_name(curve, t) in result]
        samples, color = [row["test_accuracy"] for row in rows], color_of(number)
        for place, values in enumerate(samples):
            spread = 0.08 * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
            bars = {"fmt": "none", "ecolor": color, "elinewidth": 0.7, "alpha": 0.5}
            axes.errorbar(place + spread, values, binomial(values), **bars)
        seeds_at(axes, range(len(rows)), samples, color, "", bimodal=False)
        named_places(axes, [str(row.facts["depth"]) for row in rows], "hidden layers")
        axes.set_title(curve_name(curve))
        axes.grid(False)
        if samples:
            gain = 100 * (np.nanmean(samples[-1]) - np.nanmean(samples[0]))
            gains.append(f"{gain:+z.0f} ({curve_name(curve)})")
    panels[0, 0].set_ylabel("test accuracy (thin bars: binomial error)")
    panels[0, 0].yaxis.set_major_formatter("{x:.0%}")
    title = f"Points gained from {s.depths[0]} to {s.depths[-1]} layers: {', '.join(gains)}"
    figure.suptitle(title)
    return figure


def draw_curve(axes: Axes, curve: list[float]) -> None:
    """Dotted lines at P(0), P(1), ...; a label for those that nearly fall together."""
    shown: dict[float, list[str]] = {}
    for level, value in enumerate(curve):
        axes.axhline(value, color="#777777", linewidth=0.8, linestyle=":")
        near = next((each for each in shown if value - each < 0.022), value)
        shown.setdefault(near, []).append(str(level))
    text: dict[str, Any] = {"fontsize": 8, "va": "center", "color": "#555555"}
    for value, levels in shown.items():
        place = axes.get_yaxis_transform()
        axes.text(1.01, value, f"P({', '.join(levels)})", transform=place, **text)


def fractal_figure(s: Settings) -> Figure:
    """The levels of the fractal, and a sample of the coarsest and of the finest curve."""
    from matplotlib import colormaps

    names = list(dict.fromkeys((s.from_coarse_to_fine[0], s.from_coarse_to_fine[-1])))
    figure, panels = new_figure(1, len(names) + 1, width=3.2 * (len(names) + 1), height=3.5)
    figure.set_layout_engine("compressed")
    pixels = grid_points(box(s), PICTURE)[:, : s.geometry.dimensions]
    inside = s.geometry.levels_inside(pixels, s.level).reshape(PICTURE, PICTURE)
    shades = colormaps["Blues"](np.linspace(0.12, 1, s.level + 1))
    shown: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "aspect": "auto"}
    panels[0].imshow(shades[inside], extent=box(s), **shown)
    frame(panels[0], s, f"{s.fractal}: K_0 to K_{s.level}, light to dark")
    for axes, name in zip(panels[1:], names, strict=True):
        X, y = draw(s, name, SHOWN_POINTS, stream(s.seed, TRAINING))
        if X.shape[1] == 1:
            X = np.column_stack([X, np.random.default_rng(0).random(len(X))])
        scatter_classes(axes, X, y, 5, linewidths=0)
        frame(axes, s, f"a sample, curve {curve_name(name)}")
        axes.set_xlabel(f"orange squares: in K_{s.level}, blue: not", fontsize=9)
    return figure


def frame(axes: Axes, s: Settings, title: str = "") -> None:
    """Axes around K_0, without ticks."""
    left, right, bottom, top = box(s)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    bare(axes, title)


def boundary_figure(result: Result) -> Figure:
    """What networks of the first seed answer: a line for each curve, a column for each depth."""
    s = result.settings
    depths, curves = s.depths[:6], s.curve
    width, height = 2.1 * len(depths) + 0.6, 2.3 * len(curves) + 0.3
    figure, panels = new_figure(len(curves), len(depths), width, height, squeeze=False)
    for line, curve in zip(panels, curves, strict=True):
        for axes, depth in zip(line, depths, strict=True):
            frame(axes, s)
            if arm_name(curve, depth) in result:
                row = result[arm_name(curve, depth)]
                nothing = np.empty((0, 2)), np.empty(0)
                decision_panel(axes, box(s), row.arrays["probabilities"], *nothing)
                axes.set_title(f"depth {depth}: {row['test_accuracy'][0]:.1%}", fontsize=10)
        line[0].set_ylabel(curve_name(curve), fontsize=11)
    right = [row["test_accuracy"][0] for row in trained_rows(result)]
    title = f"The first seed's networks get {min(right):.0%} to {max(right):.0%} right"
    figure.suptitle(f"{title}; orange: taken to be in K_{s.level}")
    return figure
