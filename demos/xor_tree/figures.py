"""The figure of `scratchnet xor-tree`: inputs at the bottom, the parity at the top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scratchnet.demos.figures import POINT_COLORS, REGION_COLORS, new_figure, styled
from scratchnet.demos.running import Result
from scratchnet.depth.gates import RELAY, Gate, Wiring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]

# In inches.
COLUMN, LEVEL, GATE_WIDTH, GATE_HEIGHT = 0.6, 0.78, 0.52, 0.38
RELAY_SIZE, INPUT_SIZE, STEEPNESS = 0.22, 0.36, 0.22
LEFT, MARGIN, TITLE, LEGEND, NARROWEST = 0.75, 0.3, 0.55, 0.45, 6.4

INK, QUIET, RELAY_INK, BLOCK = "#333333", "#9A9A9A", "#B5B5B5", "#F1F1F1"
ACTIVE_FACE, ACTIVE_INK, ACTIVE_LINE = REGION_COLORS[1], POINT_COLORS[1], "#D55E00"


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
        y += max(LEVEL, GATE_HEIGHT + STEEPNESS * furthest)
        places |= {name: (place, y) for name, place in x.items()}
    return places


@styled
def tree(result: Result) -> Figure:
    """The tree of gates with the values of all signals; those that are 1 are orange and thick."""
    extra = result.extra
    circuit, values = extra["circuit"], extra["values"]
    wiring = circuit.wiring
    places = signal_places(wiring)
    spread, high = (len(wiring.inputs) - 1) * COLUMN, places[wiring.outputs[0]][1]
    width = max(NARROWEST, spread + LEFT + MARGIN + GATE_WIDTH)
    height = high + TITLE + LEGEND + INPUT_SIZE + GATE_HEIGHT
    figure, axes = new_figure(width=width, height=height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    left, bottom = -(width - spread + LEFT - MARGIN) / 2, -(LEGEND + INPUT_SIZE)
    axes.set(xlim=(left, left + width), ylim=(bottom, bottom + height), aspect="equal")
    axes.set_axis_off()
    gates = {each.name: each for level in wiring.levels for each in level}
    for name, each in gates.items():
        if each.kind == "AND":
            draw_block(axes, [places[signal] for signal in (*each.sources, name)])
        for source in each.sources:
            draw_line(axes, places, gates, source, name, values)
    for name, place in places.items():
        draw_signal(axes, place, name, gates.get(name), values[name])
    write(axes, left + MARGIN / 2, 0, "inputs", ha="left")
    for number, level in enumerate(wiring.levels, start=1):
        write(axes, left + MARGIN / 2, places[level[0].name][1], f"level {number}", ha="left")
    bits = "".join(str(values[name]) for name in wiring.inputs)
    size = f"{circuit.neurons} neurons in {circuit.depth} levels"
    title = f"The parity of {bits} is {extra['output']}: {size}"
    write(axes, left + width / 2, bottom + height - TITLE / 2, title, fontsize=11)
    legend = "orange, thick: signal is 1     grey ground: one XOR     small circle: relay"
    write(axes, left + width / 2, bottom + LEGEND / 3, legend)
    return figure


def draw_block(axes: Axes, corners: list[Point]) -> None:
    """The grey ground of one XOR: its OR and NAND, and the AND of both."""
    from matplotlib.patches import FancyBboxPatch

    (left, low), (right, high) = (
        tuple(map(side, zip(*corners, strict=True))) for side in (min, max)
    )
    corner = (left - GATE_WIDTH / 2, low - GATE_HEIGHT / 2)
    size = (right - left + GATE_WIDTH, high - low + GATE_HEIGHT)
    shape = "round,pad=0.03,rounding_size=0.08"
    paint: dict[str, Any] = {"facecolor": BLOCK, "edgecolor": "none", "zorder": 1}
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, **paint))


def half_height(gate: Gate | None) -> float:
    """From the centre of a gate, or of an input, to where the lines from and to it end."""
    if gate is None:
        return INPUT_SIZE / 2
    return (RELAY_SIZE if gate.kind == RELAY else GATE_HEIGHT) / 2


def draw_line(
    axes: Axes,
    places: Mapping[str, Point],
    gates: Mapping[str, Gate],
    source: str,
    name: str,
    values: Mapping[str, int],
) -> None:
    """From a signal up to a gate that reads it."""
    (x, y), (x_end, y_end) = places[source], places[name]
    ends = (y + half_height(gates.get(source)), y_end - half_height(gates[name]))
    color, width = (ACTIVE_LINE, 2.4) if values[source] else (QUIET, 0.9)
    axes.plot((x, x_end), ends, color=color, linewidth=width, zorder=2 + values[source])


def draw_signal(axes: Axes, place: Point, name: str, gate: Gate | None, value: int) -> None:
    """A gate as a box with its kind, an input as a circle with its name, a relay as a small one."""
    from matplotlib.patches import Circle, FancyBboxPatch

    (x, y), relay = place, gate is not None and gate.kind == RELAY
    rim = ACTIVE_INK if value else RELAY_INK if relay else INK
    paint: dict[str, Any] = {"facecolor": ACTIVE_FACE if value else "white", "edgecolor": rim}
    text = str(value)
    if gate is None or relay:
        axes.add_patch(Circle(place, half_height(gate), zorder=4, **paint))
    else:
        corner, text = (x - GATE_WIDTH / 2, y - GATE_HEIGHT / 2), f"{gate.kind}\n{value}"
        shape = "round,pad=0,rounding_size=0.08"
        box = FancyBboxPatch(corner, GATE_WIDTH, GATE_HEIGHT, boxstyle=shape, zorder=4, **paint)
        axes.add_patch(box)
    if gate is None:
        write(axes, x, y - INPUT_SIZE, name)
    weight = "bold" if value else "normal"
    write(axes, x, y, text, color=ACTIVE_INK if value else INK, weight=weight, gid=name)


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    usual: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "zorder": 5}
    axes.text(x, y, text, linespacing=1.05, **usual | {"color": INK} | style)
