"""The four steps of `scratchnet xor`, and the command."""

from __future__ import annotations

import io
import json
import math
import os
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scratchnet import Tensor, losses
from scratchnet.demos.command_line import main
from scratchnet.demos.results import to_json
from scratchnet.demos.xor import experiment
from scratchnet.demos.xor.command import plot, record, report, run
from scratchnet.demos.xor.experiment import (
    CORNERS,
    ELSEWHERE,
    NEURON,
    NO_SURROGATE,
    SOLVED,
    SURE,
    SURROGATE,
    XOR,
    Result,
    Training,
    outcomes,
    plateau_loss,
    steps_to_solve,
    train,
)
from scratchnet.demos.xor.report import condition

LABELINGS = experiment.labelings()


def test_one_neuron_gives_14_of_16_labelings_and_is_right_at_3_points_at_best() -> None:
    given_by_a_neuron = [each for each in LABELINGS if each.neuron is not None]
    assert len({each.labels for each in LABELINGS}) == 16
    assert len(given_by_a_neuron) == 14
    assert max(each.right for each in given_by_a_neuron) == 3
    others = {each.labels: each.right for each in LABELINGS if each.neuron is None}
    assert others == {(0, 1, 1, 0): 4, (1, 0, 0, 1): 0}
    for each in given_by_a_neuron:
        *weights, bias = each.neuron or ()
        assert tuple((CORNERS @ np.array(weights) + bias >= 0).astype(int)) == each.labels


weights = st.integers(-10, 10)


@settings(deadline=None)
@given(weights, weights, weights)
def test_no_neuron_gives_a_labeling_that_is_not_listed(w1: int, w2: int, b: int) -> None:
    labels = tuple(int(w1 * x1 + w2 * x2 + b >= 0) for x1, x2 in CORNERS.astype(int).tolist())
    assert labels in {each.labels for each in LABELINGS if each.neuron is not None}


@pytest.mark.parametrize(
    ("neuron", "text"),
    [
        ((1.0, 1.0, -0.5), "a + b >= 0.5"),
        ((-1.0, -1.0, 1.5), "-a - b >= -1.5"),
        ((0.0, -1.0, 0.5), "-b >= -0.5"),
        ((0.0, 0.0, -0.5), "0 >= 0.5"),
    ],
)
def test_a_neuron_reads_as_a_condition(neuron: tuple[float, float, float], text: str) -> None:
    assert condition(neuron) == text


def test_the_circuit_has_the_truth_tables_of_its_gates() -> None:
    # Each line passes at a distance from the corners: 0.2 to any side changes nothing.
    for shift in product((-0.2, 0.0, 0.2), repeat=2):
        signals = experiment.gate_signals(CORNERS + np.array(shift))
        assert {name: each.tolist() for name, each in signals.items()} == {
            "OR": [0, 1, 1, 1],
            "NAND": [1, 1, 1, 0],
            "AND": [0, 1, 1, 0],
        }


def test_a_single_neuron_learns_nothing() -> None:
    training = train(NEURON, 0, epochs=300, seeds=20)
    assert training.solved == 0
    assert training.parameters == 3
    # The loss is convex, and ln 2 is its minimum.
    assert np.all(training.final_loss >= math.log(2) - 1e-6)
    assert np.all(training.final_loss < math.log(2) + 1e-2)


@settings(deadline=None)
@given(st.lists(st.floats(0, 50), min_size=4, max_size=4), st.integers(0, 3))
def test_a_wrong_point_alone_keeps_the_loss_from_being_sure(sizes: list[float], wrong: int) -> None:
    signs = np.where(XOR == 1, 1, -1)
    signs[wrong] *= -1
    logits = Tensor((signs * np.array(sizes)).reshape(4, 1), "float64")
    assert losses.binary_cross_entropy(logits, XOR).item() >= SURE
    closest = np.where(np.arange(4) == wrong, 0, 50 * signs).reshape(4, 1)
    loss = losses.binary_cross_entropy(Tensor(closest, "float64"), XOR).item()
    assert loss == pytest.approx(SURE)


