"""The layout of a drawn graph: nothing overlaps, arrows point right, few of them cross."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet.demos.backprop.graph_drawing import (
    BOX_HEIGHT,
    BOX_WIDTH,
    Arrow,
    Box,
    crossings,
    draw,
    layout,
    spaced,
    svg,
    uncrossed,
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Names in an order of computation, and arrows from earlier to later ones."""
    names = [f"n{i}" for i in range(draw(st.integers(1, 12)))]
    arrows = []
    for i, name in enumerate(names[1:], 1):
        sources = draw(st.lists(st.integers(0, i - 1), max_size=4))
        arrows += [(names[source], name) for source in sources]
    return names, arrows


@given(graphs())
def test_no_two_boxes_overlap_and_arrows_point_right(graph) -> None:
    names, arrows = graph
    plan = layout(names, arrows)
    assert set(plan.places) == set(names)
    for (x, y), (other_x, other_y) in combinations(plan.places.values(), 2):
        assert abs(x - other_x) > BOX_WIDTH or abs(y - other_y) > BOX_HEIGHT
    for source, user in arrows:
        if source in plan.attached:
            assert plan.places[source][0] == plan.places[user][0]
        else:
            route = plan.routes[source, user]
            assert (route[0], route[-1]) == (plan.places[source], plan.places[user])
            assert all(x < x_next for (x, _), (x_next, _) in pairwise(route))


@given(graphs())
def test_an_arrow_passes_between_the_boxes_of_a_column(graph) -> None:
    plan = layout(*graph)
    for ends, route in plan.routes.items():
        for x, y in route[1:-1]:
            for name, (box_x, box_y) in plan.places.items():
                assert name in ends or x != box_x or abs(y - box_y) > BOX_HEIGHT / 2


def test_a_weight_stands_at_its_only_user_and_a_chain_is_level() -> None:
    names = ["x", "w", "b", "p", "z", "h", "q", "L"]
    arrows = [("x", "p"), ("w", "p"), ("p", "z"), ("b", "z"), ("z", "h"), ("x", "q")]
    plan = layout(names, [*arrows, ("h", "q"), ("q", "L")])
    assert plan.attached == {"w": "p", "b": "z"}
    assert plan.places["w"][1] < plan.places["p"][1]
    assert len({plan.places[name][1] for name in "pzh"}) == 1


def test_crossings_are_counted_and_removed() -> None:
    layers = [["a", "b", "c"], ["A", "B", "C"]]
    links = [("a", "C"), ("b", "B"), ("c", "A")]
    assert crossings(layers, links) == 3
    assert crossings(uncrossed(layers, links), links) == 0


def test_an_order_without_crossings_is_kept() -> None:
    layers = [["a", "b"], ["A", "B"]]
    assert uncrossed(layers, [("a", "A"), ("b", "B")]) == layers


positions = st.lists(st.floats(-5, 5), min_size=1, max_size=6)


@given(positions, st.floats(0, 2), st.lists(st.floats(0, 3), min_size=6, max_size=6))
def test_spaced_is_the_nearest_that_keeps_the_gaps(wanted, gap, steps) -> None:
    gaps = [gap] * (len(wanted) - 1)

    def distance(found) -> float:
        return sum((a - b) ** 2 for a, b in zip(found, wanted, strict=True))

    found = spaced(wanted, gaps)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(found))
    other = [wanted[0] - sum(steps[: len(wanted)]) / 2]
    for step in steps[: len(wanted) - 1]:
        other.append(other[-1] + gap + step)
    assert distance(found) <= distance(other) + 1e-9
    # The set of positions that keep the gaps is convex, so no point towards `other` is nearer.
    middle = [a + 0.01 * (b - a) for a, b in zip(found, other, strict=True)]
    assert distance(found) <= distance(middle) + 1e-9


def test_spaced_worked_out_by_hand() -> None:
    assert spaced([0.0, 0.0], [1.0]) == [-0.5, 0.5]
    assert spaced([0.0, 3.0], [1.0]) == [0.0, 3.0]
    assert spaced([2.0, 0.0, 9.0], [1.0, 1.0]) == [0.5, 1.5, 9.0]


def test_the_svg_is_text_and_the_same_every_time() -> None:
    boxes = [Box("x", "", "1.5", "2", "input"), Box("y", "exp", "4.4817", "1", "loss")]

    def drawn() -> bytes:
        return svg(draw(boxes, [Arrow("x", "y", "×4.4817", "4.4817")]))

    first = drawn()
    assert first == drawn()
    assert b">4.4817</text>" in first
    assert b"<dc:date>" not in first


@pytest.mark.parametrize("arrows", [[], [("a", "b")], [("a", "b"), ("a", "b")]])
def test_the_smallest_graphs_can_be_drawn(arrows) -> None:
    boxes = [Box(name, "", "0", "0", "operation") for name in "ab"]
    draw(boxes, [Arrow(source, user, "×1", "0") for source, user in arrows])
