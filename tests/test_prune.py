"""`scratchnet prune FILE`: every method at every sparsity, what is claimed, and bad files."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet import Adam, accuracy, fit, mlp
from scratchnet.checkpoint import load_model, save_model
from scratchnet.compacting import compact
from scratchnet.demos.command_line import main
from scratchnet.demos.prune.command import record
from scratchnet.demos.prune.experiment import Result, Row, run
from scratchnet.demos.prune.figures import plot
from scratchnet.demos.prune.report import losses, mcnemar, report, sentences
from scratchnet.demos.prune.settings import METHODS, Settings, shares
from scratchnet.demos.results import to_json
from scratchnet.demos.spiral.task import TASK, Task, task_of
from scratchnet.demos.spiral.task import described as task
from scratchnet.pruning import prune, prune_neurons

SPIRAL = Task(points=60, turns=0.5, noise=0.05, seed=3)
X, Y, X_TEST, Y_TEST = SPIRAL.data()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned short spirals."""
    model = mlp([2, 16, 16, 1], seed=3)
    fit(model, X, Y, optimizer=Adam(model, 0.01), epochs=200)
    path = tmp_path_factory.mktemp("saved") / "model"
    save_model(path, model, task={TASK: task(SPIRAL)})
    return path


def small(file: Path, **options: Any) -> Settings:
    return Settings(file, sparsities=(0.0, 0.5, 0.9), steps=20, draws=3, **options)


@pytest.fixture(scope="module")
def found(file: Path) -> Result:
    return run(small(file))


def by_place(result: Result) -> dict[tuple[str, float], Row]:
    return {(row.method, row.sparsity): row for row in result.rows}


def test_the_task_is_rebuilt_from_the_file(found: Result, file: Path) -> None:
    assert accuracy(load_model(file), X_TEST, Y_TEST) == found.dense.mean() > 0.9
    assert (found.weights, found.neurons, found.test_samples) == (2 * 16 + 256 + 16, 32, 2000)


def test_each_row_is_what_pruning_one_network_gives(found: Result, file: Path) -> None:
    rows = by_place(found)
    assert len(rows) == len(METHODS) * 3
    for method, options in (("magnitude", {}), ("layer-magnitude", {"scope": "layer"})):
        alone = load_model(file)
        prune(alone, sparsity=0.5, **options)
        row = rows[method, 0.5]
        assert row.weights == 152
        assert accuracy(alone, X_TEST, Y_TEST) == row.pruned[0].mean()
        fit(alone, X, Y, optimizer=Adam(alone, 1e-3), epochs=20)
        assert accuracy(alone, X_TEST, Y_TEST) == row.retrained[0].mean()
        assert compact(alone).parameter_count == row.parameters[0]
    alone = load_model(file)
    prune_neurons(alone, sparsity=0.5)
    row = rows["neurons", 0.5]
    assert (row.neurons[0], row.parameters[0]) == (16, 2 * 8 + 8 + 64 + 8 + 8 + 1)
    assert accuracy(alone, X_TEST, Y_TEST) == row.pruned[0].mean()


def test_nothing_pruned_is_the_network_itself(found: Result) -> None:
    for method in METHODS:
        row = by_place(found)[method, 0.0]
        assert all((each == found.dense).all() for each in row.pruned)
        assert all((each == found.dense_retrained).all() for each in row.retrained)
        assert (row.parameters == found.model.parameter_count).all()


def test_random_masks_have_draws_that_the_seed_repeats(found: Result, file: Path) -> None:
    row = by_place(found)["random", 0.5]
    assert row.pruned.shape == (3, 2000)
    assert not (row.pruned == row.pruned[0]).all()
    again, other = run(small(file)), run(small(file, seed=1))
    np.testing.assert_array_equal(by_place(again)["random", 0.5].pruned, row.pruned)
    assert not np.array_equal(by_place(other)["random", 0.5].pruned, row.pruned)


def test_compacted_outputs_agree(found: Result) -> None:
    assert 0 <= found.difference < 1e-5


# What is claimed.


def test_mcnemars_test() -> None:
    """6 against 0: 2 / 2^6. 5 against 1: 2 (1 + 6) / 2^6. Equally many: 1."""
    right = np.ones(20, bool)

    def wrong_at(*places: int) -> Any:
        return np.isin(np.arange(20), places, invert=True)

    assert mcnemar(right, wrong_at(*range(6))) == 2 / 64
    assert mcnemar(wrong_at(19), wrong_at(*range(5))) == 14 / 64
    assert mcnemar(right, right) == 1
    assert mcnemar(wrong_at(0), wrong_at(1)) == 1


def made_up(found: Result, correct: dict[tuple[str, float], int], draws: int = 1) -> Result:
    """The found run where each network gets so many of 60 samples right, and all 60 before."""
    rows = []
    for row in found.rows:
        counts = [correct.get((row.method, row.sparsity), 60) - i for i in range(draws)]
        right = np.array([np.arange(60) < count for count in counts])
        parameters = np.full(draws, 100 if row.method == "neurons" and row.sparsity else 337)
        rows.append(dataclasses.replace(row, pruned=right, retrained=right, parameters=parameters))
    everything = np.ones(60, bool)
    return dataclasses.replace(
        found, rows=tuple(rows), dense=everything, dense_retrained=everything
    )


def test_a_loss_is_claimed_from_where_it_is_seen(found: Result) -> None:
    result = made_up(found, {("magnitude", 0.9): 50, ("magnitude", 0.5): 58})
    rows = [row for row in result.rows if row.method == "magnitude"]
    assert losses(rows, "pruned", result.dense) == [0.9]
    text = " ".join(sentences(result))
    assert "Pruning by magnitude: a loss at 90.0% as pruned" in text
    assert "Pruning at random: no loss was seen as pruned" in text
    assert "is dense with 100 parameters instead of 337" in text