def test_the_plateaus_are_the_entropies_of_points_with_one_output() -> None:
    entropy_of_a_third = -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3
    assert plateau_loss("all four alike") == pytest.approx(math.log(2))
    assert plateau_loss("three alike") == pytest.approx(3 / 4 * entropy_of_a_third)
    assert plateau_loss("two alike") == pytest.approx(math.log(2) / 2)


def test_outcomes_of_a_made_up_ensemble() -> None:
    right_probabilities = np.array(
        [
            [0.99, 0.98, 0.99, 0.97],
            [0.5, 0.99, 0.52, 0.98],
            [0.99, 0.66, 0.34, 0.67],
            [0.5, 0.51, 0.49, 0.5],
            [0.9, 0.8, 0.2, 0.3],
            [0.5, 0.51, 0.5, 0.5],
        ]
    )
    solved = np.array([True, False, False, False, False, True])
    expected = (SOLVED, "two alike", "three alike", "all four alike", ELSEWHERE, SOLVED)
    assert outcomes(right_probabilities, solved) == expected


def test_steps_to_solve_of_a_made_up_ensemble() -> None:
    high, low = SURE + 0.1, SURE - 0.1
    loss = np.array([[high, low, high, high, low], [low, low, high, high, high]])
    final_loss = np.array([low, low, low, high, high])
    solved = np.array([True, True, True, True, False])
    assert steps_to_solve(loss, final_loss, solved).tolist() == [1, 0, 2, -1, -1]


@pytest.fixture(scope="module")
def result() -> Result:
    return run(("tanh",), hidden=(2, 8), epochs=150, seeds=30)


def of(result: Result, activation: str, hidden: int) -> Training:
    (found,) = [
        each for each in result.trainings if (each.activation, each.hidden) == (activation, hidden)
    ]
    return found


def test_what_is_counted_as_solved_follows_from_the_losses(result: Result) -> None:
    for each in result.smooth:
        assert each.solved == np.sum(each.final_loss < SURE) == np.sum(each.steps_to_solve >= 0)
        assert np.all(each.points_right[each.final_loss < SURE] == 4)
        low, high = each.interval
        assert low < each.solved / each.networks <= high
    narrow, wide = of(result, "tanh", 2), of(result, "tanh", 8)
    assert 0 < narrow.solved < wide.solved


def test_examples_are_networks_with_that_outcome(result: Result) -> None:
    narrow = of(result, "tanh", 2)
    for outcome in set(narrow.outcomes):
        number = narrow.outcomes.index(outcome)
        logits = Tensor(narrow.example(outcome).predict(CORNERS))
        loss = losses.binary_cross_entropy(logits, XOR).item()
        assert loss == pytest.approx(narrow.final_loss[number], abs=1e-6)


@pytest.mark.parametrize("activation", ["relu", SURROGATE])
def test_a_seed_gives_the_same_within_an_ensemble_and_alone(activation: str) -> None:
    together = train(activation, 3, epochs=40, seed=5, seeds=4)
    alone = train(activation, 3, epochs=40, seed=7, seeds=1)
    assert np.array_equal(together.loss[:, 2:3], alone.loss)
    assert together.final_loss[2] == alone.final_loss[0]
    assert together.outcomes[2] == alone.outcomes[0]


def test_thresholds_learn_through_the_surrogate_only(result: Result) -> None:
    with_surrogate, without = of(result, SURROGATE, 8), of(result, NO_SURROGATE, 8)
    assert without.hidden_change == 0
    assert with_surrogate.hidden_change > 0.1
    # 30 of 30 with 8 hidden neurons; with 2, 9 of 30, and 1 of 30 without the surrogate.
    assert with_surrogate.solved >= 25
    assert of(result, SURROGATE, 2).solved > of(result, NO_SURROGATE, 2).solved


