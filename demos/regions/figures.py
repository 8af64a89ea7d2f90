"""The figures of `scratchnet regions`: mosaics, and counts beside what theory says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.drawing import color_of, learning_rate_figure
from scratchnet.demos.figures import LINE_COLORS, POINT_COLORS, new_figure, styled
from scratchnet.demos.mosaic import Mosaic, draw_mosaic, mosaic
from scratchnet.demos.regions.architectures import architecture, plane
from scratchnet.demos.running import Result, Row
from scratchnet.files import write_atomically
from scratchnet.model import mlp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOUNDS = (
    ("textbook", "textbook: at most", "v", LINE_COLORS[4]),
    ("at_most", "Serra et al.: at most", "_", LINE_COLORS[1]),
    ("at_least", "Montúfar et al.: the best, at least", "^", LINE_COLORS[2]),
)


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    rows = list(result.verdict_rows())
    if result.settings.compare:
        found = [row for row in rows if row.arm.endswith("best found")]
        return {"compare": partial(comparison, result, found)} if found else {}
    if not rows:
        return {}
    drawn = {"mosaic": partial(course, result), "counts": partial(counts, rows)}
    if len(rows) > 1:
        drawn["depths"] = partial(depths, result, rows)
    if any(each.scores is not None for each in result.tuned.values()):
        title = "Accuracy of networks at each learning rate (ring: chosen)"
        drawn["learning-rates"] = partial(learning_rate_figure, result, title)
    return drawn


def shown(result: Result) -> Row:
    """The network that is drawn during training, or the last that was finished."""
    rows = list(result.verdict_rows())
    wanted = str(architecture(result.settings.networks[0]))
    return next((row for row in rows if row.facts["network"] == wanted), rows[-1])


def linear(row: Row) -> list[str]:
    """The measures that count linear regions, in the order of their epochs."""
    return [name for name in row.measures if name.startswith("linear_")]


def epochs_of(row: Row) -> list[int]:
    """The epochs after which regions were counted."""
    return [int(name.split("_")[1]) for name in linear(row)]


def picture(result: Result, row: Row, start: str = "") -> Mosaic:
    """The regions of a network whose parameters are arrays with names that start so."""
    names = [name for name in row.arrays if name.startswith(start) and "." in name]
    model = mlp([2, *architecture(row.facts["network"]).hidden, 1], dtype="float64")
    model.load_state_dict({name.removeprefix(start): row.arrays[name] for name in names})
    return mosaic(model, plane(result.settings.window))


def draw(axes: Axes, result: Result, row: Row, epochs: int, when: str, points: float = 0) -> None:
    """The regions of the first network after so many epochs, and the data."""
    drawn = picture(result, row, f"{epochs} ")
    patterns = f" ({drawn.count:,} patterns)" if drawn.count > drawn.linear_count else ""
    draw_mosaic(axes, drawn, f"{when}: {drawn.linear_count:,} regions{patterns}")
    for label, (color, marker) in enumerate(zip(POINT_COLORS, "os", strict=True)):
        x, y = row.arrays["X"][row.arrays["y"] == label].T
        how: dict[str, Any] = {"linewidths": 0.35, "edgecolors": "white", "zorder": 3}
        if points:
            axes.scatter(x, y, s=points, c=color, marker=marker, label=f"class {label}", **how)


@styled
def course(result: Result) -> Figure:
    """One network before, during and after training."""
    row = shown(result)
    at = epochs_of(row)
    wanted = at if len(at) < 4 else [at[0], at[-4], at[-3], at[-1]]
    columns, lines = (2, 2) if len(wanted) == 4 else (len(wanted), 1)
    figure, axes = new_figure(lines, columns, 3.7 * columns, 4.1 * lines + 0.3, squeeze=False)
    figure.set_layout_engine("compressed")
    for panel, epochs in zip(axes.flat, wanted, strict=True):
        draw(panel, result, row, epochs, f"step {epochs:,}" if epochs else "before training", 8)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, markerscale=2)
    first, last = (np.nanmean(row[linear(row)[i]]) for i in (0, -1))
    title = f"{row.arm}: {first:,.0f} regions before training, {last:,.0f} after\n"
    how = f"(averages over {len(row.seeds)} seeds; black line: where the class changes)"
    figure.suptitle(title + how, fontsize=11)
    return figure


@styled
def depths(result: Result, rows: Sequence[Row]) -> Figure:
    """Before and after training: one column for each architecture."""
    figure, axes = new_figure(2, len(rows), 2.7 * len(rows), 6.2, squeeze=False)
    figure.set_layout_engine("compressed")
    for column, row in zip(axes.T, rows, strict=True):
        at = epochs_of(row)
        draw(column[0], result, row, at[0], f"{row.arm}\nbefore")
        draw(column[1], result, row, at[-1], "after")
    return figure


@styled
def counts(rows: Sequence[Row]) -> Figure:
    """Regions of each seed during training, and before and after it beside the bounds."""
    figure, (during, beside) = new_figure(1, 2, width=10.4, height=4.3)
    at, most = epochs_of(rows[0]), max(row[name].max() for row in rows for name in linear(row))
    theory = [architecture(row.facts["network"]).bounds() for row in rows]
    for number, row in enumerate(rows):
        values, color = np.array([row[name] for name in linear(row)]), color_of(number)
        during.plot(values, color=color, alpha=0.25, linewidth=0.8)
        middle = np.nanmedian(values, axis=1)
        during.plot(middle, "-" + "osD^vPX"[number % 7], color=color, label=row.arm)
        places = np.full(values.shape[1], number)
        beside.scatter(places, values[0], s=18, facecolors="white", edgecolors=color, zorder=4)
        beside.scatter(places, values[-1], s=18, color=color, zorder=4)
    during.axhline(theory[0]["at_start"], color="#888888", linestyle="--", label="N²/2")
    during.set(xticks=range(len(at)), xticklabels=map(str, at), xlabel="training steps")
    during.set(ylabel="linear regions (median, each seed)", ylim=(0, None))
    during.set_title(f"No network has more than {most:,.0f} regions")
    during.legend()
    for name, label, marker, color in BOUNDS:
        known = [(x, float(each[name])) for x, each in enumerate(theory) if each[name]]
        x, y = zip(*known, strict=True)
        beside.scatter(x, y, s=70, marker=marker, color=color, label=label, zorder=3)
    beside.scatter([], [], s=18, color="#444444", label="counted (ring: before training)")
    title = f"Theory allows up to {float(theory[-1]['at_most']):.1e}"
    names = [row.arm.replace(" of", "\nof") for row in rows]
    beside.set(yscale="log", ylabel="regions", title=title, xlim=(-0.5, len(rows) - 0.5))
    beside.set(xticks=range(len(rows)), xticklabels=names)
    beside.legend(loc="upper left")
    return figure


@styled
def comparison(result: Result, found: Sequence[Row]) -> Figure:
    """For each architecture the counts of random networks, a typical network and the best one."""
    figure, axes = new_figure(len(found), 3, 10.5, 3.6 * len(found), squeeze=False)
    bounds = [architecture(row.facts["network"]).bounds() for row in found]
    farthest = max(each["textbook"] for each in bounds)
    most = max(int(row["linear"][0]) for row in found)
    figure.suptitle(
        f"The best network found has {most:,} regions, the textbook's bound is {farthest:,}"
    )
    for (histogram, *panels), row, bound in zip(axes, found, bounds, strict=True):
        random = result[row.arm.replace("best found", "random")]
        draw_counts(histogram, random, int(row["linear"][0]), bound)
        histogram.set(
            xscale="log" if farthest > 20 * most else "linear", xlim=(0.9, 1.05 * farthest)
        )
        for panel, name, each in zip(panels, ("typical", "best"), (random, row), strict=True):
            drawn = picture(result, each)
            draw_mosaic(panel, drawn, f"{name}: {drawn.linear_count:,} regions, close-up", 0.8)
            left, right, bottom, top = close_up(drawn, result.settings.window)
            panel.set(xlim=(left, right), ylim=(bottom, top))
    return figure


def draw_counts(axes: Axes, random: Row, best: int, bound: Mapping[str, Any]) -> None:
    """How many random networks have how many regions, with the best found and the bounds."""
    values, networks = np.unique(random["linear"], return_counts=True)
    share = networks / networks.sum()
    axes.vlines(values, 0, share, color=LINE_COLORS[0], linewidth=3, label="random networks")
    marks = {"best found": best, "Serra: at most": bound["at_most"]}
    marks["textbook: at most"] = bound["textbook"]
    for number, (name, value) in enumerate(marks.items()):
        how: dict[str, Any] = {
            "color": color_of(number + 1),
            "linestyle": ("-", "--", ":")[number],
            "zorder": 1,
        }
        axes.axvline(value, label=f"{value:,}: {name}", **how)
    axes.set(xlabel="linear regions", ylabel="share of random networks", title=random.arm)
    ticks = [tick for tick in axes.get_yticks() if 0 <= tick <= 1]
    axes.set(yticks=ticks, ylim=(0, 1.6 * share.max()))
    axes.legend(loc="upper center", frameon=True, facecolor="white", framealpha=1, edgecolor="none")


def close_up(drawn: Mosaic, extent: tuple[float, ...]) -> tuple[float, ...]:
    """A square around most corners of regions, those on the rim of the window left out."""
    left, right, bottom, top = extent
    x, y = drawn.vertices.T
    inside = (x > left) & (x < right) & (y > bottom) & (y < top)
    if not inside.any():
        return extent
    low, high = np.quantile(drawn.vertices[inside], [0.08, 0.92], axis=0)
    (x, y), half = (low + high) / 2, 0.7 * float((high - low).max()) or 1.0
    return x - half, x + half, y - half, y + half


@styled
def animate(result: Result, path: Path) -> None:
    """A GIF of the drawn network's regions during training."""
    row = shown(result)
    epochs = sorted({int(name.split()[0]) for name in row.arrays if "." in name})
    figure, axes = new_figure(width=4.4, height=4.7)

    def frame(i: int) -> None:
        axes.clear()
        draw(axes, result, row, epochs[i], f"step {epochs[i]:,}", 8)

    write_atomically(path, gif(figure, frame, len(epochs)))
