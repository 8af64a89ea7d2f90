"""Which calls of a phase are done in one loop, and which numbers a loop must leave for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import call, plan, record, written

from scratchnet import SGD, Adam, AdamW, mlp
from scratchnet.backends.compile.classify import ELEMENTWISE, Classified, Node
from scratchnet.backends.compile.fuse import Loop, kept_values, loops_between, loops_over_points
from scratchnet.backends.compile.phases import in_phases

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
Y = RNG.normal(size=(30, 1))
N, D = 30, 5


def empty(*shape: int) -> Any:
    return np.empty(shape, np.float32)


class Step:
    """y = x W, and calls that follow it."""

    def __init__(self) -> None:
        self.x, self.W, self.y = empty(N, 2), empty(2, D), empty(N, D)
        self.first = call("matmul", self.x, self.W, out=self.y)

    def nodes(self, *others: Any) -> list[Node]:
        return Classified([self.first, *others], others[-1].out).nodes

    def between(self, *others: Any) -> list[list[int]]:
        """The numbers of the calls in each loop after the tiles, counted from those given."""
        *_, phase = in_phases(self.nodes(*others))
        loops = loops_between(phase.before, frozenset(ELEMENTWISE))
        return [[node.number - 2 for node in loop.nodes] for loop in loops]

    def over_points(self, *others: Any) -> list[list[str]]:
        return [[node.name for node in loop.nodes] for loop in self.loops(*others)]

    def loops(self, *others: Any) -> list[Loop]:
        (phase, *_) = in_phases(self.nodes(*others))
        return loops_over_points(phase.inside)


# Loops over arrays without points.


def test_neighbours_of_one_length_share_a_loop() -> None:
    a, b, c = empty(7), empty(7), empty(8)
    assert Step().between(
        call("exp", a, out=b),
        call("multiply", a, b, out=a, is_new=False),
        call("exp", c, out=c, is_new=False),
        call("multiply", c, c, out=c, is_new=False),
        call("negative", a, out=a, is_new=False),
    ) == [[0, 1], [2, 3], [4]]


def test_a_number_for_all_entries_splits_no_loop() -> None:
    a, rate = empty(7), empty()
    assert Step().between(
        call("multiply", a, rate, out=a, is_new=False), call("add", a, 1.0, out=a, is_new=False)
    ) == [[0, 1]]
    # But what is a number itself is worked out in a loop of its own, which has one entry.
    assert Step().between(
        call("multiply", rate, 0.5, out=rate, is_new=False),
        call("multiply", a, rate, out=a, is_new=False),
    ) == [[0], [1]]


def test_a_matrix_that_lies_otherwise_has_loops_of_its_own() -> None:
    matrix, other = empty(3, 4), empty(4, 3)
    assert Step().between(
        call("exp", matrix, out=matrix, is_new=False),
        call("add", matrix, other.T, out=matrix, is_new=False),
        call("exp", matrix, out=matrix, is_new=False),
    ) == [[0], [1], [2]]
    whole = empty(6, 8)
    assert Step().between(
        call("exp", matrix, out=matrix, is_new=False),
        call("exp", matrix, out=whole[:3, :4], is_new=False),
    ) == [[0], [1]]
    row = empty(4)
    assert Step().between(
        call("exp", matrix, out=matrix, is_new=False),
        call("add", matrix, row, out=matrix, is_new=False),
    ) == [[0], [1]]


def test_a_call_that_reads_its_neighbours_other_entries_waits_for_all_of_them() -> None:
    buffer, out = empty(10), empty(4)
    first = call("exp", out, out=buffer[:4], is_new=False)
    assert Step().between(first, call("exp", buffer[:4], out=out, is_new=False)) == [[0, 1]]
    assert Step().between(first, call("exp", buffer[1:5], out=out, is_new=False)) == [[0], [1]]
    assert Step().between(first, call("exp", buffer[4:8], out=empty(4))) == [[0, 1]]
    # Both only read what they have in common.
    assert Step().between(
        call("exp", buffer[:4], out=empty(4)), call("exp", buffer[1:5], out=empty(4))
    ) == [[0, 1]]
    # The second writes what the first reads of its next entry.
    assert Step().between(
        call("exp", buffer[1:5], out=empty(4)), call("exp", out, out=buffer[:4], is_new=False)
    ) == [[0], [1]]


def test_a_sum_is_a_loop_of_its_own() -> None:
    a, total = empty(7), empty()
    assert Step().between(
        call("square", a, out=(b := empty(7))),
        call("sum", b, None, False, out=total),
        call("sqrt", total, out=total, is_new=False),
        call("divide", a, total, out=a, is_new=False),
    ) == [[0], [1], [2], [3]]


@pytest.mark.parametrize("optimizer", [SGD, Adam, AdamW])
def test_an_optimizer_is_one_loop_over_all_parameters(optimizer: Any) -> None:
    """From the gradient's buffer to the parameters, each entry is read and written once."""
    how = {"momentum": 0.9, "weight_decay": 0.1} if optimizer is SGD else {}
    model = mlp([2, 5, 1])
    program = written(optimizer(model, 0.1, **how), X, Y, loss="mean_squared_error")
    *_, last = program.between
    long = [loop for loop in last if loop.width == model.parameter_count]
    assert len(long) == 1 and long[0] is last[-1] and long[0].kind == "flat"
    assert long[0].nodes[-1].name == "subtract"


