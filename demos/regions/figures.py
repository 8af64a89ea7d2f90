"""The figures of `scratchnet regions`: mosaics, and how counts change."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.drawing import color_of, rate_figures
from scratchnet.demos.figures import Axes, Figure, new_figure, scatter_classes, styled
from scratchnet.demos.mosaic import Mosaic, draw_mosaic, mosaic
from scratchnet.demos.regions.architectures import architecture, plane
from scratchnet.demos.running import Result, Row
from scratchnet.files import write_atomically
from scratchnet.model import mlp

MARKERS = "osD^vPX"


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    rows = list(result.verdict_rows())
    if result.settings.compare:
        found = [row for row in rows if row.arm.endswith("best found")]
        return {"compare": partial(comparison, result, found)} if found else {}
    if not rows:
        return {}
    drawn: Any = {"mosaic": partial(course, result), "counts": partial(counts, rows)}
    return {**drawn, "depths": partial(depths, result, rows), **rate_figures(result)}


def shown(result: Result) -> Row:
    """The network that is drawn during training, or the last that was finished."""
    rows = list(result.verdict_rows())
    wanted = str(architecture(result.settings.networks[0]))
    return next((row for row in rows if row.facts["network"] == wanted), rows[-1])


def epochs_of(row: Row) -> list[int]:
    """The epochs after which regions were counted, as `linear_0` for those before training."""
    return [int(name.split("_")[1]) for name in row.measures if name.startswith("linear_")]


def picture(result: Result, row: Row, start: str = "") -> Mosaic:
    """The regions of a network whose parameters are arrays with names that start so."""
    names = [name for name in row.arrays if name.startswith(start) and "." in name]
    model = mlp([2, *architecture(row.facts["network"]).hidden, 1], dtype="float64")
    model.load_state_dict({name.removeprefix(start): row.arrays[name] for name in names})
    return mosaic(model, plane(result.settings.window))


def draw(axes: Axes, result: Result, row: Row, epochs: int, when: str, points: float = 0) -> None:
    """The regions of the first network after so many epochs, and the data as marks of that size."""
    drawn = picture(result, row, f"{epochs} ")
    patterns = f" ({drawn.count:,} patterns)" if drawn.count > drawn.linear_count else ""
    draw_mosaic(axes, drawn, f"{when}: {drawn.linear_count:,} regions{patterns}")
    if points:
        rim: dict[str, Any] = {"linewidths": 0.35, "edgecolors": "white", "zorder": 3}
        scatter_classes(axes, row.arrays["X"], row.arrays["y"], points, **rim)


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
    first, last = (np.nanmean(row[f"linear_{epochs}"]) for epochs in (at[0], at[-1]))
    title = f"{row.arm}: {first:,.0f} regions before training, {last:,.0f} after\n"
    how = f"(averages over {len(row.seeds)} seeds; black line: where the class changes)"
    figure.suptitle(title + how)
    return figure


def depths(result: Result, rows: Sequence[Row]) -> Figure:
    """Before and after training: one column for each architecture."""
    figure, axes = new_figure(2, len(rows), 2.7 * len(rows), 6.5, squeeze=False)
    figure.set_layout_engine("compressed")
    changes = []
    for column, row in zip(axes.T, rows, strict=True):
        at = epochs_of(row)
        draw(column[0], result, row, at[0], f"{row.arm}\nbefore")
        draw(column[1], result, row, at[-1], "after")
        changes.append(f"{np.nanmean(row[f'linear_{at[-1]}'] / row['linear_0']):.2f}")
    figure.suptitle(f"Training makes {', '.join(changes)} times as many regions")
    return figure


def counts(rows: Sequence[Row]) -> Figure:
    """Regions of each seed during training."""
    figure, axes = new_figure(width=6.8, height=4.4)
    at = epochs_of(rows[0])
    for number, row in enumerate(rows):
        values, color = np.array([row[f"linear_{epochs}"] for epochs in at]), color_of(number)
        axes.plot(values, color=color, alpha=0.25, linewidth=0.8)
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(np.nanmedian(values, axis=1), f"-{marker}", color=color, label=row.arm)
    bounds = [architecture(row.facts["network"]).bounds() for row in rows]
    axes.axhline(bounds[0]["at_start"], color="#888888", linestyle="--", label="N²/2")
    axes.set(xticks=range(len(at)), xticklabels=map(str, at), xlabel="training steps")
    axes.set(ylabel="linear regions (median, each seed)", ylim=(0, None))
    most = max(row[f"linear_{epochs}"].max() for row in rows for epochs in at)
    theory = float(max(each["at_most"] for each in bounds))
    axes.set_title(f"No network has more than {most:,.0f} regions; theory allows {theory:.1e}")
    axes.legend()
    return figure


def comparison(result: Result, found: Sequence[Row]) -> Figure:
    """For each architecture the counts of random networks, a typical network and the best one."""
    figure, axes = new_figure(len(found), 3, 10.5, 3.7 * len(found) + 0.3, squeeze=False)
    bounds = [architecture(row.facts["network"]).bounds() for row in found]
    farthest = max(each["textbook"] for each in bounds)
    most = max(int(row["linear"][0]) for row in found)
    scale = "log" if farthest > 20 * most else "linear"
    for (histogram, *panels), row, bound in zip(axes, found, bounds, strict=True):
        random = result[row.arm.replace("best found", "random")]
        draw_counts(histogram, random, int(row["linear"][0]), bound)
        histogram.set(xscale=scale, xlim=(0.9, 1.05 * farthest))
        for panel, name, each in zip(panels, ("typical", "best"), (random, row), strict=True):
            drawn = picture(result, each)
            draw_mosaic(panel, drawn, f"{name}: {drawn.linear_count:,} regions, close-up", 0.8)
            left, right, bottom, top = close_up(drawn, result.settings.window)
            panel.set(xlim=(left, right), ylim=(bottom, top))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"The best network found has {most:,} regions; the textbook's bound is {farthest:,}"
    )
    return figure


def draw_counts(axes: Axes, random: Row, best: int, bound: Mapping[str, Any]) -> None:
    """How many random networks have how many regions, with the best found and the bounds."""
    values, networks = np.unique(random["linear"], return_counts=True)
    share, (most, textbook) = networks / networks.sum(), (bound["at_most"], bound["textbook"])
    axes.vlines(values, 0, share, color=color_of(0), linewidth=3, label="random networks")
    axes.axvline(best, color=color_of(1), label="best found", zorder=1)
    how: dict[str, Any] = {"color": color_of(2), "linestyle": "--", "zorder": 1}
    axes.axvline(most, label="at most (Serra et al.)", **how)
    how = {"color": "black", "linestyle": ":", "zorder": 1}
    axes.axvline(textbook, label="at most (textbook)", **how)
    axes.set(xlabel="linear regions", ylabel="random networks", ylim=(0, None))
    axes.set_title(f"{random.arm}\nbest found {best:,}, at most {most:,} and {textbook:,}")
    axes.yaxis.set_major_formatter("{x:.0%}")


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
