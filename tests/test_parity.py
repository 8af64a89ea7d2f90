"""`scratchnet parity`: circuits against formulas, learning over seeds, and the claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scratchnet import mlp
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.parity.experiment import Settings, circuits, experiment, work
from scratchnet.demos.parity.formulas import QUANTITIES, cost
from scratchnet.demos.parity.learning import DEEP, KINDS, ONE, WIDE, arms, shape, table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.verdicts import judge
from scratchnet.depth.circuits import MOST_INPUTS
from scratchnet.depth.parity import PARITY, parity_circuit


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, inputs=6, learn_inputs=(2, 4), steps=75)


def test_formulas_are_what_the_networks_hold() -> None:
    for construction, n in circuits(Settings(inputs=MOST_INPUTS)):
        if construction == "dnf" and n > 12:
            continue
        circuit = parity_circuit(construction, n)
        counted = [getattr(circuit, quantity) for quantity in QUANTITIES]
        assert counted == [cost(construction, quantity, n) for quantity in QUANTITIES]


def test_what_is_built() -> None:
    built = circuits(Settings(inputs=18))
    assert {n for name, n in built if name == "dnf"} == set(range(2, 17))
    assert {n for name, n in built if name == "tent"} == {2, 4, 8, 16}
    assert {n for name, n in built if name == "tree"} == set(range(2, 19))
    quick = circuits(quick_settings(experiment, inputs=12))
    assert {n for name, n in quick if name == "relu"} == {2, 4, 8, 12}


def verdicts(result: Result) -> dict[str, str]:
    return {each.claim.sentence: each.name for each in judge(experiment.claims(result))}


def test_circuits_are_right_and_decide_their_claims(result: Result) -> None:
    rows = [row for row in result.verdict_rows() if "circuit" in row.facts]
    assert len(rows) == 4 * 3 + 2
    assert all(row["rows"][0] == 2 ** row.facts["inputs"] for row in rows)
    assert not any(row["errors"][0] for row in rows)
    assert list(verdicts(result).values())[:4] == ["fails", "holds", "holds", "fails"]
    counted, formulas, _ = experiment.tables(result)
    assert [row[0] for row in counted.rows] == [
        PARITY[name].title for name in PARITY if name != "tent"
    ]
    assert counted.rows[1] == ("XOR tree", "15", "32", "6", "1", "0 of 64")
    assert formulas.rows[0][1] == "2^(n-1) + 1"


def test_a_circuit_that_errs_supports_nothing(result: Result) -> None:
    def broken(row: Row) -> Row:
        return replace(row, measures={**row.measures, "errors": np.array([3])})

    wrong = Result(result.settings, [broken(row) for row in result.rows if "circuit" in row.facts])
    assert list(verdicts(wrong).values()) == ["holds", "fails", "fails", "holds"]
    assert "0 of 14 circuits are right" in experiment.notes(wrong)[0]


@pytest.mark.parametrize("n", [2, 3, 4, 8, 12])
def test_the_wide_layer_has_the_parameters_of_the_deep_network(n: int) -> None:
    shapes = [shape(kind, n) for kind in (DEEP, WIDE)]
    deep, wide = (mlp([n, *[width] * depth, 1]).parameter_count for depth, width in shapes)
    assert abs(deep - wide) <= (n + 2) / 2
    assert shape(ONE, n) == (1, 32)
    assert shape(DEEP, n) == (int(np.ceil(np.log2(n))), 32)


def test_each_seed_holds_out_a_half_of_its_own() -> None:
    data = table(6, True, range(4))
    for number in range(4):
        rows = np.concatenate([data.X[number], data.X_test[number]])
        assert len(np.unique(rows, axis=0)) == 64
        labels = np.concatenate([data.y[number], data.y_test[number]])[:, 0]
        assert np.array_equal(labels, (rows > 0).sum(axis=1) % 2)
    assert len({each.tobytes() for each in data.X}) == 4
    assert np.array_equal(table(6, True, [2]).X[0], data.X[2])


def measures(half: bool, seeds: tuple[int, ...], steps: int = 110) -> dict[str, Any]:
    settings = quick_settings(experiment, learn_inputs=(6,), steps=steps)
    arm = next(each for each in arms(settings) if each.facts["half"] == half)
    assert arm.train is not None
    rates = (0.005,) * len(seeds)
    return arm.train(arm, seeds, rates, settings, lambda *_, **__: None, False)[0]


@pytest.mark.parametrize("half", [False, True])
def test_a_seed_gives_the_same_alone_and_in_an_ensemble(half: bool) -> None:
    # Steps enough for some seeds to be done before others, and for some not to be.
    together = measures(half, (3, 4, 5, 6, 7))
    assert half or 0 < np.isnan(together["steps"]).sum() < 5
    for number in range(5):
        alone = measures(half, (3 + number,))
        for name in ("steps", "train_accuracy", "validation_score", "test_accuracy"):
            assert np.array_equal(alone[name][0], together[name][number], equal_nan=True), name


def test_a_network_that_does_not_fit_its_half_scores_nothing() -> None:
    found = measures(True, (0, 1, 2), steps=1)
    assert (found["train_accuracy"] < 1).all() and np.isnan(found["steps"]).all()
    assert found["validation_score"].tolist() == [0, 0, 0]
    assert (found["test_accuracy"] > 0).all()


def learned(half: dict[str, float], whole: dict[str, int], fitted: int = 10) -> Result:
    """Ten networks of each kind on eight inputs: accuracies on unseen rows, tables learned."""
    settings = replace(quick_settings(experiment), quick=False, learn_inputs=(8,))
    rows = []
    for arm in arms(settings):
        kind, part = arm.facts["kind"], arm.facts["half"]
        right = np.where(np.arange(10) < (fitted if part else whole[kind]), 1.0, 0.9)
        test = half[kind] + 0.02 * np.linspace(-1, 1, 10)
        found = {"train_accuracy": right, "test_accuracy": test, "steps": np.full(10, 50.0)}
        rows.append(Row(arm.name, arm.facts, tuple(range(10)), found))
    return Result(settings, rows)


def test_learning_decides_its_claims() -> None:
    low, high = dict.fromkeys(KINDS, 0.3), {ONE: 0.8, DEEP: 0.5, WIDE: 0.9}
    names = list(verdicts(learned(low, {ONE: 0, DEEP: 10, WIDE: 10})).values())
    assert names == ["supported", "equivalent", *["supported"] * 3]
    names = list(verdicts(learned(high, {ONE: 10, DEEP: 0, WIDE: 5})).values())
    assert names == ["contradicted", "undecided", "contradicted", "undecided", "contradicted"]
    names = list(verdicts(learned(low, {ONE: 0, DEEP: 10, WIDE: 10}, fitted=9)).values())
    assert names[2:] == ["not tested"] * 3


def test_progress_ends_where_it_was_said_to_end() -> None:
    done = []
    settings = quick_settings(experiment, inputs=5, learn_inputs=(3,), steps=30)
    experiment.run(Run(settings, advance=lambda steps=1, **_: done.append(steps)))
    assert sum(done) == pytest.approx(work(settings))


def test_figures_of_every_kind_of_run(result: Result) -> None:
    for part in (result, run_small(experiment, inputs=2, learn=False), Result(result.settings)):
        for draw in experiment.figures(part).values():
            draw()
    (panel, _) = experiment.figures(result)["circuits"]().axes
    marks = {
        line.get_label(): len(line.get_xdata())
        for line in panel.lines
        if line.get_marker() != "None"
    }
    assert marks == {PARITY[name].title: 2 if name == "tent" else 3 for name in PARITY}
