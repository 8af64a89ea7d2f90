"""A computation graph as a figure: boxes in columns, the computation running to the right.

A box stands as many columns to the right as the longest way to it has arrows, so every arrow points
to the right. An arrow that spans several columns is led around the boxes between. A leaf with one
user, such as a weight, stands above that user (a second one below), out of the way of the arrows.

`layout` finds the places (after Sugiyama, Tagawa and Toda 1981), and `draw` makes the figure.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Literal

from scratchnet.demos.figures import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["input", "parameter", "operation", "loss"]
Point = tuple[float, float]
Item = str | tuple[str, str, int]
"""What takes room in a column: a box, or an arrow (source, user) that passes by in that column."""

# In inches.
BOX_WIDTH, BOX_HEIGHT, LINE = 0.88, 0.6, 0.18
ROW_GAP, COLUMN_GAP, ATTACHED_GAP, MARGIN = 0.18, 0.7, 0.28, 0.12
LEGEND_WIDTH, LEGEND_HEIGHT = 10.6, 0.84
LEVEL = 0.1
SWEEPS = 20

SLOPE_COLOR, GRADIENT_COLOR = "#444444", "#B34700"
FACES = {"input": "#D4E8F7", "parameter": "#FBE7C2", "operation": "#F3F3F3", "loss": "#EAD3E1"}
RIMS = {"input": "#0072B2", "parameter": "#B97D00", "operation": "#777777", "loss": "#A0527C"}
MEANINGS = {"input": "input", "parameter": "weight or bias", "operation": "op", "loss": "loss"}


@dataclass(frozen=True)
class Box:
    """A node of the graph, with the lines that stand in it."""

    name: str
    operation: str
    value: str
    gradient: str
    kind: Kind


@dataclass(frozen=True)
class Arrow:
    """From a node to its user, with d(user)/d(node) and the gradient that comes back along it.

    Dotted where that gradient is zero.
    """

    source: str
    user: str
    slope: str
    share: str
    dotted: bool = False


@dataclass(frozen=True)
class Layout:
    """Centres of the boxes and the points that arrows pass, in inches, y downwards."""

    places: dict[str, Point]
    routes: dict[tuple[str, str], list[Point]]
    """For each arrow (source, user) between columns: from the source's centre to the user's."""
    attached: dict[str, str]
    """The leaves that stand above or below their user, with that user."""


def layout(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> Layout:
    """Where to draw the nodes, which are named in an order of computation."""
    attached = attached_leaves(names, arrows)
    free = [(source, user) for source, user in dict.fromkeys(arrows) if source not in attached]
    column = columns([name for name in names if name not in attached], free)
    layers: list[list[Item]] = [[] for _ in range(max(column.values()) + 1)]
    for name, place in column.items():
        layers[place].append(name)
    chains: dict[tuple[str, str], list[Item]] = {}
    for source, user in free:
        passing: list[Item] = [(source, user, i) for i in range(column[source] + 1, column[user])]
        for i, item in enumerate(passing, column[source] + 1):
            layers[i].append(item)
        chains[source, user] = [source, *passing, user]
    links = [link for chain in chains.values() for link in pairwise(chain)]
    layers = uncrossed(layers, links)
    y = heights(layers, links, attached)
    x = column_positions(layers, links, y)
    at = {item: (x[i], y[item]) for i, layer in enumerate(layers) for item in layer}
    places = {item: point for item, point in at.items() if isinstance(item, str)}
    have_one_above: set[str] = set()
    for leaf, user in attached.items():
        side = 1 if user in have_one_above else -1
        have_one_above.add(user)
        places[leaf] = (at[user][0], at[user][1] + side * (BOX_HEIGHT + ATTACHED_GAP))
    routes = {ends: [at[item] for item in chain] for ends, chain in chains.items()}
    return Layout(places, routes, attached)


def attached_leaves(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The leaves with one user, at most two for a user, and not all of its sources."""
    made = {user for _, user in arrows}
    attached: dict[str, str] = {}
    for name in names:
        users = [user for source, user in arrows if source == name]
        if name in made or len(users) != 1:
            continue
        here = list(attached.values()).count(users[0])
        sources = {source for source, user in arrows if user == users[0]}
        if here < min(2, len(sources) - 1):
            attached[name] = users[0]
    return attached