def test_a_loss_is_said_of_sparser_networks_only_where_they_have_it(found: Result) -> None:
    steady = made_up(found, {("magnitude", 0.5): 50, ("magnitude", 0.9): 40})
    assert any("by magnitude: a loss from 50.0% on as pruned" in each for each in sentences(steady))
    once = made_up(found, {("magnitude", 0.5): 50})
    assert any("by magnitude: a loss at 50.0% as pruned" in each for each in sentences(once))


def test_a_network_that_is_better_is_no_loss(found: Result) -> None:
    result = made_up(found, {})
    worse = dataclasses.replace(result, dense=np.arange(60) < 30)
    assert losses(list(worse.rows[:3]), "pruned", worse.dense) == []


def test_several_draws_are_judged_by_their_interval(found: Result) -> None:
    result = made_up(found, {("random", 0.9): 40}, draws=3)
    text = " ".join(sentences(result))
    assert "Pruning at random: a loss at 90.0% as pruned" in text
    assert "95 % interval of 3 draws" in text


def test_where_every_smaller_network_loses_that_is_said(found: Result) -> None:
    lost = {(method, sparsity): 30 for method in METHODS for sparsity in (0.5, 0.9)}
    assert any("makes none of the networks" in each for each in sentences(made_up(found, lost)))


def test_a_diverging_network_is_reported(file: Path) -> None:
    result = run(dataclasses.replace(small(file), learning_rate=1e30))
    text = " ".join(sentences(result))
    # Also what is not pruned has lost, so no network is praised for its size.
    assert text.count("and a loss from 0.0% on after the further training") == len(METHODS)
    assert "makes none of the networks that show no loss smaller" in text
    plot(result)
    report(result, Console(file=io.StringIO()))
    json.loads(to_json(record(result)))


# The command.


def test_the_command_writes_its_figure_and_numbers(file: Path, tmp_path: Path, capsys: Any) -> None:
    options = ["--sparsities", "0.9,0.5", "--steps", "5", "--draws", "2", "--json"]
    assert main(["prune", str(file), *options, "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert [row["sparsity"] for row in printed["rows"][:2]] == [0.5, 0.9]
    assert len(printed["rows"][-1]["test_accuracy_retrained"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"pruning.png", "result.json"}


@pytest.mark.parametrize("sparsities", ["0", "1", "0,1"])
def test_nothing_and_everything_can_be_pruned(
    sparsities: str, file: Path, tmp_path: Path, capsys: Any
) -> None:
    options = ["--sparsities", sparsities, "--steps", "0", "--draws", "1"]
    assert main(["prune", str(file), *options, "--out", str(tmp_path)]) == 0
    assert "What this run showed" in capsys.readouterr().out


def test_the_chapters_spirals_are_a_task_too(tmp_path: Path) -> None:
    model = mlp([2, 4, 1], dtype="float64")
    save_model(tmp_path / "model", model, task={TASK: {"protocol": "chapter"}})
    result = run(dataclasses.replace(small(tmp_path / "model"), steps=2))
    assert result.test_samples == 200
    report(result, Console(file=io.StringIO()))


def refusal(file: Path, capsys: Any, *options: str) -> str:
    assert main(["prune", str(file), *options, "--out", str(file.parent / "out")]) == 2
    assert not (file.parent / "out").exists()
    error = str(capsys.readouterr().err).strip()
    assert "\n" not in error
    return error


def test_bad_files_are_one_line(file: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "model"
    assert "no such file" in refusal(path, capsys)
    path.write_bytes(file.read_bytes()[:-10])
    assert "cut off, or no safetensors file" in refusal(path, capsys)
    save_model(path, mlp([2, 3, 1]))
    error = refusal(path, capsys)
    assert "does not say what its network was trained on" in error
    assert "scratchnet spiral --save" in error
    save_model(path, mlp([2, 3, 1]), task={TASK: {"protocol": "standard"}})
    assert "lacks 'points'" in refusal(path, capsys)
    for changed, part in (
        ({"protocol": "chapters"}, "unknown protocol of the spirals 'chapters'"),
        ({"seed": -1}, "its seed is -1: must be a whole number from 0"),
        ({"noise": -1}, "noise is -1"),
        ({"points": 2.5}, "points is 2.5"),
    ):
        save_model(path, mlp([2, 3, 1]), task={TASK: task(SPIRAL) | changed})
        assert f"{path}: {part}" in refusal(path, capsys)
    diverged = mlp([2, 3, 1])
    diverged.parameter_buffer[0] = np.nan
    save_model(path, diverged, task={TASK: task(SPIRAL)})
    assert f"{path}: its network has diverged" in refusal(path, capsys)
    save_model(path, mlp([3, 3, 2]), task={TASK: task(SPIRAL)})
    assert "3 inputs and 2 outputs" in refusal(path, capsys)
    save_model(path, mlp([2, 3, 3, 1], residual=True), task={TASK: task(SPIRAL)})
    assert "layer 2, Residual" in refusal(path, capsys)


@pytest.mark.parametrize("text", ["", "1.5", "-0.1", "0.5;0.9", "nan", "0.5,,0.9"])
def test_bad_sparsities_are_one_line(text: str, file: Path, capsys: Any) -> None:
    error = refusal(file, capsys, "--sparsities", text)
    assert "--sparsities" in error and "from 0 to 1" in error


def test_sparsities_are_sorted_and_taken_once() -> None:
    assert shares("--sparsities", "0.9, .5,1,0.50,0") == (0.0, 0.5, 0.9, 1.0)


def test_a_task_gives_its_settings_back() -> None:
    again = task_of(json.loads(to_json(task(SPIRAL))))
    assert again == SPIRAL
