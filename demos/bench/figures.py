"""The figures of `scratchnet bench`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.bench.engine import COMPILED, EAGER, KERNEL, LOOP, PRODUCTS, RECORDED
from scratchnet.demos.bench.report import ONE_THREAD, headline, placements, present, ratios
from scratchnet.demos.bench.timing import span
from scratchnet.demos.figures import LINE_COLORS, Figure, new_figure
from scratchnet.demos.running import Result

GREY = "#666666"
BLUE, ORANGE, GREEN, PINK, *_ = LINE_COLORS
STYLES: dict[str, dict[str, Any]] = {
    COMPILED: {"marker": "D", "color": ORANGE},
    KERNEL: {"marker": "D", "color": ORANGE},
    ONE_THREAD: {"marker": "D", "color": ORANGE, "mfc": "white"},
    RECORDED: {"marker": "o", "color": BLUE},
    EAGER: {"marker": "o", "color": BLUE, "mfc": "white"},
    "PyTorch eager": {"marker": "s", "color": GREEN, "mfc": "white"},
    "torch.compile": {"marker": "s", "color": GREEN},
    "PyTorch CUDA graph": {"marker": "P", "color": GREEN},
    "JAX jit": {"marker": "^", "color": PINK, "mfc": "white"},
    "JAX scan": {"marker": "^", "color": PINK},
    PRODUCTS: {"marker": "|", "color": "black", "mew": 2},
    LOOP: {"marker": "x", "color": "black", "mew": 1.5},
}


def figures(result: Result) -> dict[str, Callable[[], Figure]]:
    """Every figure of a run, by name."""
    return {"time": partial(time_figure, result), "roofline": partial(roofline_figure, result)}


def time_figure(result: Result) -> Figure:
    """A line for each case, with the median and the 10th to 90th percentile of all times."""
    rows, names = result.rows, present(result.rows)
    height = 1.6 + len(rows) * (0.6 if len(rows) < 12 else 0.3)
    figure, axes = new_figure(width=8.6, height=height)
    for number, name in enumerate(names):
        places = [place for place, row in enumerate(rows) if name in ratios(row)]
        spreads = [ratios(rows[place])[name] for place in places]
        middle = np.array([each.median for each in spreads])
        ends = [middle - [each.low for each in spreads], [each.high for each in spreads] - middle]
        y = np.array(places) + 0.7 * ((number + 0.5) / len(names) - 0.5)
        style = {"ls": "", "elinewidth": 0.8, **STYLES[name]}
        axes.errorbar(middle, y, xerr=np.maximum(ends, 0), label=name, **style)
    for place in range(len(rows) - 1):
        axes.axhline(place + 0.5, color="#D0D0D0", lw=0.6)
    axes.axvline(1, color=BLUE, lw=1.2, label="recorded step")
    axes.set_yticks(range(len(rows)), [row.arm for row in rows])
    axes.grid(axis="y", visible=False)
    axes.set(xscale="log", ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel("time of a step, where the recorded step's is 1 (10th to 90th percentile)")
    axes.xaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside right center")
    figure.suptitle(headline(result))
    return figure


def roofline_figure(result: Result) -> Figure:
    """The engine's steps under the roof: the peak, and the fastest and the slowest addition."""
    from matplotlib.ticker import LogFormatter

    rows, every = result.rows, [placements(row) for row in result.rows]
    figure, axes = new_figure(width=6.8, height=4.8)
    operations, moved = (
        np.array([row.facts[name] for row in rows]) for name in ("million_operations", "bytes")
    )
    intensities = 1e6 * operations / moved
    across = np.geomspace(intensities.min() / 2, intensities.max() * 4, 200)
    peak = max(row.facts["peak_operations_per_second"] for row in rows) / 1e9
    bandwidths = [row.facts["bytes_per_second"] / 1e9 for row in rows]
    for name, bandwidth, style in (
        ("fastest", max(bandwidths), "-"),
        ("slowest", min(bandwidths), "--"),
    ):
        label = f"memory, {name} addition: {bandwidth:,.0f} GB/s"
        roof = np.minimum(across * bandwidth, peak)
        axes.plot(across, roof, style, color=GREY, label=label, lw=1.2)
    rates = {
        name: np.array([getattr(each.get(name), "rate", np.nan) / 1e9 for each in every])
        for name in dict.fromkeys(name for each in every for name in each)
    }
    for name, each in rates.items():
        axes.plot(intensities, each, ls="", label=name, **STYLES[name])
    ends = [choose(list(rates.values()), axis=0) for choose in (np.nanmin, np.nanmax)]
    axes.vlines(intensities, *ends, color=GREY, lw=0.6, zorder=1)
    place = {"textcoords": "offset points", "ha": "right", "color": GREY}
    axes.annotate(f"peak, {peak:,.0f} GFLOP/s", (across[-1], peak), (0, 4), **place)
    axes.set(xscale="log", yscale="log", ylabel="GFLOP/s")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(LogFormatter())
    axes.set_xlabel("operations per byte that the step must move")
    axes.legend(loc="lower right")
    reached = [
        f"{name} {span((each[name].of_peak for each in every if name in each), '{:.0%}'.format)}"
        for name in rates
        if name != EAGER
    ]
    axes.set_title(f"Share of the peak: {', '.join(reached)}")
    return figure
