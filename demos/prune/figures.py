"""The figures of `scratchnet prune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.drawing import learning_rate_figure, percent_axis, seeds_at
from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.prune.experiment import METHODS, SCRATCH, UNPRUNED
from scratchnet.demos.running import Result, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found: dict[str, Callable[[], Figure]] = {"pruning": partial(plot, result)}
    if any(each.scores is not None for each in result.tuned.values()):
        groups = {name: [row.arm for row in rows] for name, rows in by_method(result).items()}
        title = "Which learning rate suits what is left (ring: chosen)"
        found["learning-rates"] = partial(learning_rate_figure, result, title, groups)
    return found


def by_method(result: Result) -> Mapping[str, list[Row]]:
    """The rows of each method, from dense to sparse."""
    rows = sorted(result.verdict_rows(), key=lambda row: float(row.facts["sparsity"]))
    methods = {name: [row for row in rows if row.facts["method"] == name] for name in ORDER}
    return {name: rows for name, rows in methods.items() if rows}


ORDER = (*METHODS, SCRATCH)


@styled
def plot(result: Result) -> Figure:
    """Accuracy before and after further training against the share of weights taken out."""
    figure, (early, late) = new_figure(1, 2, width=11, height=4.6, sharey=True)
    methods = by_method(result)
    left = {
        row.facts["sparsity"]: row.facts["weights"] for rows in methods.values() for row in rows
    }
    shares = sorted(left)
    for number, (method, rows) in enumerate(methods.items()):
        place = ORDER.index(method)
        places = [shares.index(row.facts["sparsity"]) + 0.19 * number - 0.28 for row in rows]
        style: dict[str, Any] = {"marker": "os^Dv"[place], "linewidth": 1.2}
        for axes, measure in ((early, "as_pruned"), (late, "test_accuracy")):
            if measure in rows[0].measures:
                samples = [row[measure] for row in rows]
                seeds_at(axes, places, samples, LINE_COLORS[place], method, **style)
    for axes, name in ((early, "as pruned"), (late, "trained further, or from scratch")):
        percent_axis(axes, chance=0.5)
        if UNPRUNED in result:
            whole = np.nanmedian(result[UNPRUNED]["test_accuracy"])
            axes.axhline(whole, color="#666666", linestyle="--", linewidth=1, label="unpruned")
        axes.set(title=name, xlabel="share of weights taken out (weights left)")
        axes.set_xticks(range(len(shares)), [f"{100 * x:g} %\n({left[x]:,})" for x in shares])
        axes.grid(axis="x", visible=False)
    late.set_ylabel("")
    last = [rows[-1] for rows in methods.values() if rows[-1].facts["sparsity"] == shares[-1]]
    found = (f"{row.facts['method']} {np.nanmedian(row['test_accuracy']):.0%}" for row in last)
    if shares:
        figure.suptitle(f"With {100 * shares[-1]:g} % taken out: {', '.join(found)} (medians)")
    figure.legend(*late.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
