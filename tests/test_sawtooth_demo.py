"""`scratchnet sawtooth`: what is counted, what is drawn, and what is claimed of it."""

from __future__ import annotations

import numpy as np
import pytest
from networks import refused

from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.running import Result
from scratchnet.demos.sawtooth import experiment as demo
from scratchnet.demos.sawtooth.experiment import MARKS, drawn, experiment, of_kind, some_of
from scratchnet.demos.verdicts import judge
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.sawtooth import sawtooth_weights, shallow_sawtooth


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, depth=6, seeds=5, quick=False)


def names(result: Result) -> list[str]:
    return [each.name for each in judge(experiment.claims(result))]


def test_pieces_double_and_both_networks_have_them(result: Result) -> None:
    folds = of_kind(result, "sawtooth")
    assert [row["pieces counted"][0] for row in folds] == [2, 4, 8, 16, 32, 64]
    assert [row["one layer counted"][0] for row in folds] == [2, 4, 8, 16, 32, 64]
    assert all(row["difference"][0] == row["ends wrong"][0] == 0 for row in folds)
    assert [row["units"][0] for row in folds] == [2, 4, 6, 8, 10, 12]


def test_random_networks_keep_the_bounds_and_depend_on_their_seed_alone(result: Result) -> None:
    for row in of_kind(result, "random weights"):
        depth = row.facts["depth"]
        assert (row["deep"] >= 1).all() and (row["deep"] <= 3**depth).all()
        assert (row["one layer"] <= 2 * depth + 1).all()
    later = demo.random_pieces(quick_settings(experiment, seed=2, seeds=3), 6)
    assert later["one layer"] == row["one layer"][2:].tolist()
    assert len(set(row["one layer"].tolist())) > 1


def test_one_layer_for_the_error_of_a_square_exists_and_is_no_worse(result: Result) -> None:
    for depth, row in enumerate(of_kind(result, "x²"), start=1):
        assert row["error"][0] == 4.0 ** -(depth + 1) == row["error of xy"][0] / 2
        assert row["error of one unit more"][0] <= row["error"][0]


def test_the_drawing_shows_every_end_of_a_piece_and_is_the_network() -> None:
    for depth in range(1, 6):
        text = drawn(depth)
        assert len(text) == 65 and text == text[::-1]
        step = 64 // 2**depth
        assert text[::step] == "".join(MARKS[-(k % 2)] for k in range(2**depth + 1))


def test_points_that_are_drawn_are_different_ones() -> None:
    assert some_of(5, 9).tolist() == [0, 1, 2, 3, 4]
    few = some_of(200, 100)
    assert 0 < len(few) <= 100 and (np.diff(few) > 0).all() and few.max() < 200


def test_a_wrong_sawtooth_is_seen_as_wrong(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sawtooth of which one bias is off: its ends and its difference show it."""
    weights = sawtooth_weights(3)
    weights[1] = (weights[1][0], weights[1][1] + np.array([0.0, 0.5]))
    wrong = model_from_weights(weights, "relu")
    assert demo.largest_difference(wrong, shallow_sawtooth(3), 3) > 0.1
    monkeypatch.setattr(demo.folding, "sawtooth", lambda *_, **__: wrong)
    found = demo.fold(quick_settings(experiment), 3)
    assert found["ends wrong"] > 0 and found["difference"] > 0.1


def test_claims_hold_and_fail_with_the_counts(result: Result) -> None:
    assert names(result) == ["holds"] * 4 + ["supported"]
    for kind, measure, number in (
        ("sawtooth", "pieces counted", 0),
        ("sawtooth", "ends wrong", 0),
        ("sawtooth", "one layer counted", 1),
        ("sawtooth", "difference", 1),
        ("x²", "error", 2),
        ("x²", "error of xy", 2),
        ("x²", "error of one unit more", 3),
    ):
        values = of_kind(result, kind)[3].measures[measure]
        values += 1
        assert names(result)[number] == "fails", measure
        values -= 1
    # Pieces that are too many to count decide nothing.
    values = of_kind(result, "sawtooth")[5].measures["pieces counted"]
    before = values.copy()
    values[:] = np.nan
    assert names(result)[0] == "holds"
    values[:] = before


def test_deep_sawtooths_are_looked_at_where_they_are_not_counted() -> None:
    found = demo.fold(quick_settings(experiment), 53)
    assert np.isnan([found["pieces counted"], found["difference"]]).all()
    assert found["ends wrong"] == 0 < found["ends looked at"] <= 2**16


def test_figures_and_tables_are_made_of_what_is_there(result: Result) -> None:
    for part in (result, Result(result.settings, result.rows[:1])):
        assert experiment.tables(part)
        for draw in experiment.figures(part).values():
            draw()
    assert list(experiment.figures(result)) == ["sawtooth", "pieces", "square"]
    lines = experiment.tables(result)[1].rows
    assert lines[-1][:3] == ("6", "12", "64")


@pytest.mark.parametrize("depth", [0, 54])
def test_bad_depth_is_one_line(depth: int) -> None:
    with refused(f"--depth {depth}: must be a whole number from 1 to 53"):
        quick_settings(experiment, depth=depth)
