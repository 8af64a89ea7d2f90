"""The order of a graph's nodes, the names of their ops, and DOT text."""

import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import EVERY_OP

from scratchnet import Tensor, no_grad, ops
from scratchnet.graph import nodes_of, operation_name, to_dot
from scratchnet.losses import LOSSES
from scratchnet.tensor import result


def leaf(value: float = 1.0) -> Tensor:
    return Tensor(np.array(value))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30))
def test_every_node_once_and_behind_its_inputs(pairs: list[tuple[int, int]]) -> None:
    made = [leaf(2.0), leaf(3.0)]
    for a, b in pairs:
        made.append(ops.maximum(made[a % len(made)], made[b % len(made)]))
    order = nodes_of(made[-1])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is made[-1]
    assert all(place[parent] < place[node] for node in order for parent, _ in node.inputs)
    with_consumers = {parent for node in order for parent, _ in node.inputs}
    assert with_consumers | {made[-1]} == set(order)


def test_the_order_is_layer_by_layer_and_as_written() -> None:
    a, b, c, d = (leaf() for _ in range(4))
    ab, cd = a * b, c * d
    y = ab + cd
    assert [id(node) for node in nodes_of(y)] == [id(node) for node in (a, b, c, d, ab, cd, y)]


def test_a_long_chain_needs_no_recursion() -> None:
    x = leaf()
    y = x
    for _ in range(50_000):
        y = -y
    order = nodes_of(y)
    assert len(order) == 50_001
    assert order[0] is x


def test_many_paths_are_walked_once() -> None:
    y = leaf(0.0)
    for _ in range(60):
        y = y + y
    assert len(nodes_of(y)) == 61
    assert to_dot(y).count("->") == 120


# An op whose result is that of another op, which it calls, or which shares its pullbacks.
OTHER_NAMES = {
    "mean": "multiply",
    "stack": "concatenate",
    "split": "take",
    "squeeze": "reshape",
    "maximum": "maximum or minimum",
    "minimum": "maximum or minimum",
    "max": "max or min",
    "min": "max or min",
}


@pytest.mark.parametrize("name", EVERY_OP)
def test_every_op_has_its_name(name: str) -> None:
    a, b = (Tensor(np.random.default_rng(i).uniform(0.5, 1, (3, 4))) for i in (0, 1))
    assert operation_name(EVERY_OP[name](a, b)) == OTHER_NAMES.get(name, name)


@pytest.mark.parametrize("loss", LOSSES.values())
def test_a_loss_is_called_loss(loss) -> None:
    assert operation_name(loss(Tensor(np.zeros((2, 1))), np.array([0, 0]))) == "loss"


def test_what_no_op_made_is_a_leaf_or_a_constant() -> None:
    assert operation_name(leaf()) == "leaf"
    assert operation_name(leaf().detach()) == "constant"
    with no_grad():
        assert operation_name(leaf() * 2.0) == "constant"


def halve(dy):
    return dy / 2


def test_an_op_of_ones_own_has_its_name() -> None:
    def cube(x: Tensor) -> Tensor:
        k = x.backend
        return result(x.data**3, k, (x, lambda dy: k.multiply(dy, 3 * x.data**2)))

    x = leaf()
    assert operation_name(cube(x)) == "cube"
    assert operation_name(x**2) == "power"
    assert operation_name(result(x.data, x.backend, (x, halve))) == "halve"
    assert operation_name(result(x.data, x.backend, (x, partial(halve)))) == "partial"


NODE = re.compile(r'  n(\d+) \[label="((?:[^"\\]|\\.)*)", (shape=[^\]]*)\];')
ARROW = re.compile(r"  n(\d+) -> n(\d+);")


def parse(dot: str) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str]]]:
    """The nodes {number: (label, attributes)} and the arrows; anything else is an error."""
    first, *lines, last = dot.removesuffix("\n").split("\n")
    assert (first, lines.pop(0), last) == ("digraph {", "  rankdir=LR;", "}")
    nodes, arrows = {}, []
    for line in lines:
        if match := NODE.fullmatch(line):
            label = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
            assert match[1] not in nodes
            nodes[match[1]] = label, match[3]
        else:
            arrow = ARROW.fullmatch(line)
            assert arrow, line
            arrows.append((arrow[1], arrow[2]))
    return nodes, arrows


def test_dot_holds_the_graph() -> None:
    a, b = leaf(2.0), leaf(3.0)
    square = (a * a).retain_grad()
    y = square + b * 0.5
    y.backward()
    names = {a: "a", square: "a squared", y: "y"}
    nodes, arrows = parse(to_dot(y, names))
    number = {label.partition("\n")[0]: index for index, (label, _) in nodes.items()}
    assert set(number) == {"a", "leaf", "a squared = multiply", "multiply", "y = add"}
    assert sorted(arrows) == sorted(
        (number[source], number[user])
        for source, user in [
            ("a", "a squared = multiply"),
            ("a", "a squared = multiply"),
            ("leaf", "multiply"),
            ("a squared = multiply", "y = add"),
            ("multiply", "y = add"),
        ]
    )
    labels = dict(nodes.values())
    assert labels["a\nvalue 2\ngradient 4"] == "shape=box"
    assert labels["a squared = multiply\nvalue 4\ngradient 1"] == "shape=box, style=rounded"
    assert labels["multiply\nvalue 1.5"] == "shape=box, style=rounded"
    assert labels["y = add\nvalue 5.5"] == "shape=box, style=rounded, peripheries=2"


@given(st.text(max_size=20))
def test_any_name_comes_back_whole(name: str) -> None:
    x = leaf()
    ((label, _),) = parse_one_node(to_dot(x, {x: name}))
    assert label == (name.replace("\r", "") or "leaf") + "\nvalue 1"


def parse_one_node(dot: str) -> list[tuple[str, str]]:
    nodes, arrows = parse(dot)
    assert arrows == []
    return list(nodes.values())


def test_an_array_is_given_by_its_shape_and_the_norm_of_its_gradient() -> None:
    w = Tensor(np.array([[3.0, 4.0]]))
    (w * w).sum().backward()
    ((label, _),) = parse_one_node(to_dot(w, {w: "w"}))
    assert label == "w\nshape (1, 2)\nnorm of gradient 10"


def test_a_constant_is_dashed() -> None:
    assert parse_one_node(to_dot(leaf().detach())) == [
        ("constant\nvalue 1", "shape=box, style=dashed, peripheries=2")
    ]
