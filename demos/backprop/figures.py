"""The figures of `scratchnet backprop`: the graph with what flows through it, and the step."""

from math import hypot
from typing import Any

from scratchnet.demos.backprop.experiment import at, number
from scratchnet.demos.backprop.network import INPUTS, PARAMETERS, Edge
from scratchnet.demos.figures import LINE_COLORS, Axes, Figure, new_figure
from scratchnet.demos.running import Result

Point = tuple[float, float]

# In inches, y downwards.
BOX_WIDTH, BOX_HEIGHT, LINE, ABOVE = 0.9, 0.6, 0.18, 0.95
COLUMN, WIDTH, HEIGHT, LEFT, TOP = 1.6, 14.2, 8.5, -0.57, -1.35
APART = 0.05
"""How far the arrow forward and the arrow back lie from the line between two boxes."""

PLACES: dict[str, Point] = {
    "x1": (0, 2.3), "x2": (0, 4.1),
    "p11": (1.1, 0.5), "p21": (1.1, 2.3), "p12": (1.1, 4.1), "p22": (1.1, 5.9),
    "s1": (2.2, 1.4), "z1": (3.2, 1.4), "h1": (4.2, 1.4), "q1": (5.2, 1.4),
    "s2": (2.2, 5.0), "z2": (3.2, 5.0), "h2": (4.2, 5.0), "q2": (5.2, 5.0),
    "s": (6.2, 3.2), "z": (7.2, 3.2), "L": (8.2, 3.2),
}  # fmt: skip
"""Column and y of each node but weights and the target, which stand above their only consumer."""

BELOW = {"w11": "p11", "w21": "p21", "w12": "p12", "w22": "p22", "b1": "z1", "b2": "z2",
         "v1": "q1", "v2": "q2", "c": "z", "t": "L"}  # fmt: skip

BACK, INK, NOTHING = "#B34700", "#333333", "#AAAAAA"
FACES = {"input": "#D4E8F7", "weight": "#FBE7C2", "node": "#F3F3F3", "loss": "#EAD3E1"}
RIMS = {"input": "#0072B2", "weight": "#B97D00", "node": "#777777", "loss": "#A0527C"}
ARROW: dict[str, Any] = {
    "arrowstyle": "-|>,head_length=0.3,head_width=0.12", "mutation_scale": 14, "linewidth": 1.1,
    "shrinkA": 0, "shrinkB": 0,
}  # fmt: skip


LEGEND = {
    "Box: its value, computed from left to right. Arrow: × derivative of the box at the right with "
    "respect to the one at the left.": INK,
    "Box: its gradient dL/d(name), computed from right to left. Arrow: gradient at the right × "
    "derivative; the box at the left adds up what arrives.": BACK,
}


def place(node: str) -> Point:
    """The centre of a node's box."""
    if node in BELOW:
        x, y = place(BELOW[node])
        return x, y - ABOVE
    return PLACES[node][0] * COLUMN, PLACES[node][1]


def shown(value: float) -> str:
    """The number with a minus sign."""
    return number(value).replace("-", "−")


def graph(result: Result) -> Figure:
    """Every node with its value and gradient; along each edge an arrow forward and one back."""
    figure, axes = new_figure(width=WIDTH, height=HEIGHT)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(LEFT, LEFT + WIDTH), ylim=(TOP + HEIGHT, TOP))
    axes.set_axis_off()
    for edge in result.extra["edges"]:
        draw_edge(axes, edge)
    for row in result.rows:
        name, leaf = row.arm, "input" if row.arm in INPUTS else "weight"
        kind = leaf if name in (*INPUTS, *PARAMETERS) else "loss" if name == "L" else "node"
        numbers = shown(row["value"][0]), shown(row["gradient"][0])
        draw_box(axes, place(name), kind, name, row.facts["operation"], *numbers)
    arrow(axes, *ends("t", "L"), INK, "--")
    draw_box(axes, place("t"), "input", "t", "target", str(result.settings.target), line="--")
    for below, (text, color) in enumerate(LEGEND.items()):
        label(axes, LEFT + 0.15, TOP + HEIGHT - 0.5 + LINE * below, text, color, align="left")
    before, after = shown(at(result, "L", "value")), shown(result.extra["loss_after_step"])
    title = f"A step against the orange numbers takes the loss from {before} to {after}"
    label(axes, LEFT + WIDTH / 2, TOP + 0.3, title, size=14)
    return figure


