"""`scratchnet sawtooth`: what is counted, what is said of it, and the command."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.results import to_json
from scratchnet.demos.sawtooth import experiment
from scratchnet.demos.sawtooth.command import plot, record, report, run
from scratchnet.demos.sawtooth.experiment import Result, largest_difference, random_pieces
from scratchnet.demos.sawtooth.report import drawn, sentences
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.sawtooth import sawtooth, sawtooth_weights, shallow_sawtooth


@pytest.fixture(scope="module")
def result() -> Result:
    return run(depth=6, seeds=5)


def test_pieces_double_and_both_networks_have_them(result: Result) -> None:
    assert [fold.counted for fold in result.folds] == [2, 4, 8, 16, 32, 64]
    assert all(fold.shallow_counted == fold.counted for fold in result.folds)
    assert all(fold.difference == 0 for fold in result.folds)
    assert all(fold.ends_right == fold.ends_looked_at for fold in result.folds)
    assert [fold.units for fold in result.folds] == [2, 4, 6, 8, 10, 12]


def test_random_networks_keep_the_bounds(result: Result) -> None:
    for fold in result.folds:
        assert np.all(fold.random_deep >= 1) and np.all(fold.random_deep <= 3**fold.depth)
        assert np.all(fold.random_wide <= fold.units + 1)


def test_random_pieces_differ_between_seeds_and_repeat_for_one() -> None:
    first = random_pieces([1, 24, 1], 0, 6, "numpy")
    assert len(set(first.tolist())) > 1
    assert random_pieces([1, 24, 1], 2, 4, "numpy").tolist() == first[2:].tolist()


def test_one_layer_for_the_error_of_a_square_exists_and_is_no_worse(result: Result) -> None:
    for square in result.squares:
        assert square.error == square.bound
        assert square.shallow_units == square.at_least + 1
        assert square.shallow_error is not None and square.shallow_error <= square.error
        assert square.product_error is not None and square.product_error == square.product_bound


def test_a_wrong_sawtooth_is_seen_as_wrong() -> None:
    """A sawtooth of which one bias is off: its ends and its difference show it."""
    weights = sawtooth_weights(3)
    weights[1] = (weights[1][0], weights[1][1] + np.array([0.0, 0.5]))
    wrong = model_from_weights(weights, "relu")
    right, looked_at = experiment.ends(wrong, 3)
    assert right < looked_at == 9
    assert largest_difference(wrong, shallow_sawtooth(3), 3) > 0.1
    assert experiment.ends(sawtooth(3), 3) == (9, 9)


def test_deep_sawtooths_are_looked_at_where_they_are_not_counted() -> None:
    fold = experiment.fold(53, 0, 1, "numpy")
    assert fold.counted is None and fold.difference is None and fold.random_deep is None
    assert fold.ends_right == fold.ends_looked_at == 2**16


def test_sentences_state_what_was_measured(result: Result) -> None:
    said = " ".join(sentences(result))
    assert "12 hidden units and 37 parameters give 64 linear pieces" in said
    assert "needs 64 units, 5.3 times as many, and 193 parameters" in said
    assert "divides the error of x² by 4.00" in said
    assert "one hidden layer needs at least 45 units, 2.5 times those" in said
    shallow = " ".join(sentences(run(depth=1, seeds=1)))
    assert "needs 2 units, as many, and 7 parameters" in shallow
    assert "fewer than the deep network" in shallow
    assert "±" not in shallow


def test_networks_that_differ_are_said_to_and_random_pieces_are_those_of_the_sample(
    result: Result,
) -> None:
    last = result.folds[-1]
    wrong = replace(last, difference=0.25, random_deep=np.array([3, 5]))
    said = " ".join(sentences(replace(result, folds=(*result.folds[:-1], wrong))))
    assert "the two networks differ by at most 2.5e-01" in said
    assert "none of these random networks has them" in said
    lucky = replace(last, random_deep=np.array([3, last.pieces]))
    said = " ".join(sentences(replace(result, folds=(*result.folds[:-1], lucky))))
    assert "the two networks agree exactly" in said and "none of these" not in said


def test_an_interruption_among_the_squares_says_so(result: Result) -> None:
    stopped = replace(result, squares=result.squares[:2], interrupted=True)
    assert sentences(stopped)[-1] == "The run was interrupted after all folds and 2 squares."


def test_the_drawing_is_symmetric_and_rises_to_the_top() -> None:
    assert drawn(1, "01234567") == drawn(1, "01234567")[::-1]
    assert drawn(2, "01234567")[:16] == "0011223344556677"


def test_report_fits_80_columns_and_figures_are_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(plot(result)) == {"sawtooth", "pieces", "square"}
    rows = json.loads(to_json(record(result)))["rows"]
    assert [row["pieces"] for row in rows] == [2, 4, 8, 16, 32, 64]


def test_interruption_keeps_the_depths_that_were_finished() -> None:
    def stop(steps: float = 1, note: str = "") -> None:
        if note == "depth 4":
            raise KeyboardInterrupt

    stopped = run(depth=6, seeds=2, advance=stop)
    assert stopped.interrupted and len(stopped.folds) == 3 and not stopped.squares
    assert "interrupted after depth 3" in " ".join(sentences(stopped))
    report(stopped, Console(file=io.StringIO()))
    assert set(plot(stopped)) == {"sawtooth", "pieces"}


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sawtooth", "--depth", "2", "--seeds", "2", "--json", "--out", str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert set(json.loads(out)) == {"settings", "environment", "rows", "summary"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "sawtooth.png",
        "pieces.png",
        "square.png",
        "result.json",
    }


@pytest.mark.parametrize("depth", ["0", "54", "-1", "two"])
def test_bad_depth_is_one_line(
    depth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sawtooth", "--depth", depth, "--out", str(tmp_path)]) == 2
    _, err = capsys.readouterr()
    assert err == f"scratchnet: --depth '{depth}': expected a whole number from 1 to 53\n"
