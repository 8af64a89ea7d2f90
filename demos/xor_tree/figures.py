"""The figure of `scratchnet xor-tree`: inputs at the bottom, the parity at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scratchnet.demos.figures import POINT_COLORS, REGION_COLORS, new_figure, styled
from scratchnet.depth.circuits import Circuit
from scratchnet.depth.gates import RELAY, Gate, Wiring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]

# In inches.
COLUMN, LEVEL, GATE_WIDTH, GATE_HEIGHT = 0.56, 0.78, 0.48, 0.36
RELAY_SIZE, INPUT_SIZE, ROUNDING = 0.2, 0.36, 0.08
STEEPNESS = 0.22
LEFT_MARGIN, MARGIN, HEADING, LEGEND = 0.75, 0.3, 0.55, 0.45
NARROWEST = 5.2

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


@dataclass(frozen=True)
class Look:
    """How a gate and the lines from it are drawn."""

    face: str
    rim: str
    line: str
    width: float
    layer: int


def look(signal: str, gate: Gate | None, values: Mapping[str, int] | None) -> Look:
    """Orange and thick where the signal is 1; a relay is lighter than a gate."""
    if values and values[signal]:
        return Look(ACTIVE_FACE, ACTIVE_INK, ACTIVE_LINE, 2.4, 3)
    if gate is not None and gate.kind == RELAY:
        return Look("white", RELAY_INK, RELAY_INK, 0.9, 2)
    return Look("white", INK, QUIET, 0.9, 2)


@styled
def plot_tree(circuit: Circuit, values: Mapping[str, int] | None = None) -> Figure:
    """The tree of gates; with the values of all signals, those that are 1 are highlighted."""
    wiring = circuit.wiring
    assert wiring is not None
    places = signal_places(wiring)
    tree = (len(wiring.inputs) - 1) * COLUMN
    width = max(NARROWEST, tree + LEFT_MARGIN + MARGIN + GATE_WIDTH)
    height = places[wiring.outputs[0]][1] + HEADING + LEGEND + INPUT_SIZE + GATE_HEIGHT
    figure, axes = new_figure(width=width, height=height)
    left = -(width - tree + LEFT_MARGIN - MARGIN) / 2
    bottom = -(LEGEND + INPUT_SIZE)
    axes.set(xlim=(left, left + width), ylim=(bottom, bottom + height), aspect="equal")
    axes.set_axis_off()
    axes.set_position((0, 0, 1, 1))
    figure.set_layout_engine("none")
    gate_of = {each.name: each for level in wiring.levels for each in level}
    for level in wiring.levels[1::2]:
        for each in level:
            if each.kind == "AND":
                draw_block(axes, [places[name] for name in (*each.sources, each.name)])
    for each in gate_of.values():
        for source in each.sources:
            below, (x, y) = gate_of.get(source), places[source]
            start = (x, y + half_height(below))
            x, y = places[each.name]
            draw_line(axes, start, (x, y - half_height(each)), look(source, below, values))
    for name, place in places.items():
        draw_signal(axes, name, gate_of.get(name), place, values)
    axes.text(left + MARGIN / 2, 0, "inputs", va="center", color=INK, fontsize=8)
    for number, level in enumerate(wiring.levels, start=1):
        y = places[level[0].name][1]
        axes.text(left + MARGIN / 2, y, f"level {number}", va="center", color=INK, fontsize=8)
    write(axes, circuit, values, left + width / 2, bottom, bottom + height)
    return figure


def draw_block(axes: Axes, corners: list[Point]) -> None:
    """The grey ground of one XOR: its OR and NAND, and the AND of both."""
    from matplotlib.patches import FancyBboxPatch

    left, right = (side(x for x, _ in corners) for side in (min, max))
    low, high = (side(y for _, y in corners) for side in (min, max))
    patch = FancyBboxPatch(
        (left - GATE_WIDTH / 2, low - GATE_HEIGHT / 2),
        right - left + GATE_WIDTH,
        high - low + GATE_HEIGHT,
        boxstyle=f"round,pad=0.03,rounding_size={ROUNDING}",
        facecolor=BLOCK,
        edgecolor="none",
        zorder=1,
    )
    axes.add_patch(patch)


def half_height(gate: Gate | None) -> float:
    """From the centre of a gate, or of an input, to where the lines from and to it end."""
    if gate is None:
        return INPUT_SIZE / 2
    return (RELAY_SIZE if gate.kind == RELAY else GATE_HEIGHT) / 2


def draw_line(axes: Axes, start: Point, end: Point, look: Look) -> None:
    """From a signal up to a gate that reads it."""
    axes.plot(
        *zip(start, end, strict=True),
        color=look.line,
        linewidth=look.width,
        zorder=look.layer,
        solid_capstyle="round",
    )


def draw_signal(
    axes: Axes, name: str, gate: Gate | None, place: Point, values: Mapping[str, int] | None
) -> None:
    """A gate as a box with its kind, an input as a circle with its name, a relay as a small one."""
    from matplotlib.patches import Circle, FancyBboxPatch

    style = look(name, gate, values)
    paint: dict[str, Any] = {
        "facecolor": style.face,
        "edgecolor": style.rim,
        "linewidth": 1.0,
        "zorder": 4,
    }
    value = "" if values is None else str(values[name])
    x, y = place
    if gate is None or gate.kind == RELAY:
        radius = (INPUT_SIZE if gate is None else RELAY_SIZE) / 2
        axes.add_patch(Circle(place, radius, **paint))
        text = (value or name) if gate is None else value
        if gate is None and value:
            axes.text(x, y - 0.66 * INPUT_SIZE, name, ha="center", va="top", fontsize=8, color=INK)
    else:
        corner = (x - GATE_WIDTH / 2, y - GATE_HEIGHT / 2)
        box = f"round,pad=0,rounding_size={ROUNDING}"
        axes.add_patch(FancyBboxPatch(corner, GATE_WIDTH, GATE_HEIGHT, boxstyle=box, **paint))
        text = f"{gate.kind}\n{value}".strip()
    active = bool(values and values[name])
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=7.5,
        linespacing=1.05,
        color=ACTIVE_INK if active else INK,
        fontweight="bold" if active else "normal",
        zorder=5,
        gid=name,
    )


def write(
    axes: Axes,
    circuit: Circuit,
    values: Mapping[str, int] | None,
    middle: float,
    bottom: float,
    top: float,
) -> None:
    """The title, and what the shapes mean."""
    n, relays = circuit.inputs, circuit.relays
    neurons = f"{circuit.neurons} neuron{'' if circuit.neurons == 1 else 's'}"
    carried = f" and {relays} relay{'' if relays == 1 else 's'}" if relays else ""
    title = f"Parity of {n} input{'' if n == 1 else 's'}: {neurons}{carried}, depth {circuit.depth}"
    axes.text(middle, top - HEADING / 2, title, ha="center", va="center", fontsize=11)
    meanings = ["grey ground: one XOR = AND(OR, NAND)"] if circuit.neurons else []
    meanings += ["small circle: relay"] if relays else []
    meanings += ["orange and thick: signal is 1"] if values else []
    text = "     ".join(meanings)
    axes.text(middle, bottom + LEGEND / 3, text, ha="center", va="center", fontsize=8, color=INK)