def ends(node: str, consumer: str) -> tuple[Point, Point]:
    """Where the line from a node to its consumer begins and ends."""
    (x, y), (x_end, y_end) = place(node), place(consumer)
    if node in BELOW:
        return (x, y + BOX_HEIGHT / 2), (x_end, y_end - BOX_HEIGHT / 2)
    # Two lines to one box arrive one below the other.
    port = 0.0 if y == y_end else 0.14 if y > y_end else -0.14
    return (x + BOX_WIDTH / 2, y), (x_end - BOX_WIDTH / 2, y_end + port)


def draw_edge(axes: Axes, edge: Edge) -> None:
    """An arrow forward, one back beside it, the derivative, and what is sent back."""
    (x, y), (x_end, y_end) = start, end = ends(edge.input, edge.node)
    upright, level = edge.input in BELOW, y == y_end
    steep = 1.0 if upright else min(hypot(x_end - x, y_end - y) / (x_end - x), 2.2)
    aside = (-APART, 0.0) if upright else (0.0, -APART * steep)
    arrow(axes, start, end, INK, aside=aside)
    style = (BACK, "-") if edge.contribution else (NOTHING, ":")
    arrow(axes, end, start, *style, aside=(-aside[0], -aside[1]))
    derivative, contribution = f"×{shown(edge.derivative)}", shown(edge.contribution)
    # Where lines part, their labels are far from each other near the heads.
    t = 0.68 if edge.input in INPUTS else 0.5
    x, y = x + t * (x_end - x), y + t * (y_end - y)
    if upright:
        label(axes, x - 0.12, y, derivative, align="right", size=8)
        label(axes, x + 0.12, y, contribution, BACK, align="left", size=8)
    else:
        above = 0.17 if level else 0.085
        label(axes, x, y - above, derivative, size=8, clear=not level)
        label(axes, x, y + above, contribution, BACK, size=8, clear=not level)


def arrow(
    axes: Axes, start: Point, end: Point, color: str, line: str = "-", aside: Point = (0.0, 0.0)
) -> None:
    """An arrow beside the line from a point to another."""
    (x, y), (x_end, y_end), (right, down) = start, end, aside
    style = ARROW | {"color": color, "linestyle": line}
    axes.annotate("", (x_end + right, y_end + down), (x + right, y + down), arrowprops=style)


def draw_box(
    axes: Axes, centre: Point, kind: str, name: str, symbol: str, *numbers: str, line: str = "-"
) -> None:
    """Name and op, below them the value and the gradient. Leaves have square corners."""
    from matplotlib.patches import FancyBboxPatch

    (x, y), indent = centre, BOX_WIDTH / 2 - 0.08
    corners = "square,pad=0" if kind in ("input", "weight") else "round,pad=0,rounding_size=0.12"
    paint: dict[str, Any] = {
        "facecolor": FACES[kind], "edgecolor": RIMS[kind], "linestyle": line,
        "linewidth": 2.0 if kind == "loss" else 1.0,
    }  # fmt: skip
    corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
    axes.add_patch(FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, boxstyle=corners, **paint))
    label(axes, x - indent, y - LINE, name, align="left", weight="bold")
    label(axes, x + indent, y - LINE, symbol, align="right")
    for text, color, below in zip(numbers, ("black", BACK), (0, LINE), strict=False):
        label(axes, x, y + below, text, color)


def label(
    axes: Axes, x: float, y: float, text: str, color: str = INK, clear: bool = False, **style: Any
) -> None:
    """A text, with a white ground where it must be clear."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if clear else None
    style = {"size": 9, "ha": style.pop("align", "center"), "va": "center"} | style
    axes.text(x, y, text, color=color, bbox=ground, zorder=3, **style)


def step(result: Result) -> Figure:
    """The loss against the learning rate of the one step, and the line that the gradient gives."""
    figure, axes = new_figure(width=6.4, height=4.2)
    extra, rate, before = result.extra, result.settings.learning_rate, at(result, "L", "value")
    rates, losses, after = extra["rates"], extra["losses"], extra["loss_after_step"]
    axes.plot(rates, losses, color=LINE_COLORS[0], label="loss after the step")
    promised = [before + extra["slope"] * each for each in rates]
    axes.plot(rates, promised, "--", color=BACK, label="straight line with the gradient's slope")
    axes.plot([rate], [after], "o", color=LINE_COLORS[0], markersize=8)
    where: dict[str, Any] = {"xytext": (6, 8), "textcoords": "offset points", "fontsize": 9}
    axes.annotate(f"rate {rate:g}", (rate, after), **where)
    axes.set(xlabel="learning rate", ylabel="loss", ylim=(min(0, *losses) - 0.05, None))
    line = shown(before + extra["slope"] * rate)
    axes.set_title(f"The gradient promised {line}, the step gives {shown(after)}")
    axes.legend()
    return figure
