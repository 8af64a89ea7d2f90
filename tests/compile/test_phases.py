"""Which calls share a loop over the tiles of points, and what waits for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import call, plan, record, written

from scratchnet import SGD, Adam, AdamW, mlp
from scratchnet.backends.compile import Program, write_program
from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import OVER_POINTS, Classified
from scratchnet.backends.compile.memory import Target
from scratchnet.backends.compile.phases import in_phases

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
Y = RNG.normal(size=(30, 1))
LABELS = RNG.integers(0, 3, 30)


def test_a_step_without_sums_is_one_loop_over_the_tiles() -> None:
    """Forward, loss and backward run on a tile while it is in cache; then the weights move."""
    program = written(SGD(mlp([2, 5, 1]), 0.1), X, Y, loss="mean_squared_error")
    assert plan(program) == [
        "multiply",  # dL/dL over the number of samples
        "> matmul add maximum",  # h = max(0, x W + b)
        "> matmul add subtract square multiply multiply",  # (h V + c - t)^2, and its gradient
        "> total",
        "> column_times_row where_positive",  # dL/dy V^T, where h > 0
        "> gradient",
        "> column_sums",
        "> gradient",
        "> column_sums",
        "--",
        "multiply positive",  # the mean of the loss; gradients go to the model's buffer
        "positive positive",
        "positive",
        "multiply subtract",  # W -= rate * gradient
    ]


def test_batch_normalisation_waits_for_its_mean_and_its_variance() -> None:
    """And backward once for the sums over the batch of what flows through both."""
    program = written(SGD(mlp([2, 5, 1], batch_norm=True), 0.1), X, Y, loss="mean_squared_error")
    lines = plan(program)
    phases = " ".join(line.replace(" ", "_") for line in lines).split("--")
    assert len(phases) == 5
    mean, variance, whole, backward, update = (phase.split() for phase in phases)
    assert mean == [">_matmul_add", ">_column_sums"]
    assert variance == ["multiply", ">_subtract_square", ">_column_sums"]
    assert ">_divide_multiply_add_maximum" in whole and ">_total" in whole
    # No sum of the backward pass is read in the phase that adds it up.
    assert backward[0] == "multiply_multiply" and backward[-2:] == [">_gradient", ">_column_sums"]
    # Running statistics can wait for the last phase, where no loop over points is left.
    assert not any(line.startswith(">") for line in update)
    assert sum(line.count("multiply_multiply_add") for line in update) == 2


def test_a_sum_or_an_extreme_of_each_row_waits_for_nobody() -> None:
    program = written(SGD(mlp([2, 5, 3]), 0.1), X, LABELS, loss="softmax_cross_entropy")
    lines = plan(program)
    forward = lines[: lines.index("--")]
    assert forward[1:8] == [
        "> matmul add maximum",
        "> matmul add",
        "> equal",
        "> max",
        "> subtract exp",
        "> sum log",
        "> subtract multiply negative exp subtract multiply",
    ]
    assert not any(line.startswith(">") for line in lines[lines.index("--") :])


NETWORKS: dict[str, Any] = {
    "plain": {},
    "batch_norm": {"batch_norm": True},
    "layer_norm": {"layer_norm": True},
    "residual": {"residual": True},
    "dropout": {"dropout": 0.3},
    "ensemble": {"ensemble": 2, "batch_norm": True, "dropout": 0.3},
}
OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda model: SGD(model, 0.1),
    "momentum": lambda model: SGD(model, 0.1, momentum=0.9, weight_decay=0.1),
    "adam": lambda model: Adam(model, 0.1),
    "adamw": lambda model: AdamW(model, 0.1),
}
every_network = pytest.mark.parametrize("network", NETWORKS)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def recorded(network: str, optimizer: str) -> tuple[Any, Any]:
    model = mlp([2, 5, 5, 3], **NETWORKS[network])
    how: dict[str, Any] = {"loss": "softmax_cross_entropy", "clip_norm": 0.5}
    calls, outcome, _ = record(OPTIMIZERS[optimizer](model), X, LABELS, **how)
    return calls, outcome


def nodes_in_order(program: Program) -> list[Any]:
    return [
        node
        for between, loops in zip(program.between, program.loops, strict=True)
        for loop in (*between, *loops)
        for node in loop.nodes
    ]


@every_network
@every_optimizer
def test_the_order_of_the_loops_gives_the_bits_of_the_recorded_order(
    network: str, optimizer: str
) -> None:
    calls, outcome = recorded(network, optimizer)
    ordered = [node.call for node in nodes_in_order(write_program(calls, outcome, Target(64, 32)))]
    plain = Classified(calls, outcome).nodes
    assert len(ordered) == len(plain)
    written_to = [call.out for call in calls]
    before = [array.copy() for array in written_to]
    results = []
    for order in ([node.call for node in plain], ordered):
        for array, numbers in zip(written_to, before, strict=True):
            array[...] = numbers
        for each in order:
            each.kernel(*each.inputs, out=each.out)
        results.append([array.tobytes() for array in written_to])
    assert results[0] == results[1]


@every_network
@every_optimizer
def test_what_needs_all_points_is_not_in_the_loop_that_adds_them_up(
    network: str, optimizer: str
) -> None:
    calls, outcome = recorded(network, optimizer)
    for phase in in_phases(Classified(calls, outcome).nodes):
        assert all(node.kind == "whole" for node in phase.before)
        assert not any(node.kind == "whole" for node in phase.inside)
        sums = [node.out for node in phase.inside if node.kind in OVER_POINTS]
        for node in phase.inside:
            for each in node.inputs:
                assert not isinstance(each, View) or not any(each.overlaps(s) for s in sums)


@every_network
def test_a_phase_keeps_the_order_of_the_calls(network: str) -> None:
    for phase in in_phases(Classified(*recorded(network, "adam")).nodes):
        for part in (phase.before, phase.inside):
            numbers = [node.number for node in part]
            assert numbers == sorted(numbers)


# By hand: y = x W, and what may or must not be done in the same loop.


def empty(*shape: int) -> Any:
    return np.empty(shape, np.float32)


class Step:
    def __init__(self) -> None:
        self.x, self.W, self.y = empty(30, 2), empty(2, 5), empty(30, 5)
        self.first = call("matmul", self.x, self.W, out=self.y)

    def stages(self, *others: Any, outcome: Any = None) -> list[int]:
        nodes = Classified([self.first, *others], others[-1].out if outcome is None else outcome)
        in_phases(nodes.nodes)
        return [node.stage for node in nodes.nodes]


def test_a_call_on_points_reads_what_was_made_before_the_loop() -> None:
    step, row = Step(), empty(5)
    assert step.stages(
        call("exp", row, out=row, is_new=False),
        call("multiply", step.y, row, out=empty(30, 5)),
    ) == [1, 0, 1]


def test_a_call_on_points_waits_for_a_sum_over_them() -> None:
    step, sums = Step(), empty(5)
    assert step.stages(
        call("sum", step.y, 0, False, out=sums),
        call("subtract", step.y, sums, out=empty(30, 5)),
    ) == [1, 1, 3]


def test_what_is_computed_from_a_sum_stands_between_the_loops() -> None:
    step, sums, mean = Step(), empty(5), empty(5)
    assert step.stages(
        call("sum", step.y, 0, False, out=sums),
        call("multiply", sums, 0.1, out=mean),
        call("multiply", mean, 0.1, out=mean),
        call("subtract", step.y, mean, out=empty(30, 5)),
    ) == [1, 1, 2, 2, 3]


def test_weights_move_after_the_last_loop_that_reads_them() -> None:
    step = Step()
    assert step.stages(
        call("subtract", step.W, 0.1, out=step.W, is_new=False),
        call("exp", step.y, out=empty(30, 5)),
    ) == [1, 2, 1]


def test_a_sum_may_be_added_up_again_only_after_who_reads_it() -> None:
    step, sums = Step(), empty(5)
    assert step.stages(
        call("sum", step.y, 0, False, out=sums),
        call("subtract", step.y, sums, out=empty(30, 5)),
        call("sum", step.y, 0, False, out=sums),
    ) == [1, 1, 3, 5]


def test_calls_on_other_entries_of_one_array_do_not_wait() -> None:
    step, both = Step(), empty(10)
    assert step.stages(
        call("sum", step.y, 0, False, out=both[:5]),
        call("subtract", step.y, both[5:], out=empty(30, 5)),
    ) == [1, 1, 1]


def test_what_nobody_waits_for_is_done_with_the_last() -> None:
    """The number that is wanted at the end is worked out beside the optimizer, in one loop."""
    step, sums, scaled = Step(), empty(5), empty(1)
    assert step.stages(call("exp", scaled, out=scaled, is_new=False)) == [1, 2]
    assert step.stages(
        call("exp", scaled, out=scaled, is_new=False),
        call("sum", step.y, 0, False, out=sums),
        call("multiply", sums, 0.1, out=sums, is_new=False),
    ) == [1, 2, 1, 2]


def test_a_call_on_points_is_done_late_where_what_it_reads_is_kept_anyway() -> None:
    """Else a number of the points would have to be kept for all of them to be read later."""
    step, sums = Step(), empty(5)
    late = [
        call("square", step.y, out=(square := empty(30, 5))),
        call("sum", step.y, 0, False, out=sums),
        call("subtract", step.y, sums, out=(rest := empty(30, 5))),
        call("multiply", square, rest, out=empty(30, 5)),
    ]
    assert step.stages(*late) == [1, 3, 1, 3, 3]
    early = [
        call("exp", step.y, out=(power := empty(30, 5))),
        call("square", power, out=square),
        call("sum", power, 0, False, out=sums),
        call("subtract", step.x[:, :1], sums, out=rest),
        call("multiply", square, rest, out=empty(30, 5)),
    ]
    assert step.stages(*early) == [1, 1, 1, 1, 3, 3]
