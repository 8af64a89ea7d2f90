"""`scratchnet xor`: what a neuron can label, the circuit, what counts as solved, and the claims."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import run_small
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.verdicts import judge
from scratchnet.demos.xor.experiment import (
    CORNERS,
    ELSEWHERE,
    NO_HIDDEN,
    PLATEAU_LOSSES,
    SOLVED,
    XOR,
    Settings,
    arm_name,
    claims,
    ended,
    experiment,
    gate_signals,
    labelings,
    tables,
)
from scratchnet.demos.xor.figures import drawings

LABELINGS = labelings()
POSSIBLE = {each["labels"] for each in LABELINGS if each["neuron"]}
SMALL: dict[str, Any] = {
    "activation": ("relu", "straight_through", "threshold"),
    "hidden": (2, 8),
    "seeds": 8,
    "epochs": 150,
}


def test_one_neuron_gives_14_of_16_labelings_and_is_right_at_3_points_at_best() -> None:
    assert len({each["labels"] for each in LABELINGS}) == 16
    assert len(POSSIBLE) == 14
    assert max(each["right"] for each in LABELINGS if each["neuron"]) == 3
    others = {each["labels"]: each["right"] for each in LABELINGS if not each["neuron"]}
    assert others == {(0, 1, 1, 0): 4, (1, 0, 0, 1): 0}
    for each in LABELINGS:
        if each["neuron"]:
            *weights, bias = each["neuron"]
            assert tuple((CORNERS @ np.array(weights) + bias >= 0).astype(int)) == each["labels"]


weights = st.integers(-10, 10)


@settings(deadline=None)
@given(weights, weights, weights)
def test_no_neuron_gives_a_labeling_that_is_not_listed(w1: int, w2: int, b: int) -> None:
    labels = tuple(int(w1 * x1 + w2 * x2 + b >= 0) for x1, x2 in CORNERS.astype(int).tolist())
    assert labels in POSSIBLE


def test_the_circuit_has_the_truth_tables_of_its_gates() -> None:
    # Each line passes at a distance from the corners: 0.2 to any side changes nothing.
    for shift in product((-0.2, 0.0, 0.2), repeat=2):
        signals = gate_signals(CORNERS + np.array(shift))
        assert {name: each.tolist() for name, each in signals.items()} == {
            "OR": [0, 1, 1, 1],
            "NAND": [1, 1, 1, 0],
            "AND": [0, 1, 1, 0],
        }


def test_the_plateaus_are_the_entropies_of_points_with_one_output() -> None:
    entropy_of_a_third = -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3
    wanted = [math.log(2), 3 / 4 * entropy_of_a_third, math.log(2) / 2]
    assert list(PLATEAU_LOSSES.values()) == pytest.approx(wanted)


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, **SMALL)


def state_of(row: Row, number: int) -> dict[str, Any]:
    return {
        name.removeprefix("state "): values[number]
        for name, values in row.arrays.items()
        if name.startswith("state ")
    }


def test_solved_means_that_true_thresholds_give_xor(result: Result) -> None:
    """Evaluated in plain NumPy, with thresholds in the output neuron too."""
    for row in result.verdict_rows():
        for number, end in enumerate(ended(row)):
            state, signals = state_of(row, number), CORNERS
            if row.facts["hidden"]:
                signals = CORNERS @ state["0.weight"] + state["0.bias"]
                relu = row.facts["activation"] == "relu"
                signals = np.maximum(signals, 0) if relu else signals >= 0
            last = "2" if row.facts["hidden"] else "0"
            logits = signals @ state[f"{last}.weight"][:, 0] + state[f"{last}.bias"].ravel()
            loss = np.logaddexp(0, -(2 * XOR - 1) * logits).mean()
            assert row["loss"][number] == pytest.approx(loss, abs=1e-5)
            assert row["train_accuracy"][number] == np.mean((logits > 0) == XOR)
            assert (end == SOLVED) == (row["train_accuracy"][number] == 1)


def test_a_neuron_alone_learns_nothing_and_thresholds_only_with_the_estimator(
    result: Result,
) -> None:
    assert SOLVED not in ended(result[NO_HIDDEN])
    wide = {each: result[arm_name(each, 8)] for each in ("straight_through", "threshold")}
    moved = {name: np.abs(row.arrays["state 0.bias"]).max() for name, row in wide.items()}
    assert moved["threshold"] == 0 and moved["straight_through"] > 0.1
    assert ended(wide["straight_through"]).count(SOLVED) >= 7


def test_how_made_up_networks_ended() -> None:
    plateaus = list(PLATEAU_LOSSES.values())
    measures = {
        "loss": np.array([*plateaus, 0.01, 0.4, math.nan]),
        "train_accuracy": np.array([0.5, 0.75, 0.75, 1, 0.75, math.nan]),
    }
    ends = ended(Row("made up", {}, tuple(range(6)), measures))
    assert ends == [*PLATEAU_LOSSES, SOLVED, ELSEWHERE, ELSEWHERE]


def made_up(narrow: int, wide: int, hidden: tuple[int, ...] = (2, 8)) -> Result:
    """40 networks of relu, of which so many are solved with the first and the last width."""
    rows = []
    for count, width in zip((narrow, wide), (hidden[0], hidden[-1]), strict=True):
        values = np.where(np.arange(40) < count, 1.0, 0.75)
        facts = {"activation": "relu", "hidden": width, "learning_rate": 0.1}
        measures = {"train_accuracy": values, "loss": np.where(values == 1, 0, 0.477)}
        rows.append(Row(arm_name("relu", width), facts, tuple(range(40)), measures))
    given = resolve(Settings, {"activation": ("relu",), "hidden": hidden})
    extra = {"labelings": LABELINGS, "gates": gate_signals(CORNERS)}
    return Result(given, rows, extra)


@pytest.mark.parametrize(
    ("narrow", "wide", "verdict"),
    [(4, 38, "contradicted"), (38, 4, "supported"), (20, 30, "undecided"), (20, 24, "equivalent")],
)
def test_the_claim_about_width_follows_the_counts(narrow: int, wide: int, verdict: str) -> None:
    one, three, width = judge(claims(made_up(narrow, wide)))
    assert (one.name, three.name, width.name) == ("holds", "holds", verdict)
    assert width.claim.ledger == ("000-020",)


def test_one_width_and_missing_arms_make_no_claim() -> None:
    assert len(claims(made_up(4, 4, (2,)))) == 2
    started = made_up(4, 38)
    started.rows.clear()
    assert len(claims(started)) == 2
    answer: Any = experiment.answer
    assert "at most 3 of the 4 points" in answer(started, [])
    assert set(drawings(started)) == {"gates"} and len(tables(started)) == 3


def test_the_figures_can_be_drawn(result: Result) -> None:
    found = drawings(result)
    assert set(found) == {"gates", "folding"}
    for draw in found.values():
        draw()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--hidden", "0"], ["--hidden 0", "from 1 to 1,000"]),
        (["--activation", "rleu"], ["'rleu'", "'relu'"]),
        (["--activation", "tanh,tanh"], ["tanh,tanh", "without repetitions"]),
        (["--seeds", "10001"], ["--seeds 10001", "to 10,000"]),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: Any, arguments: list[str], expected: list[str]
) -> None:
    assert main(["xor", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert all(part in captured.err for part in expected), captured.err