def test_only_solved_networks_of_thresholds_are_circuits_for_xor(result: Result) -> None:
    """Evaluated in plain NumPy with true thresholds, the output's included."""
    training = of(result, SURROGATE, 2)
    for outcome, state in training.examples.items():
        hidden = CORNERS @ state["0.weight"] + state["0.bias"] >= 0
        fired = hidden @ state["2.weight"][:, 0] + state["2.bias"] >= 0
        assert np.array_equal(fired, XOR == 1) == (outcome == SOLVED)
        number = training.outcomes.index(outcome)
        assert training.points_right[number] == np.sum(fired == XOR)
    assert np.sum(training.points_right == 4) == training.solved


def test_the_report_states_the_counts(result: Result) -> None:
    text = printed(result)
    narrow = of(result, "tanh", 2)
    low, high = narrow.interval
    assert "14 of the 16 ways" in text
    assert "right at 3 of 4 points" in text
    assert f"{narrow.solved}/30" in text
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in text
    assert f"{100 * narrow.solved / 30:.1f} % with 2" in text
    assert max(map(len, text.splitlines())) <= 80


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    output: Any = console.file
    return str(output.getvalue())


def test_the_figures_and_the_record(result: Result) -> None:
    assert set(plot(result)) == {"gates", "loss", "folding_tanh", "solved"}
    kept = json.loads(to_json(record(result)))
    assert set(kept) == {"settings", "environment", "rows", "summary"}
    row = kept["rows"][1]
    assert (row["activation"], row["hidden"], row["networks"]) == ("tanh", 2, 30)
    assert row["solved"] == row["outcomes"].count(SOLVED)
    assert len(row["final_loss"]) == 30
    assert kept["summary"]["labelings_of_one_neuron"] == 14


def test_an_interruption_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted_later(activation: str, *rest: Any) -> Training:
        if activation == SURROGATE:
            raise KeyboardInterrupt
        return train(activation, *rest)

    monkeypatch.setattr(experiment, "train", interrupted_later)
    small = ["--activation", "relu", "--hidden", "3", "--epochs", "5", "--seeds", "2"]
    assert main(["xor", *small, "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "scratchnet: interrupted"
    assert "3. A network" in captured.out
    assert "4. A network" not in captured.out
    kept = json.loads((tmp_path / "result.json").read_text())
    assert [row["activation"] for row in kept["rows"]] == [NEURON, "relu"]
    assert kept["summary"]["interrupted"]


def test_an_interruption_at_once_is_reported_too() -> None:
    nothing = Result({"epochs": 1}, {}, LABELINGS, experiment.gate_signals(CORNERS))
    assert "14 of the 16" in printed(nothing)
    assert set(plot(nothing)) == {"gates"}


def test_the_command_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--activation", "tanh, gelu", "--hidden", "3", "--epochs", "2", "--seeds", "1"]
    assert main(["xor", *small, "--json", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "result.json").read_text())
    assert sorted(os.listdir(tmp_path)) == ["gates.png", "loss.png", "result.json", "solved.png"]
    assert "1. One threshold neuron cannot" in captured.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--hidden", "0"], ["--hidden", "'0'", "at least 1"]),
        (["--hidden", ""], ["--hidden", "''", "at least 1"]),
        (["--hidden", "2,5000"], ["--hidden", "5000", "at most 1000"]),
        (["--activation", "rleu"], ["--activation", "'rleu'", "mean 'relu'"]),
        (["--activation", "threshold"], ["--activation", "'threshold'", "tanh"]),
        (["--activation", "tanh,tanh"], ["--activation", "tanh,tanh", "once"]),
        (["--epochs", "0"], ["--epochs", "'0'", "from 1 to"]),
        (["--seeds", "10001"], ["--seeds", "10001", "to 10,000"]),
        (["--backend", "numpi"], ["--backend", "'numpi'", "mean 'numpy'"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: list[str],
) -> None:
    assert main(["xor", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for part in expected:
        assert part in captured.err
    assert os.listdir(tmp_path) == []
