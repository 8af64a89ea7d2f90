"""The figures of `scratchnet fractal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import (
    LINE_COLORS,
    POINT_COLORS,
    class_colormap,
    decision_panel,
    new_figure,
    styled,
)
from scratchnet.demos.fractal.exact_networks import Shape, built
from scratchnet.demos.fractal.experiment import Result, Row, stage_names
from scratchnet.demos.fractal.samples import (
    TRAINING_DATA,
    as_picture,
    drawn,
    extent,
    picture_points,
)
from scratchnet.demos.fractal.verdict import by_place, curve_name, depths
from scratchnet.demos.mosaic import draw_mosaic
from scratchnet.demos.statistics import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#666666"
SHOWN_POINTS = 1200
PICTURE = 405
MOST_MOSAICS, MOST_COLUMNS = 3, 6
MARKERS = "os^Dv"


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The figures of what was finished, by their names."""
    figures = {"fractal": fractal_figure(result)}
    if result.shapes:
        figures["networks"] = network_figure(result)
    if result.rows:
        figures["accuracy"] = accuracy_figure(result)
        figures["boundaries"] = boundary_figure(result)
    if result.courses:
        figures["curriculum"] = course_figure(result)
    return figures


def fractal_figure(result: Result) -> Figure:
    """The levels of the fractal, a sample of the first and of the last curve, and the curves."""
    s = result.settings
    names = [s.curves[0], s.curves[-1]] if len(s.curves) > 1 else [s.curves[0]]
    figure, panels = new_figure(
        1,
        len(names) + 2,
        width=3.1 * (len(names) + 2) + 1.5,
        height=3.3,
        width_ratios=[1.0] * (len(names) + 1) + [1.15],
    )
    draw_levels(panels[0], result)
    for axes, name in zip(panels[1:], names, strict=False):
        draw_sample(axes, result, name)
    draw_curves(panels[-1], result)
    return figure


def frame(axes: Axes, result: Result, title: str) -> None:
    """Axes around K_0, without ticks; a line has a band of the height of the axes."""
    left, right, bottom, top = extent(result.settings)
    plane = result.settings.geometry.dimensions == 2
    axes.set(xlim=(left, right), ylim=(bottom, top), yticks=[], title=title)
    axes.set_xticks([] if plane else [0, 1])
    axes.set_aspect("equal" if plane else "auto")
    axes.spines[:].set_visible(False)
    axes.grid(False)


def draw_levels(axes: Axes, result: Result) -> None:
    """How many levels each point survives, from light to dark."""
    from matplotlib import colormaps

    s = result.settings
    plane = s.geometry.dimensions == 2
    if plane:
        inside = s.geometry.levels_inside(picture_points(s, PICTURE), s.level)
        rows = as_picture(s, inside)
    else:
        inside = s.geometry.levels_inside(picture_points(s, PICTURE), s.level)
        # Level 0 on top, one band for each level.
        rows = np.stack([np.where(inside >= n, n, -1) for n in range(s.level, -1, -1)])
    shades = colormaps["Blues"](np.linspace(0.12, 1, s.level + 1))
    picture = np.where(rows[..., None] < 0, 1.0, shades[np.maximum(rows, 0)])
    axes.imshow(picture, extent=extent(s), origin="lower", interpolation="nearest", aspect="auto")
    frame(axes, result, f"{s.fractal}: K_0 to K_{s.level}, light to dark")


def draw_sample(axes: Axes, result: Result, name: str) -> None:
    """Draw training points of a curve, coloured by class; on a line their heights are random."""
    s = result.settings
    X, y = drawn(s, s.curve(name), TRAINING_DATA, s.seed, SHOWN_POINTS)
    heights = X[:, 1] if X.shape[1] == 2 else np.random.default_rng(0).random(len(X))
    for label, (color, marker) in enumerate(zip(POINT_COLORS, "os", strict=True)):
        rows = y == label
        axes.scatter(
            X[rows, 0],
            heights[rows],
            s=5,
            c=color,
            marker=marker,
            linewidths=0,
        )
    frame(axes, result, f"a sample, curve {curve_name(name)}")
    axes.set_xlabel(f"orange: in K_{s.level}, blue: not", fontsize=9)


def curve_colors(result: Result) -> dict[str, str]:
    return {
        name: LINE_COLORS[number % len(LINE_COLORS)]
        for number, name in enumerate(result.settings.curves)
    }


