"""`scratchnet prune`: equal weights left, what each arm is, what is claimed, and bad files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import Adam, accuracy, fit, mlp
from scratchnet.checkpoint import load_model, save_model
from scratchnet.compacting import compact
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.prune.experiment import (
    METHODS,
    experiment,
    levels,
    networks_of,
    pruned,
    small,
)
from scratchnet.demos.running import Result, Row
from scratchnet.demos.spiral.task import TASK, Task, described, task_of
from scratchnet.demos.verdicts import judge
from scratchnet.pruning import alive_parameters, prune, prune_neurons, remaining_weights

SPIRAL = Task(points=60, turns=0.5, noise=0.05, seed=3)
X, Y, X_TEST, Y_TEST = SPIRAL.data()
TINY: dict[str, Any] = {"epochs": 20, "steps": 10, "width": 8, "depth": 2, "seeds": 2}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned short spirals."""
    model = mlp([2, 16, 16, 1], seed=3)
    fit(model, X, Y, optimizer=Adam(model, 0.01), epochs=200)
    path = tmp_path_factory.mktemp("saved") / "model"
    save_model(path, model, task={TASK: described(SPIRAL)})
    return path


@pytest.fixture(scope="module")
def found(file: Path) -> Result:
    return run_small(
        experiment, file=file, sparsities=(0.5,), methods=METHODS, steps=20, epochs=10, seeds=2
    )


def test_rows_of_a_file_are_what_pruning_its_network_gives(found: Result, file: Path) -> None:
    level = next(levels((0.5,), load_model(file)))
    assert (level.kept, level.weights) == ((11, 11), 2 * 11 + 121 + 11)
    for method in METHODS[:3]:
        alone = load_model(file)
        if method == "neurons":
            prune_neurons(alone, sparsity=5 / 16)
        else:
            scope = "layer" if method == "layer-magnitude" else "global"
            prune(alone, sparsity=1 - level.weights / 304, scope=scope)
        row = found[f"{method}, 50 %"]
        assert (row["as_pruned"] == accuracy(alone, X_TEST, Y_TEST)).all()
        assert (row["compacted_parameters"] == compact(alone).parameter_count).all()
        fit(alone, X, Y, optimizer=Adam(alone, 0.005), epochs=20)
        assert (row["test_accuracy"] == accuracy(alone, X_TEST, Y_TEST)).all()
    as_it_is = accuracy(load_model(file), X_TEST, Y_TEST)
    assert (found["unpruned"]["as_pruned"] == as_it_is).all() and as_it_is > 0.9
    assert len(set(found["random, 50 %"]["as_pruned"])) == 2
    assert "dense" not in found
    assert {each.name for each in judge(experiment.claims(found))} == {"not tested"}


def test_every_method_leaves_as_many_weights() -> None:
    networks = networks_of(quick_settings(experiment, width=16, depth=3))
    random = np.random.default_rng(0)
    networks.learned = dict(enumerate(random.normal(size=(2, networks.single.parameter_count))))
    for level in levels((0.5, 0.8, 0.95, 0.999), networks.single):
        counts = {}
        for method in ("magnitude", "neurons", "random"):
            model = pruned(networks, method, level, [0, 1])
            counts[method] = sum(each.remaining for each in remaining_weights(model)).tolist()
        assert list(counts.values()) == [[level.weights] * 2] * 3
        scratch = small(networks, level, [0, 1])
        neurons = pruned(networks, "neurons", level, [0, 1])
        assert compact(neurons.network(1)).parameter_count == scratch.parameter_count
        assert not np.array_equal(*scratch.parameter_buffer)
    masks = alive_parameters(pruned(networks, "random", level, [0, 1]))
    assert not np.array_equal(*masks)


def test_the_nearest_number_of_whole_neurons_is_taken() -> None:
    """4 layers of 32: 2 k + 3 k^2 + k weights for k neurons, of 3,168."""
    model = mlp([2, 32, 32, 32, 32, 1])
    found = {each.sparsity: (each.kept[0], each.weights) for each in levels((0.9, 0, 0.8), model)}
    assert found == {0: (32, 3168), 0.8: (14, 630), 0.9: (10, 330)}


