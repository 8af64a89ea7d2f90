"""The figures of `scratchnet prune`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import named_places, percent_axis, rate_figures, seeds_at
from scratchnet.demos.figures import LINE_COLORS, Figure, new_figure
from scratchnet.demos.prune.experiment import METHODS, SCRATCH, UNPRUNED, answer
from scratchnet.demos.running import Result, Row


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    groups = {name: [row.arm for row in rows] for name, rows in by_method(result).items()}
    return {"pruning": partial(plot, result), **rate_figures(result, groups)}


def by_method(result: Result) -> Mapping[str, list[Row]]:
    """The rows of each method, from dense to sparse."""
    rows = sorted(result.verdict_rows(), key=lambda row: float(row.facts["sparsity"]))
    methods = {name: [row for row in rows if row.facts["method"] == name] for name in ORDER}
    return {name: rows for name, rows in methods.items() if rows}


ORDER = (*METHODS, SCRATCH)


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
        axes.set_title(name)
        labels = [f"{100 * x:g} %\n({left[x]:,})" for x in shares]
        named_places(axes, labels, "share of weights taken out (weights left)")
    late.set_ylabel("")
    figure.suptitle(answer(result))
    figure.legend(*late.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