@pytest.mark.parametrize("how", [{}, {"batch_norm": True, "ensemble": 2}, {"layer_norm": True}])
def test_a_loop_holds_calls_of_its_length_only(how: dict[str, Any]) -> None:
    model = mlp([2, 5, 5, 3], **how)
    calls, outcome, _ = record(Adam(model, 0.1), X, Y[:, [0, 0, 0]], loss="huber", clip_norm=1.0)
    for phase in in_phases(Classified(calls, outcome).nodes):
        for loop in loops_between(phase.before, frozenset(ELEMENTWISE)):
            assert len(loop.nodes) == 1 or loop.kind == "flat"
            assert all(node.out.size == loop.width for node in loop.nodes)
        for loop in loops_over_points(phase.inside):
            if loop.kind == "rows":
                assert all(n.value is not None and n.value.width == loop.width for n in loop.nodes)
                assert all(node.kind == "elementwise" for node in loop.elementwise)
            else:
                assert len(loop.nodes) == 1


# Loops over the points of a tile.


def test_what_is_done_to_a_product_is_done_while_it_is_in_registers() -> None:
    step = Step()
    y, V, z = step.y, empty(D, D), empty(N, D)
    loops = step.loops(
        call("add", y, empty(D), out=y, is_new=False),
        call("maximum", y, 0.0, out=y, is_new=False),
        call("matmul", y, V, out=z),
        call("tanh", z, out=z, is_new=False),
    )
    assert [[node.name for node in loop.nodes] for loop in loops] == [
        ["matmul", "add", "maximum"],
        ["matmul", "tanh"],
    ]
    first, second = loops
    assert first.head is first.nodes[0] and first.elementwise == first.nodes[1:]
    # The product itself is read by nobody else, so only what comes last is written.
    assert kept_values(loops) == {first.nodes[2].value, second.nodes[1].value}


def test_a_call_of_another_width_begins_a_loop() -> None:
    step, wide, column = Step(), empty(N, D), empty(N, 1)
    assert step.over_points(
        call("max", step.y, -1, True, out=column),
        call("exp", column, out=column, is_new=False),
        call("subtract", step.y, column, out=wide),
    ) == [["matmul"], ["max", "exp"], ["subtract"]]


def test_a_call_with_one_reader_waits_for_it() -> None:
    """The mask of the backward pass is made there, and not kept from the forward pass on."""
    step, V = Step(), empty(D, D)
    mask, z, back = np.empty((N, D), bool), empty(N, D), empty(N, D)
    assert step.over_points(
        call("greater", step.y, 0.0, out=mask),
        call("matmul", step.y, V, out=z),
        call("matmul", z, V.T, out=back),
        call("multiply", back, mask, out=back, is_new=False),
    ) == [["matmul"], ["matmul"], ["matmul", "greater", "multiply"]]


def test_a_call_that_several_read_is_done_at_once() -> None:
    step, V = Step(), empty(D, D)
    h, z, back = empty(N, D), empty(N, D), empty(N, D)
    loops = step.loops(
        call("exp", step.y, out=h),
        call("matmul", h, V, out=z),
        call("matmul", z, V.T, out=back),
        call("multiply", back, h, out=back, is_new=False),
    )
    names = [[node.name for node in loop.nodes] for loop in loops]
    assert names == [["matmul", "exp"], ["matmul"], ["matmul", "multiply"]]
    assert loops[0].nodes[1].value in kept_values(loops)


def test_a_chain_that_waits_keeps_its_order() -> None:
    step, V = Step(), empty(D, D)
    a, b, z = empty(N, D), empty(N, D), empty(N, D)
    assert step.over_points(
        call("square", step.y, out=a),
        call("negative", a, out=b),
        call("matmul", step.y, V, out=z),
        call("multiply", z, b, out=z, is_new=False),
    ) == [["matmul"], ["matmul", "square", "negative", "multiply"]]


def test_a_reader_of_another_width_is_not_waited_for() -> None:
    step, h, column = Step(), empty(N, D), empty(N, 1)
    assert step.over_points(call("exp", step.y, out=h), call("sum", h, -1, True, out=column)) == [
        ["matmul", "exp"],
        ["sum"],
    ]


def test_what_is_wanted_in_the_recording_does_not_wait() -> None:
    step, V, there = Step(), empty(D, D), empty(N, D)
    z = empty(N, D)
    assert step.over_points(
        call("exp", step.y, out=there, is_new=False),
        call("matmul", step.y, V, out=z),
        call("multiply", z, there, out=z, is_new=False),
    ) == [["matmul", "exp"], ["matmul", "multiply"]]


def test_numbers_from_outside_begin_a_loop_of_their_own() -> None:
    step, outside = Step(), empty(N, D)
    loops = step.over_points(
        call("add", step.y, outside, out=step.y, is_new=False),
        call("square", outside, out=(square := empty(N, D))),
        call("sum", square, (0, 1), False, out=empty()),
    )
    assert loops == [["matmul", "add"], ["square"], ["sum"]]


def test_a_loop_finds_what_it_reads_in_the_loops_before_it() -> None:
    """A call that reads two products is done with the later one."""
    step, V = Step(), empty(D, D)
    z, both = empty(N, D), empty(N, D)
    assert step.over_points(
        call("matmul", step.y, V, out=z),
        call("add", step.y, z, out=both),
        call("exp", step.y, out=(other := empty(N, D))),
        call("multiply", both, other, out=both, is_new=False),
    ) == [["matmul"], ["matmul", "add", "exp", "multiply"]]


def test_a_residual_branch_is_added_with_the_layer_that_ends_it() -> None:
    model = mlp([5, 5, 1], residual=True)
    program = written(SGD(model, 0.1), RNG.normal(size=(30, 5)), Y, loss="mean_squared_error")
    assert "> matmul add maximum add" in plan(program)
