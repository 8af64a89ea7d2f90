"""The figure of `scratchnet xor-tree`: inputs at the bottom, the parity at the top."""

from typing import Any

import numpy as np

from scratchnet.demos.figures import POINT_COLORS, REGION_COLORS, Axes, Figure, new_figure
from scratchnet.demos.running import Result
from scratchnet.depth.gates import RELAY, Gate, Wiring

Point = tuple[float, float]

# In inches.
COLUMN, LEVEL, GATE, RELAY_SIZE, INPUT, STEEPNESS = 0.6, 0.78, 0.5, 0.22, 0.36, 0.22
LEFT, MARGIN, ABOVE, BELOW, NARROWEST = 0.95, 0.55, 0.8, 0.85, 6.4

ACTIVE, QUIET = (REGION_COLORS[1], POINT_COLORS[1], "bold"), ("white", "#333333", "normal")
"""How a signal that is 1 looks, and one that is 0: its face, rim and text."""


def signal_places(wiring: Wiring) -> dict[str, Point]:
    """The centre of each signal in inches: an AND above the middle of what its XOR combines.

    A level stands the higher above the one below the further its lines go to the side.
    """
    places = {name: (number * COLUMN, 0.0) for number, name in enumerate(wiring.inputs)}
    y = 0.0
    for level in wiring.levels:
        x = {}
        for each in level:
            middle = sum(places[source][0] for source in each.sources) / len(each.sources)
            x[each.name] = middle + {"OR": -COLUMN / 2, "NAND": COLUMN / 2}.get(each.kind, 0.0)
        furthest = max(abs(x[each.name] - places[s][0]) for each in level for s in each.sources)
        y += max(LEVEL, GATE + STEEPNESS * furthest)
        places |= {name: (place, y) for name, place in x.items()}
    return places


def tree(result: Result) -> Figure:
    """The tree of gates with the values of all signals; those that are 1 are orange and thick."""
    circuit, values = result.extra["circuit"], result.extra["values"]
    wiring, places = circuit.wiring, signal_places(circuit.wiring)
    right, top = np.max(list(places.values()), axis=0)
    width, height = max(NARROWEST, LEFT + right + MARGIN), BELOW + top + ABOVE
    figure, axes = new_figure(width=width, height=height)
    figure.set_layout_engine("none")
    left = (right - LEFT + MARGIN - width) / 2
    axes.set(xlim=(left, left + width), ylim=(-BELOW, top + ABOVE), position=(0, 0, 1, 1))
    axes.set_axis_off()
    for number, level in enumerate(wiring.levels, start=1):
        axes.text(left + 0.15, places[level[0].name][1], f"level {number}", va="center", size=8)
        for each in level:
            draw_gate(axes, each, places, values)
    for name in wiring.inputs:
        draw_signal(axes, name, places[name], values[name], "o", INPUT)
        axes.text(places[name][0], -INPUT, name, ha="center", va="center", size=8)
    size = f"{circuit.neurons} neurons in {circuit.depth} levels"
    bits = "".join(str(values[name]) for name in wiring.inputs)
    where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    title = f"The parity of {bits} is {result.extra['output']}: {size}"
    axes.text(0.5, 1 - 0.25 / height, title, fontsize=11, **where)
    legend = "orange, thick: signal is 1     grey ground: one XOR     small circle: relay"
    axes.text(0.5, 0.2 / height, legend, fontsize=8, **where)
    return figure


def draw_gate(axes: Axes, gate: Gate, places: Any, values: Any) -> None:
    """A square with its kind or a relay's circle, lines from its sources, an AND's grey ground."""
    x, y = places[gate.name]
    if gate.kind == "AND":
        reach, low = GATE / 2 + 0.03, places[gate.sources[0]][1]
        sides = [x - COLUMN / 2 - reach, x + COLUMN / 2 + reach]
        axes.fill_between(sides, low - reach, y + reach, color="#F1F1F1", linewidth=0, zorder=1)
    marker, size, kind = "s", GATE, f"{gate.kind}\n"
    if gate.kind == RELAY:
        marker, size, kind = "o", RELAY_SIZE, ""
    for source in gate.sources:
        (x_start, y_start), color, width = places[source], "#9A9A9A", 0.9
        if values[source]:
            color, width = "#D55E00", 2.4
        ends = (x_start, x), (y_start + RELAY_SIZE / 2, y - size / 2)
        axes.plot(*ends, color=color, linewidth=width, zorder=2 + values[source])
    draw_signal(axes, gate.name, (x, y), values[gate.name], marker, size, kind)


def draw_signal(
    axes: Axes, name: str, place: Point, value: int, marker: str, size: float, kind: str = ""
) -> None:
    """A mark of so many inches with the signal's value."""
    face, rim, weight = ACTIVE if value else QUIET
    how: dict[str, Any] = {"marker": marker, "facecolor": face, "edgecolor": rim, "zorder": 4}
    axes.scatter(*place, s=(72 * size) ** 2, **how)
    centre: dict[str, Any] = {"ha": "center", "va": "center", "linespacing": 1.05, "zorder": 5}
    axes.text(*place, f"{kind}{value}", size=8, color=rim, weight=weight, gid=name, **centre)
