"""The figures of `scratchnet parity`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import named_places, percent_axis, rate_figures, seeds_at
from scratchnet.demos.figures import LINE_COLORS, Axes, Figure, new_figure
from scratchnet.demos.parity.formulas import FORMULAS
from scratchnet.demos.parity.learning import KINDS
from scratchnet.demos.running import Result, Row
from scratchnet.demos.verdicts import successes
from scratchnet.depth.circuits import MOST_INPUTS
from scratchnet.depth.parity import PARITY

LOOKS = dict(zip(PARITY, [(1, "o"), (0, "^"), (2, "s"), (4, "x"), (3, "D")], strict=True))
"""The color and the mark of each circuit."""


def drawings(result: Result) -> Mapping[str, Callable[[], Figure]]:
    """What the circuits cost against n; how networks learned; the choice of their rates."""
    found = {"circuits": partial(costs, result)}
    trained = [row for row in result.verdict_rows() if "kind" in row.facts]
    if not trained:
        return found
    last = [row for row in trained if row.facts["inputs"] == trained[-1].facts["inputs"]]
    full, half = ([row.arm for row in last if row.facts["half"] == part] for part in (False, True))
    half_of = "half: unseen rows right, 0 where not all others are"
    rates = rate_figures(result, {"whole table": full, half_of: half}, score="rows right")
    return {**found, "learning": partial(learning, trained), **rates}


def costs(result: Result) -> Figure:
    """Neurons and connections against the number of inputs: lines are formulas, marks networks."""
    rows = [row for row in result.verdict_rows() if "circuit" in row.facts]
    right = [row for row in rows if not row["errors"][0]]
    figure, axes = new_figure(1, 2, width=10.4, height=4.6, sharex=True, sharey=True)
    for panel, quantity in zip(axes, ("neurons", "connections"), strict=True):
        for circuit in PARITY:
            same = [row for row in right if row.facts["circuit"] == circuit]
            draw_costs(panel, circuit, quantity, same)
        ticks = [2, *range(4, MOST_INPUTS + 1, 4)]
        panel.set(yscale="log", xlabel="inputs n", title=quantity, xticks=ticks)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    title = "With one hidden layer, ANDs grow exponentially, and neurons that count do not"
    lines = f"lines: formulas; marks: {len(right)} circuits that are right on all of their rows"
    figure.suptitle(f"{title}\n({lines})")
    return figure


def draw_costs(axes: Axes, circuit: str, quantity: str, right: Sequence[Row]) -> None:
    """A formula as a line, and a mark for each circuit that was right."""
    number, marker = LOOKS[circuit]
    color, (_, formula) = LINE_COLORS[number], FORMULAS[circuit][quantity]
    sizes = [2, 4, 8, 16] if circuit == "tent" else list(range(2, MOST_INPUTS + 1))
    dashed = "--" if circuit == "relu" else "-"
    axes.plot(sizes, [formula(n) for n in sizes], dashed, color=color, linewidth=1.4)
    places, values = [row.facts["inputs"] for row in right], [row.facts[quantity] for row in right]
    face = "none" if marker == "s" else color
    how: dict[str, Any] = {"color": color, "markerfacecolor": face, "label": PARITY[circuit].title}
    axes.plot(places, values, marker, **how)


def learning(rows: Sequence[Row]) -> Figure:
    """Steps until the whole table is right, and accuracy on the half that was held out."""
    figure, axes = new_figure(1, 2, width=10.4, height=4.4, sharex=True)
    sizes = sorted({row.facts["inputs"] for row in rows})
    full, half = ([row for row in rows if row.facts["half"] == part] for part in (False, True))
    for panel, part, measure in zip(axes, (full, half), ("steps", "test_accuracy"), strict=True):
        for number, kind in enumerate(KINDS):
            same = [row for row in part if row.facts["kind"] == kind]
            places = [sizes.index(row.facts["inputs"]) + 0.25 * (number - 1) for row in same]
            samples = [row[measure] for row in same]
            seeds_at(panel, places, samples, LINE_COLORS[number], KINDS[kind], linestyle="none")
        named_places(panel, [str(n) for n in sizes], "inputs n")
    learned = sum(successes(row["train_accuracy"], 1.0) for row in full)
    title = f"{learned} of {sum(len(row.seeds) for row in full)} networks learn the whole table"
    axes[0].set(ylabel="steps until all rows are right", title=title, ylim=(0, None))
    percent_axis(axes[1], chance=0.5, name="accuracy on the rows not seen")
    medians = [f"{np.median(row['test_accuracy']):.0%}" for row in half[-len(KINDS) :]]
    title = f"Of half (n = {sizes[-1]}): {', '.join(medians)} of the rest right"
    axes[1].set(ylim=(-0.02, 1.02), title=title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
