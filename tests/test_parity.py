"""`scratchnet parity`: the table against the library, and the words against made-up numbers."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.parity import experiment
from scratchnet.demos.parity.command import plot, record, report, run, sizes_to_learn
from scratchnet.demos.parity.experiment import Built, Result, buildable, to_build, total_cost
from scratchnet.demos.parity.formulas import FORMULAS, QUANTITIES
from scratchnet.demos.parity.learning import (
    DEEP,
    KINDS,
    ONE,
    WIDE,
    Training,
    hidden_widths,
    train,
    training_rows,
    trainings,
)
from scratchnet.demos.parity.report import percent, sentences
from scratchnet.demos.results import to_json
from scratchnet.depth.circuits import Verification
from scratchnet.depth.parity import PARITY, parity_circuit
from scratchnet.model import mlp


@pytest.fixture(scope="module")
def result() -> Result:
    return run(6, learn=(2, 4), steps=60, seeds=3)


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    output: Any = console.file
    return str(output.getvalue())


def words(result: Result, part: str) -> str:
    return " ".join(sentences(result)[part])


# Circuits


SMALL = [(key, n) for key, n in buildable(range(2, 25)) if key != "dnf" or n <= 12]


@pytest.mark.parametrize(("construction", "n"), SMALL)
def test_formulas_are_what_the_networks_hold(construction: str, n: int) -> None:
    circuit = parity_circuit(construction, n)
    for quantity in QUANTITIES:
        assert FORMULAS[construction][quantity](n) == getattr(circuit, quantity), quantity


def test_buildable_is_what_the_library_builds(result: Result) -> None:
    built = {(each.construction, each.inputs) for each in result.circuits if not each.reason}
    assert built == set(buildable(to_build(6, quick=False)))


def test_every_circuit_is_right_on_all_rows(result: Result) -> None:
    done = [each for each in result.circuits if not each.reason]
    assert all(each.right for each in done)
    assert {each.inputs: each.verification for each in done} == {
        n: Verification(2**n, 0, None) for n in range(1, 7)
    }
    assert list(result.asked_for) == list(PARITY)
    tree = result.asked_for["tree"].counts or {}
    assert tree == {
        "neurons": 15,
        "relays": 2,
        "connections": 32,
        "depth": 6,
        "largest_weight": 1,
    }


def test_the_tables_show_what_was_counted(result: Result) -> None:
    text = printed(result)
    assert re.search(r"DNF +33 +0 +224 +2 +1 +64 +0 *\n", text)
    assert re.search(r"XOR tree +15 +2 +32 +6 +1 +64 +0 *\n", text)
    assert re.search(r"ReLU tent +not built *\n", text)
    assert re.search(r"ReLU tent +2 log2 n \+ 1 +2 n \+ 4 log2 n - 2 +log2 n \+ 1 +min", text)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_bound_is_said_to_be_of_dnf(result: Result) -> None:
    text = words(result, "circuits")
    assert "2^(n-1) + 1 = 33, is a bound for DNF" in text
    assert "no bound for threshold networks" in text
    assert "threshold neurons that count need n + 1 = 7" in text


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (2, "Fewer neurons: neither. Fewer connections: neither."),
        (3, "Fewer neurons: counting. Fewer connections: counting."),
        (16, "17 neurons against 45 of the tree, and 272 connections against 90 of the tree"),
        (16, "Fewer neurons: counting. Fewer connections: the tree."),
        (16, "no relays here"),
        (24, "odd number of signals z = 1 time, once for each zero of n - 1 = 10111 in binary"),
        (24, "DNF is not built beyond 16 inputs: it would take 8,388,609 neurons"),
        (24, "24 inputs are the network for 32 (11 neurons)"),
    ],
)
def test_circuit_sentences_for_other_n(n: int, expected: str) -> None:
    circuits = [Built("dnf", n, reason="x"), Built("tent", n, reason="y")] if n == 24 else []
    assert expected in words(Result({"inputs": n}, {}, tuple(circuits)), "circuits")


def test_an_error_is_not_called_right(result: Result) -> None:
    found = result.asked_for
    wrong = dataclasses.replace(found["tree"], verification=Verification(64, 2, 9))
    broken = dataclasses.replace(result, circuits=(found["dnf"], wrong))
    text = words(broken, "circuits")
    assert "XOR tree for 6 inputs: 2 of 64 rows are wrong, first row 9" in text
    assert "right on every one" not in text
    assert re.search(r"XOR tree .* 64 +2 *\n", printed(broken))
    assert printed(broken).count("not reached") == 3


def test_quick_builds_powers_of_two() -> None:
    assert to_build(24, quick=True) == [24, 1, 2, 4, 8, 16]
    assert to_build(4, quick=True) == [4, 1, 2]
    assert to_build(3, quick=False) == [3, 1, 2]


def test_progress_ends_where_it_was_said_to_end() -> None:
    done = []
    run(5, learn=(3,), steps=30, seeds=2, advance=lambda steps=1, note="": done.append(steps))
    assert sum(done) == pytest.approx(total_cost(5, False, (3,), 30))


# Learning


@pytest.mark.parametrize("n", [2, 3, 4, 8, 12])
def test_the_wide_layer_has_the_parameters_of_the_deep_network(n: int) -> None:
    deep, wide = (mlp([n, *hidden_widths(kind, n), 1]).parameter_count for kind in (DEEP, WIDE))
    assert abs(deep - wide) <= (n + 2) / 2
    assert hidden_widths(ONE, n) == (32,)
    assert len(hidden_widths(DEEP, n)) == int(np.ceil(np.log2(n)))


@pytest.mark.parametrize("half", [False, True])
def test_a_seed_gives_the_same_alone_and_in_an_ensemble(half: bool) -> None:
    # Steps enough for some seeds to be done long before others, and for some not to be.
    together = train(ONE, 6, half, steps=110, seed=3, seeds=5)
    assert 0 < together.solved < 5 or half
    for number in range(5):
        alone = train(ONE, 6, half, steps=110, seed=3 + number)
        assert alone.steps_to_solve[0] == together.steps_to_solve[number]
        assert alone.right[0] == together.right[number]
        if half:
            assert alone.test_accuracy[0] == together.test_accuracy[number]


def test_each_seed_holds_out_a_half_of_its_own() -> None:
    rows = training_rows(6, True, range(4))
    assert rows.sum(axis=1).tolist() == [32] * 4
    assert len({row.tobytes() for row in rows}) == 4
    assert np.array_equal(rows[2], training_rows(6, True, [2])[0])
    assert training_rows(6, False, range(4)).all()


def test_accuracies_are_of_the_right_rows() -> None:
    training = train(DEEP, 5, half=True, steps=100, seeds=3)
    assert training.solved == 3
    assert training.right.tolist() == [1, 1, 1]
    # Multiples of 1/16: they are of the rows held out, and of no others.
    assert np.all(16 * training.test_accuracy % 1 == 0)
    assert train(DEEP, 5, steps=100, seeds=3).test_accuracy is None


def test_an_untrained_network_is_not_solved() -> None:
    training = train(ONE, 8, steps=1, seeds=4)
    assert training.steps_to_solve.tolist() == [-1] * 4
    assert np.all(training.right < 1)


def made_up(kind: str, n: int, solved: int, accuracy: Sequence[float]) -> list[Training]:
    """A training on the full table and one on half of it, of five networks."""
    steps = np.where(np.arange(5) < solved, 50, -1)
    right = np.where(steps > 0, 1.0, 0.98)
    seconds, hidden = 1.0, hidden_widths(kind, n)
    return [
        Training(kind, n, False, hidden, 1, steps, right, None, seconds),
        Training(kind, n, True, hidden, 1, steps, right, np.array(accuracy), seconds),
    ]


def learned(result: Result, *outcomes: tuple[str, int, int, float]) -> Result:
    spread = np.array([-0.02, -0.01, 0, 0.01, 0.02])
    found = [
        each
        for kind, n, solved, accuracy in outcomes
        for each in made_up(kind, n, solved, (accuracy + spread).tolist())
    ]
    return dataclasses.replace(result, trainings=tuple(found))


def test_sentences_follow_from_made_up_numbers(result: Result) -> None:
    deep_wins = learned(result, (ONE, 12, 0, 0.8), (DEEP, 12, 5, 0.3), (WIDE, 12, 5, 0.9))
    text = words(deep_wins, "learning")
    assert "one layer of 32: at n = 12 0 of 5 do, with 98.0 % of the rows right" in text
    assert "log2 n layers of 32: every seed solves n = 12." in text
    assert "Depth wins at equal width (at n = 12, 5 of 5 against 0)" in text
    assert "it does not at equal parameters (5 of 5" in text
    assert "below 50 % at n = 12" in text and "above 50 % at n = 12" in text
    assert "30.0 ± 2.0 % of them right, fewer than either single layer: here depth" in text
    assert "guessing from similar rows" in text

    above_chance = learned(result, (ONE, 12, 0, 0.8), (DEEP, 12, 5, 0.7), (WIDE, 12, 5, 0.9))
    assert "fewer than either single layer." in words(above_chance, "learning")

    deep_loses = learned(result, (ONE, 8, 5, 0.5), (DEEP, 8, 1, 0.9), (WIDE, 8, 2, 0.5))
    text = words(deep_loses, "learning")
    assert "Depth does not win at equal width" in text
    assert "it loses at equal parameters" in text
    assert "not told from 50 % at n = 8" in text
    assert "more than either single layer" in text
    assert "guessing from similar rows" not in text


def test_sentences_of_an_interrupted_run(result: Result) -> None:
    text = words(learned(result, (ONE, 12, 3, 0.5)), "learning")
    assert "at n = 12 3 of 5 do" in text
    assert "equal" not in text
    nothing = Result({"inputs": 6}, {}, interrupted=True)
    assert "Interrupted" in printed(nothing)
    assert set(plot(nothing)) == {"circuits"}


def test_a_single_seed_gets_no_interval(result: Result) -> None:
    alone = dataclasses.replace(
        result, trainings=tuple(train(kind, 3, half, 30) for kind, _, half in trainings([3]))
    )
    assert "±" not in printed(alone)
    assert "learning" in plot(alone)


def test_nothing_less_than_all_is_rounded_to_all() -> None:
    assert percent(1.0) == "100.0 %"
    assert percent(0.99998) == "99.9 %"
    assert percent(0.5) == "50.0 %"


def test_the_figures_and_the_record(result: Result) -> None:
    figures = plot(result)
    assert set(figures) == {"circuits", "learning"}
    neurons = figures["circuits"].axes[0]
    marked = [
        [tuple(point) for point in np.asarray(line.get_xydata()).tolist()]
        for line in neurons.lines
        if line.get_linestyle() == "None"
    ]
    assert marked[0] == [(n, 2 ** (n - 1) + 1) for n in range(2, 7)]
    assert marked[4] == [(2, 3), (4, 5)]
    kept = json.loads(to_json(record(result)))
    circuits = [row for row in kept["rows"] if row["what"] == "circuit"]
    assert len(circuits) == 6 * 5
    assert sum(row["not_built"] is not None for row in circuits) == 3
    learned_rows = [row for row in kept["rows"] if row["what"] == "training"]
    assert [row["network"] for row in learned_rows] == [*KINDS] * 4
    assert all(row["solved"] == sum(s >= 0 for s in row["steps_to_solve"]) for row in learned_rows)
    assert kept["summary"]["formulas"]["tree"]["neurons"] == "3 (n - 1)"


def test_an_interruption_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted_later(kind: str, *rest: Any) -> Training:
        if kind == DEEP:
            raise KeyboardInterrupt
        return train(kind, *rest)

    monkeypatch.setattr(experiment, "train", interrupted_later)
    small = ["--inputs", "3", "--learn-inputs", "3", "--steps", "5", "--seeds", "2"]
    assert main(["parity", *small, "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "scratchnet: interrupted"
    kept = json.loads((tmp_path / "result.json").read_text())
    assert [row["network"] for row in kept["rows"] if row["what"] == "training"] == [ONE]
    assert kept["summary"]["interrupted"]


def test_the_command_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", "--inputs", "5", "--quick", "--json", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "result.json").read_text())
    assert sorted(os.listdir(tmp_path)) == ["circuits.png", "result.json"]


def test_sizes_are_learned_in_rising_order() -> None:
    assert sizes_to_learn("8, 2,4") == (2, 4, 8)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "0"], ["--inputs", "'0'", "from 1 to 24"]),
        (["--inputs", "25"], ["--inputs", "'25'", "from 1 to 24"]),
        (["--inputs", "four"], ["--inputs", "'four'", "whole number"]),
        (["--learn-inputs", "1"], ["--learn-inputs", "1", "2 to 14"]),
        (["--learn-inputs", "4,15"], ["--learn-inputs", "15", "2 to 14"]),
        (["--learn-inputs", "4,x"], ["--learn-inputs", "'4,x'", "whole numbers"]),
        (["--steps", "0"], ["--steps", "'0'", "from 1 to"]),
        (["--seeds", "101"], ["--seeds", "101", "at most 100"]),
        (["--backend", "numpi"], ["--backend", "'numpi'", "mean 'numpy'"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: list[str],
) -> None:
    assert main(["parity", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for part in expected:
        assert part in captured.err
    assert os.listdir(tmp_path) == []