def test_a_seed_has_its_own_networks_whatever_others_there_are() -> None:
    both = run_small(experiment, sparsities=(0.5,), methods=("random",), **TINY)
    alone = run_small(
        experiment, sparsities=(0.5,), methods=("random",), **TINY | {"seed": 1, "seeds": 1}
    )
    assert [row.arm for row in both.rows] == [
        "dense",
        "unpruned",
        "random, 50 %",
        "from scratch, 50 %",
    ]
    for a, b in zip(both.rows, alone.rows, strict=True):
        for name in b.measures:
            if not name.endswith("seconds"):
                assert a[name][1] == b[name][0]


def test_rates_are_chosen_on_networks_of_the_tuning_seeds() -> None:
    result = run_small(experiment, quick=False, sparsities=(0.5,), methods=("neurons",), **TINY)
    assert len(result.tuned["neurons, 50 %"].rates) >= 5
    assert {row.part for row in result.rows} == {"tuning", "verdict"}


# What is claimed.


def made_up(**accuracies: float) -> Result:
    """Ten seeds of every arm at 80 %, as accurate as said, and 1.0 where nothing is said."""
    rows = []
    for arm in ("unpruned", "magnitude", "neurons", "from scratch"):
        accurate = np.full(10, accuracies.get(arm.replace(" ", "_"), 1.0))
        measures = {"test_accuracy": accurate, "as_pruned": np.full(10, 0.6)}
        measures["compacted_parameters"] = np.full(10, 2500)
        if arm == "unpruned":
            measures["as_pruned"] = np.ones(10)
        name = arm if arm == "unpruned" else f"{arm}, 80 %"
        facts = {"method": arm, "sparsity": 0.8, "weights": 630, "dense_parameters": 3297}
        rows.append(Row(name, facts, tuple(range(10)), measures))
    return Result(quick_settings(experiment, quick=False, sparsities=(0.8,)), rows)


def test_verdicts_follow_the_numbers() -> None:
    """Three quarters of the parameters are left, which is not less than half."""
    names = [each.name for each in judge(experiment.claims(made_up()))]
    assert names == ["supported", "supported", "contradicted", "supported", "equivalent"]
    worse = made_up(magnitude=0.9, neurons=0.95, from_scratch=0.99)
    names = [each.name for each in judge(experiment.claims(worse))]
    assert names == ["contradicted", "supported", "contradicted", "contradicted", "contradicted"]
    small = made_up()
    for row in small.rows:
        row.measures["compacted_parameters"] = np.full(10, 1200)
    assert judge(experiment.claims(small))[2].name == "supported"


def test_an_interrupted_run_claims_what_it_can() -> None:
    result = made_up()
    result.rows.pop()
    assert len(experiment.claims(result)) == 4
    result.rows = result.rows[:1]
    assert experiment.claims(result) == []
    only_dense = run_small(experiment, sparsities=(0.5,), **TINY)
    only_dense.rows = only_dense.rows[:1]
    assert experiment.answer and "dense" in experiment.answer(only_dense, [])
    assert experiment.tables(only_dense) and experiment.figures(only_dense)["pruning"]()


# Bad input.


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
        save_model(path, mlp([2, 3, 1]), task={TASK: described(SPIRAL) | changed})
        assert f"{path}: {part}" in refusal(path, capsys)
    diverged = mlp([2, 3, 1])
    diverged.parameter_buffer[0] = np.nan
    save_model(path, diverged, task={TASK: described(SPIRAL)})
    assert f"{path}: its network has diverged" in refusal(path, capsys)
    save_model(path, mlp([3, 3, 2]), task={TASK: described(SPIRAL)})
    assert "3 inputs, 1 hidden layers and 2 outputs" in refusal(path, capsys)
    save_model(path, mlp([2, 3, 3, 1], residual=True), task={TASK: described(SPIRAL)})
    assert "layer 2, Residual" in refusal(path, capsys)
    assert "from 0 to 0.999" in refusal(file, capsys, "--sparsities", "1")


def test_the_chapters_spirals_and_normalised_networks_are_pruned_too(tmp_path: Path) -> None:
    model = mlp([2, 4, 4, 1], dtype="float64", batch_norm=True)
    path = tmp_path / "model"
    save_model(path, model, task={TASK: {"protocol": "chapter"}})
    result = run_small(experiment, file=path, sparsities=(0.5,), steps=2, epochs=2, seeds=1)
    assert "from scratch, 50 %" in result
    assert experiment.figures(result)["pruning"]()


def test_a_task_gives_its_settings_back() -> None:
    assert task_of(described(SPIRAL)) == SPIRAL