def draw_curves(axes: Axes, result: Result) -> None:
    """P(j) as requested, and dots for what a sample shows."""
    s = result.settings
    levels = np.arange(s.level + 1)
    for (name, color), marker in zip(curve_colors(result).items(), MARKERS * 9, strict=False):
        axes.plot(levels, [0.5, *s.curve(name)], color=color, label=curve_name(name))
        axes.plot(levels[1:], result.empirical[name], marker, color=color, markersize=4)
    axes.set(
        xlabel="level j",
        xticks=levels,
        title="P(j): lines requested, marks sampled",
        ylim=(0.47, 1.02),
    )
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def network_figure(result: Result) -> Figure:
    """The regions of the exact networks, with their decision boundaries; on a line, the outputs."""
    if result.settings.geometry.dimensions == 1:
        return output_figure(result)
    chosen = drawn_shapes(result)
    figure, panels = new_figure(
        1, max(1, len(chosen)), width=3.6 * max(1, len(chosen)), height=4.3, squeeze=False
    )
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.08)  # keeps the titles off the edge
    for axes, each in zip(panels[0], chosen, strict=False):
        title = (
            f"{each.construction} net of K_{each.level}: {each.linear_regions:,} linear\n"
            f"regions, {each.layers} layers, {each.units} units"
        )
        # Thin lines where there are many regions.
        count = each.mosaic.count if each.mosaic else 1
        draw_mosaic(axes, each.mosaic, title, min(0.5, 60 / count))  # type: ignore[arg-type]
    return figure


def drawn_shapes(result: Result) -> list[Shape]:
    """Of each construction the deepest level that can be drawn, and of the first one a few more."""
    known = [each for each in result.shapes if each.mosaic is not None]
    if not known:
        return []
    first = [each for each in known if each.construction == known[0].construction]
    others = [each for each in known if each.construction != known[0].construction]
    readable = [each for each in others if each.level <= 2] or others[:1]
    return first[:MOST_MOSAICS] + readable[-1:]