def columns(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node; a leaf stands one column left of its first user."""
    column = dict.fromkeys(names, 0)
    for name in names:
        column[name] = max((column[s] + 1 for s, user in arrows if user == name), default=0)
    made = {user for _, user in arrows}
    for name in names:
        if name not in made:
            column[name] = min((column[u] - 1 for s, u in arrows if s == name), default=0)
    return column


def uncrossed(layers: list[list[Item]], links: Sequence[tuple[Item, Item]]) -> list[list[Item]]:
    """The layers, each in an order with fewer crossings where sweeps to and fro find one.

    A sweep sorts each layer by the mean position of what its items are linked to in the layer
    before (their barycentre).
    """
    best, fewest = layers, crossings(layers, links)
    for sweep in range(SWEEPS):
        layers = [list(layer) for layer in layers]
        order = list(range(len(layers)))
        for before, here in pairwise(order if sweep % 2 == 0 else order[::-1]):
            position = {item: i for i, item in enumerate(layers[before])}
            current = {item: i for i, item in enumerate(layers[here])}
            layers[here].sort(
                key=lambda item, position=position, current=current: mean(  # type: ignore[misc]
                    [position[other] for other in linked(item, links) if other in position],
                    current[item],
                )
            )
        if (count := crossings(layers, links)) < fewest:
            best, fewest = layers, count
    return best


def linked(item: Item, links: Iterable[tuple[Item, Item]]) -> list[Item]:
    return [b if a == item else a for a, b in links if item in (a, b)]


def mean(numbers: Sequence[float], default: float) -> float:
    return sum(numbers) / len(numbers) if numbers else default


def crossings(layers: Sequence[Sequence[Item]], links: Sequence[tuple[Item, Item]]) -> int:
    """How many pairs of links between the same two layers cross."""
    position = {item: (i, j) for i, layer in enumerate(layers) for j, item in enumerate(layer)}
    spans = [(*position[a], position[b][1]) for a, b in links]
    return sum(
        left == other_left and (a - c) * (b - d) < 0
        for (left, a, b), (other_left, c, d) in combinations(spans, 2)
    )


def heights(
    layers: Sequence[Sequence[Item]],
    links: Sequence[tuple[Item, Item]],
    attached: Mapping[str, str],
) -> dict[Item, float]:
    """y of each item: near the mean of what it is linked to, and below the one before it.

    What lies on one straight run, with nothing joining or leaving it, keeps one height if it can.
    """
    users = list(attached.values())
    items = [item for layer in layers for item in layer]
    half = {item: BOX_HEIGHT / (2 if isinstance(item, str) else 3) for item in items}
    step = BOX_HEIGHT + ATTACHED_GAP
    up = {item: half[item] + step * (users.count(str(item)) > 0) for item in half}
    down = {item: half[item] + step * (users.count(str(item)) > 1) for item in half}
    gaps = [[down[a] + ROW_GAP + up[b] for a, b in pairwise(layer)] for layer in layers]

    runs = straight_runs(items, links)
    users_of = {item: [b for a, b in links if a == run[-1]] for item, run in runs.items()}
    sources_of = {item: [a for a, b in links if b == run[0]] for item, run in runs.items()}
    y: dict[Item, float] = dict.fromkeys(half, 0.0)
    to_the_left = [(i, users_of) for i in reversed(range(len(layers)))]
    to_the_right = [(i, sources_of) for i in range(len(layers))]
    for i, near in SWEEPS * [*to_the_left, *to_the_right]:
        wanted = [mean([y[other] for other in near[item]], y[item]) for item in layers[i]]
        for item, height in zip(layers[i], spaced(wanted, gaps[i]), strict=True):
            y.update(dict.fromkeys(runs[item], height))
    for layer, gap in zip(layers, gaps, strict=True):
        y.update(zip(layer, spaced([y[item] for item in layer], gap), strict=True))
    return y


def straight_runs(
    items: Sequence[Item], links: Sequence[tuple[Item, Item]]
) -> dict[Item, list[Item]]:
    """Each item's run: linked items of which no inner end has a further link on that side."""
    run: dict[Item, list[Item]] = {item: [item] for item in items}
    sources, users = [a for a, _ in links], [b for _, b in links]
    for a, b in links:
        if sources.count(a) == 1 and users.count(b) == 1:
            joined = run[a] + run[b]
            run.update(dict.fromkeys(joined, joined))
    return run


def spaced(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The positions nearest to the wanted ones (least squares) that keep the gaps between them.

    Without the gaps this asks for the nearest non-decreasing numbers, which pooling adjacent
    violators finds.
    """
    offsets = [sum(gaps[:i]) for i in range(len(wanted))]
    blocks: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=True):
        block = (value - offset, 1)
        while blocks and blocks[-1][0] > block[0]:
            before, n = blocks.pop()
            block = ((before * n + block[0] * block[1]) / (n + block[1]), n + block[1])
        blocks.append(block)
    levels = [level for level, n in blocks for _ in range(n)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def column_positions(
    layers: Sequence[Sequence[Item]],
    links: Sequence[tuple[Item, Item]],
    y: Mapping[Item, float],
) -> list[float]:
    """x of each column; where arrows are steep the next column is further away."""
    x = [0.0]
    for layer in layers[:-1]:
        steepest = max((abs(y[a] - y[b]) for a, b in links if a in layer), default=0.0)
        x.append(x[-1] + BOX_WIDTH + COLUMN_GAP + min(0.2 * steepest, 0.6))
    return x


# Drawing


@styled
def draw(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Figure:
    """The figure: what is in a box or on an arrow is explained below the graph."""
    plan = layout([box.name for box in boxes], [(arrow.source, arrow.user) for arrow in arrows])
    passed = [point for route in plan.routes.values() for point in route]
    across, down = zip(*plan.places.values(), *passed, strict=True)
    left, right = min(across) - BOX_WIDTH / 2 - MARGIN, max(across) + BOX_WIDTH / 2 + MARGIN
    top, bottom = min(down) - BOX_HEIGHT / 2 - MARGIN, max(down) + BOX_HEIGHT / 2 + MARGIN
    right = max(right, left + LEGEND_WIDTH)
    figure, axes = new_figure(width=right - left, height=bottom - top + LEGEND_HEIGHT)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom + LEGEND_HEIGHT, top))
    axes.set_axis_off()
    for arrow in arrows:
        draw_arrow(axes, arrow, plan)
    for box in boxes:
        draw_box(axes, box, plan.places[box.name])
    kinds = list(dict.fromkeys(box.kind for box in boxes))
    draw_legend(axes, (left + MARGIN, bottom + LEGEND_HEIGHT / 2), kinds)
    return figure


def draw_arrow(axes: Axes, arrow: Arrow, plan: Layout) -> None:
    """The arrow, with its slope above and its share of the gradient below; upright: beside it."""
    if arrow.source in plan.attached:
        start, end = upright_ends(plan.places[arrow.source], plan.places[arrow.user])
        draw_line(axes, [start, end], arrow.dotted)
        y = (start[1] + end[1]) / 2
        label(axes, (start[0] - 0.05, y), arrow.slope, SLOPE_COLOR, "right")
        label(axes, (start[0] + 0.05, y), arrow.share, GRADIENT_COLOR, "left")
        return
    points = curve(arrow, plan)
    draw_line(axes, points, arrow.dotted)
    level = abs(points[3][1] - points[0][1]) < LEVEL
    # Arrows that part are far from each other near their heads, arrows that meet near their tails.
    parting = sum(source == arrow.source for source, _ in plan.routes) > 1
    place = on_curve(points[:4], 0.5 if level else 0.72 if parting else 0.4)
    if not level:
        clear(axes, place, 0.07 * max(len(arrow.slope), len(arrow.share)), 0.28)
    draw_labels(axes, place, arrow.slope, arrow.share, 0.09 if level else 0.07)


def upright_ends(source: Point, user: Point) -> tuple[Point, Point]:
    """Where an arrow between two boxes of one column leaves the source and meets the user."""
    side = BOX_HEIGHT / 2 if user[1] > source[1] else -BOX_HEIGHT / 2
    return (source[0], source[1] + side), (user[0], user[1] - side)


def curve(arrow: Arrow, plan: Layout) -> list[Point]:
    """The control points of cubic Bezier curves that leave, pass and arrive level.

    Arrows to one box arrive one below the other, in the order in which they come.
    """
    route = plan.routes[arrow.source, arrow.user]
    rivals = sorted(other[-2][1] for ends, other in plan.routes.items() if ends[1] == arrow.user)
    rank = rivals.index(route[-2][1]) - (len(rivals) - 1) / 2
    (x, y), (x_end, y_end) = route[0], route[-1]
    points = [(x + BOX_WIDTH / 2, y)]
    end = (x_end - BOX_WIDTH / 2, y_end + rank * BOX_HEIGHT / (len(rivals) + 1))
    for x_next, y_next in [*route[1:-1], end]:
        x, y = points[-1]
        middle = (x + x_next) / 2
        points += [(middle, y), (middle, y_next), (x_next, y_next)]
    return points


def on_curve(points: Sequence[Point], t: float) -> Point:
    """The point at t in [0, 1] of the cubic Bezier curve with these four control points."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * p[i] for w, p in zip(weights, points, strict=True)) for i in (0, 1))
    return x, y


def draw_line(axes: Axes, points: Sequence[Point], dotted: bool = False) -> None:
    """An arrow from the first to the last point: straight for two points, else Bezier curves."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    onward = Path.LINETO if len(points) == 2 else Path.CURVE4
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, [Path.MOVETO] + [onward] * (len(points) - 1)),
            arrowstyle="-|>,head_length=0.32,head_width=0.15",
            mutation_scale=14,
            linewidth=0.9,
            color="#999999" if dotted else "#444444",
            linestyle=":" if dotted else "-",
            shrinkA=0,
            shrinkB=0,
        )
    )


def clear(axes: Axes, centre: Point, width: float, height: float) -> None:
    """A white ground for text upon an arrow."""
    from matplotlib.patches import Rectangle

    corner = (centre[0] - width / 2, centre[1] - height / 2)
    axes.add_patch(
        Rectangle(corner, width, height, facecolor="white", edgecolor="none", zorder=1.5)
    )


def draw_labels(axes: Axes, centre: Point, slope: str, share: str, apart: float) -> None:
    label(axes, (centre[0], centre[1] - apart), slope, SLOPE_COLOR)
    label(axes, (centre[0], centre[1] + apart), share, GRADIENT_COLOR)


def draw_box(axes: Axes, box: Box, centre: Point) -> None:
    """Draw a node around `centre`: name and operation, below them the value and the gradient."""
    x, y = centre
    draw_frame(axes, centre, (BOX_WIDTH, BOX_HEIGHT), box.kind)
    indent = BOX_WIDTH / 2 - 0.08
    if box.operation:
        label(axes, (x - indent, y - LINE), box.name, "black", "left", 9, "bold")
        label(axes, (x + indent, y - LINE), box.operation, "black", "right", 8)
    else:
        label(axes, (x, y - LINE), box.name, "black", size=9, weight="bold")
    label(axes, (x, y), box.value, "black", size=9)
    label(axes, (x, y + LINE), box.gradient, GRADIENT_COLOR, size=9)


def draw_frame(axes: Axes, centre: Point, size: Point, kind: Kind) -> None:
    """Leaves have square corners, ops round ones, and the loss a thick rim: it shows in print."""
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    leaf = kind in ("input", "parameter")
    axes.add_patch(
        FancyBboxPatch(
            corner,
            *size,
            boxstyle="square,pad=0" if leaf else f"round,pad=0,rounding_size={size[1] / 5}",
            facecolor=FACES[kind],
            edgecolor=RIMS[kind],
            linewidth=2.0 if kind == "loss" else 1.0,
        )
    )


def label(
    axes: Axes,
    place: Point,
    text: str,
    color: str,
    align: str = "center",
    size: float = 7.5,
    weight: str = "normal",
) -> None:
    axes.text(*place, text, color=color, ha=align, va="center", size=size, weight=weight)


def draw_legend(axes: Axes, start: Point, kinds: Sequence[Kind]) -> None:
    """What the numbers in a box and on an arrow, and the colours, mean."""
    x, y = start
    draw_box(axes, Box("name", "op", "value", "gradient", "operation"), (x + BOX_WIDTH / 2, y))
    x += BOX_WIDTH + 0.12
    label(axes, (x, y), "computed from left to right", "black", "left", 8)
    label(axes, (x, y + LINE), "dL/d(name), from right to left", GRADIENT_COLOR, "left", 8)
    x += 2.2
    draw_line(axes, [(x, y), (x + COLUMN_GAP, y)])
    draw_labels(axes, (x + COLUMN_GAP / 2, y), "×slope", "share", 0.09)
    x += COLUMN_GAP + 0.12
    text = "slope of the arrow: d(head) / d(tail)"
    label(axes, (x, y - LINE / 2), text, SLOPE_COLOR, "left", 8)
    text = "gradient at the head × slope; the tail adds up its shares"
    label(axes, (x, y + LINE / 2), text, GRADIENT_COLOR, "left", 8)
    x += 3.9
    for place, kind in enumerate(kinds):
        spot = (x + 0.9 * (place % 2), y + (place // 2 - 0.5) * 0.28)
        draw_frame(axes, spot, (0.24, 0.16), kind)
        label(axes, (spot[0] + 0.19, spot[1]), MEANINGS[kind], "black", "left", 8)


@styled
def svg(figure: Figure) -> bytes:
    """The figure as an SVG whose text is text; the same file for the same figure."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scratchnet"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