def output_figure(result: Result) -> Figure:
    """What the networks answer on the line, cut off at -1; class 1 is above 0."""
    s = result.settings
    shapes = [each for each in result.shapes if each.level <= MOST_MOSAICS]
    columns = min(len(shapes), MOST_MOSAICS)
    rows = -(-len(shapes) // columns)
    figure, panels = new_figure(
        rows, columns, width=3.6 * columns, height=2.3 * rows, squeeze=False, sharey=True
    )
    left, right, _, _ = extent(s)
    x = np.linspace(left, right, 4001)
    for axes in panels.ravel()[len(shapes) :]:
        axes.set_axis_off()
    for axes, each in zip(panels.ravel(), shapes, strict=False):
        net = built(s, each.construction, each.level, s.margin or 0.1)
        answers = np.clip(net.predict(x[:, None])[:, 0], -1, 1)
        axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
        axes.plot(x, answers, linewidth=1.2)
        regions = "many" if each.linear_regions is None else f"{each.linear_regions:,}"
        axes.set_title(f"{each.construction} net of K_{each.level}: {regions} pieces", fontsize=10)
        axes.set(yticks=[-1, 0, 1], xticks=[0, 1])
    for axes in panels[:, 0]:
        axes.set_ylabel("output")
    return figure


def accuracy_figure(result: Result) -> Figure:
    """Test accuracy against depth for each curve: means, 95 % intervals, and single seeds."""
    figure, axes = new_figure(width=6.6, height=4.3)
    rows, finished = by_place(result), depths(result)
    place = {depth: float(number) for number, depth in enumerate(finished)}
    curves = list(curve_colors(result).items())
    for number, (name, color) in enumerate(curves):
        beside = 0.05 * (number - (len(curves) - 1) / 2)
        x = np.array([place[depth] for depth in finished]) + beside
        samples = [rows[name, depth].test_accuracy for depth in finished]
        estimates = [mean_interval(values) for values in samples]
        axes.errorbar(
            x,
            [each.mean for each in estimates],
            yerr=[each.half_width or 0.0 for each in estimates],
            color=color,
            marker=MARKERS[number % len(MARKERS)],
            elinewidth=1.2,
            capsize=2.5,
            label=curve_name(name),
        )
        for at, values in zip(x, samples, strict=True):
            axes.plot(np.full(len(values), at), values, ".", color=color, alpha=0.35, markersize=4)
    axes.axhline(0.5, color=GREY, linewidth=0.9, linestyle=":")
    axes.annotate("dotted: chance", (0.99, 0.015), xycoords="axes fraction", ha="right", color=GREY)
    s = result.settings
    axes.set(
        xticks=range(len(finished)),
        xticklabels=[str(depth) for depth in finished],
        xlabel=f"hidden layers of {s.width}",
        ylabel="test accuracy",
        title=f"{s.fractal}, level {s.level}: {s.seeds} seeds, bars: 95 % interval",
        ylim=(0.43, 1.02),
    )
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.grid(axis="x", visible=False)
    axes.legend(title="curve", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def boundary_figure(result: Result) -> Figure:
    """What networks of the first seed answer: a line for each curve, a column for each depth."""
    s = result.settings
    rows, finished = by_place(result), depths(result)
    if len(finished) > MOST_COLUMNS:
        places = np.linspace(0, len(finished) - 1, MOST_COLUMNS).round().astype(int)
        finished = [finished[place] for place in places]
    plane = s.geometry.dimensions == 2
    figure, panels = new_figure(
        len(s.curves),
        len(finished),
        width=2.1 * len(finished) + 0.6,
        height=(2.35 if plane else 1.1) * len(s.curves) + 0.3,
        squeeze=False,
    )
    for line, name in zip(panels, s.curves, strict=True):
        for axes, depth in zip(line, finished, strict=True):
            row = rows[name, depth]
            draw_answers(axes, result, row)
            value = float(row.test_accuracy[0])
            axes.set_title(
                f"depth {depth}: {'diverged' if np.isnan(value) else f'{value:.1%}'}", fontsize=10
            )
        line[0].set_ylabel(curve_name(name), fontsize=11)
    return figure


def draw_answers(axes: Axes, result: Result, row: Row) -> None:
    """P(class 1) over the plane; over a line as a band, above one that shows K_n."""
    s = result.settings
    if s.geometry.dimensions == 2:
        nothing = np.empty((0, 2))
        decision_panel(axes, extent(s), row.probabilities, nothing, np.empty(0))
        return
    truth = s.geometry.contains(picture_points(s, 0), s.level).astype(float)
    bands = np.stack([truth, truth * 0 + 0.5, row.probabilities[0], row.probabilities[0]])
    axes.imshow(
        bands,
        extent=extent(s),
        origin="lower",
        cmap=class_colormap(),
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    frame(axes, result, "")
    axes.set_xlabel("top: network, bottom: K_n", fontsize=8)


def course_figure(result: Result) -> Figure:
    """Accuracy on the last curve after each stage: the curriculum, and the last curve alone."""
    names = stage_names(result.settings)
    figure, panels = new_figure(
        1,
        len(result.courses),
        width=2.3 * len(result.courses) + 1.6,
        height=3.4,
        squeeze=False,
        sharey=True,
    )
    x = np.arange(1, len(names) + 1)
    for axes, course in zip(panels[0], result.courses, strict=True):
        for label, values, color, marker in (
            ("curriculum", course.curriculum, LINE_COLORS[0], "o"),
            (f"{curve_name(names[-1])} alone", course.direct, LINE_COLORS[1], "s"),
        ):
            estimates: list[Any] = [mean_interval(each) for each in values]
            axes.errorbar(
                x,
                [each.mean for each in estimates],
                yerr=[each.half_width or 0.0 for each in estimates],
                color=color,
                marker=marker,
                capsize=2.5,
                elinewidth=1.2,
                label=label,
            )
        axes.axhline(0.5, color=GREY, linewidth=0.9, linestyle=":")
        axes.set(xticks=x, title=f"depth {course.depth}", xlim=(0.6, len(names) + 0.4))
        axes.set_xticklabels([curve_name(name) for name in names], rotation=60, fontsize=8)
    panels[0, 0].set_ylim(0.43, 1.03)
    panels[0, 0].set_ylabel(f"accuracy on {curve_name(names[-1])}")
    panels[0, 0].yaxis.set_major_formatter("{x:.0%}")
    panels[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.supxlabel("after the stage", fontsize=10)
    return figure
