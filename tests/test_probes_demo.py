"""`scratchnet probes`: what it measures, what it says of it, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet import mlp
from scratchnet.demos.command_line import main
from scratchnet.demos.probes.command import plot, record, report, run
from scratchnet.demos.probes.experiment import Result
from scratchnet.demos.probes.report import rises, sentences
from scratchnet.demos.probes.settings import Settings, choose_settings
from scratchnet.demos.representation import Representation, layers_to_show, maps, measure
from scratchnet.demos.results import to_json
from scratchnet.demos.seeded_data import load
from scratchnet.depth.probes import ProbeAccuracy, fit_probe
from scratchnet.layer_statistics import hidden_outputs

TINY = Settings(depth=3, width=6, epochs=30, points=40, seeds=3)


@pytest.fixture(scope="module")
def tiny() -> Result:
    return run(TINY)


# What is measured


def test_the_controls_are_the_raw_inputs_and_the_same_networks_before_training(
    tiny: Result,
) -> None:
    data = load("spirals", 40, 0, 3)
    for i in range(3):
        alone = mlp([2, 6, 6, 6, 1], seed=i)
        for layer, outputs in enumerate(hidden_outputs(alone, data.X[i])):
            test = hidden_outputs(alone, data.X_test[i])[layer]
            expected = fit_probe(outputs, data.y).accuracy(test, data.y_test)
            assert tiny.before.test[layer, i] == expected
        raw = fit_probe(data.X[i], data.y)
        assert tiny.inputs.test[i] == raw.accuracy(data.X_test[i], data.y_test)
        assert tiny.inputs.train[i] == raw.accuracy(data.X[i], data.y)


def test_training_changes_what_is_probed(tiny: Result) -> None:
    assert tiny.before.test.shape == tiny.after.test.shape == (3, 3)
    assert not np.array_equal(tiny.before.effective_rank, tiny.after.effective_rank)


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone(tiny: Result) -> None:
    alone = run(dataclasses.replace(TINY, seed=1, seeds=1))
    np.testing.assert_array_equal(tiny.after.test[:, 1], alone.after.test[:, 0])
    np.testing.assert_array_equal(tiny.before.dead_share[:, 1], alone.before.dead_share[:, 0])
    assert tiny.trained.test_accuracy[1] == alone.trained.test_accuracy[0]


def test_a_network_that_learns_the_spiral_becomes_readable_layer_by_layer() -> None:
    settings = Settings(depth=4, optimizer="adam", learning_rate=0.005, epochs=300, seeds=3)
    result = run(settings)
    assert result.trained.test_accuracy.mean() > 0.95
    assert result.after.test[-1].mean() > 0.95
    assert result.after.test[0].mean() < result.after.test[-1].mean() - 0.1
    assert result.before.test[-1].mean() < 0.75
    assert result.inputs.test.mean() < 0.75
    assert any("so training made the difference" in each for each in sentences(result))


def test_every_seed_has_points_of_its_own_and_test_points_differ() -> None:
    data = load("spirals", 10, 0, 3)
    arrays = [*data.X, *data.X_test]
    assert not any(np.array_equal(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    again = load("spirals", 10, 2, 1)
    np.testing.assert_array_equal(again.X[0], data.X[2])


@pytest.mark.parametrize(
    ("depth", "shown"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (20, (1, 2, 4, 20))],
)
def test_a_figure_shows_at_most_four_layers(depth: int, shown: tuple[int, ...]) -> None:
    assert layers_to_show(depth) == shown


def test_a_map_keeps_the_two_largest_variances_of_the_first_network() -> None:
    data = load("circles", 30, 0, 2)
    model = mlp([2, 5, 5, 1], ensemble=2)
    (shown,) = maps(model, data, [2])
    outputs = hidden_outputs(mlp([2, 5, 5, 1], seed=0), data.X_test[0])[1]
    values = np.linalg.eigvalsh(np.cov(outputs.T.astype(float), bias=True))[::-1]
    np.testing.assert_allclose(shown.points.var(axis=0), values[:2], rtol=1e-5)
    np.testing.assert_allclose(shown.explained, values[:2] / values.sum(), rtol=1e-5)


def test_only_the_layers_asked_for_are_measured() -> None:
    data = load("circles", 30, 0, 2)
    found = measure(mlp([2, 5, 5, 5, 1], ensemble=2), data, [1, 3])
    whole = measure(mlp([2, 5, 5, 5, 1], ensemble=2), data, [1, 2, 3])
    assert found.layers == (1, 3)
    np.testing.assert_array_equal(found.test, whole.test[[0, 2]])


# What is said


def made_up(tiny: Result, after: Any, before: Any, raw: float = 0.6, seeds: int = 3) -> Result:
    """The tiny run with these probe accuracies (layers, seeds)."""

    def of(test: Any) -> Representation:
        test = np.array(test, dtype=float)
        same = np.full(test.shape, 0.5)
        layers = tuple(range(1, len(test) + 1))
        return Representation(layers, test, test, True, same, same, same)

    return dataclasses.replace(
        tiny,
        settings=dataclasses.replace(TINY, depth=len(after), seeds=seeds),
        trained=dataclasses.replace(tiny.trained, test_accuracy=np.array(after[-1], dtype=float)),
        inputs=ProbeAccuracy(*(np.full(seeds, raw),) * 2, np.full(seeds, True)),
        before=of(before),
        after=of(after),
        test_samples=400,
    )


FLAT = [[0.6, 0.61, 0.6], [0.61, 0.6, 0.6], [0.6, 0.6, 0.61]]


def test_runs_that_rise_are_counted(tiny: Result) -> None:
    after = [[0.6, 0.6, 0.9], [0.7, 0.7, 0.8], [0.9, 0.7, 0.95]]
    result = made_up(tiny, after, FLAT)
    assert rises(result) == (1, 2, 3)
    assert any("in 1 of 3 runs, and never falls in 2 of 3" in each for each in sentences(result))


def test_a_rise_is_claimed_and_training_gets_the_credit(tiny: Result) -> None:
    after = [[0.6, 0.61, 0.62], [0.8, 0.8, 0.81], [0.99, 0.98, 0.99]]
    text = " ".join(sentences(made_up(tiny, after, FLAT)))
    assert "accuracy rises from the first hidden layer to the last: from 61.0% to 98.7%" in text
    assert "so training made the difference" in text
    assert "In the untrained networks no change was seen" in text
    assert "The last layer is better than the raw inputs" in text


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((0.6, 0.99, 0.8), "From layer 2 on no layer's mean is more than 1 point below that of"),
        ((0.9, 0.6, 0.8), "Layer 1 is the first whose mean is at most 1 point below that of"),
    ],
)
def test_a_layer_better_than_the_last_is_not_said_to_be_like_it(
    tiny: Result, means: tuple[float, ...], expected: str
) -> None:
    text = " ".join(sentences(made_up(tiny, [[mean] * 3 for mean in means], FLAT)))
    assert expected in text and "within" not in text


def test_the_opposite_is_said_where_it_was_measured(tiny: Result) -> None:
    after = [[0.95, 0.96, 0.95], [0.9, 0.9, 0.9], [0.5, 0.51, 0.5]]
    before = [[0.9, 0.9, 0.91], [0.8, 0.8, 0.8], [0.7, 0.7, 0.71]]
    text = " ".join(sentences(made_up(tiny, after, before)))
    assert "accuracy falls from the first hidden layer" in text
    assert "so training made it worse" in text
    assert "In the untrained networks it falls" in text
    assert "The last layer is worse than the raw inputs" in text


def test_nothing_is_claimed_of_noise_or_of_one_seed(tiny: Result) -> None:
    text = " ".join(sentences(made_up(tiny, FLAT, FLAT)))
    assert "was not seen to change" in text and "no effect of training was seen" in text
    one = " ".join(sentences(made_up(tiny, [[0.5], [0.9]], [[0.6], [0.6]], seeds=1)))
    assert "no difference is claimed" in one
    assert "so training" not in one and "rises from" not in one and "better" not in one


def test_networks_that_diverged_are_left_out_and_named() -> None:
    settings = Settings(depth=8, learning_rate=300.0, epochs=60, points=40, seeds=4)
    result = run(settings)
    gone = list(result.trained.diverged)
    assert gone
    assert np.isnan(result.trained.test_accuracy[gone]).all()
    assert any(f"{len(gone)} of 4 networks diverged" in each for each in sentences(result))
    assert rises(result)[2] == 4 - len(gone)
    plot(result)
    report(result, Console(file=io.StringIO()))
    json.loads(to_json(record(result)))


def test_one_hidden_layer_is_reported(tiny: Result) -> None:
    result = run(dataclasses.replace(TINY, depth=1, seeds=2))
    assert any("One hidden layer has no other" in each for each in sentences(result))
    plot(result)


# The command


def test_the_command_writes_its_figures_and_numbers(tmp_path: Path, capsys: Any) -> None:
    options = "--depth 3 --width 6 --epochs 20 --points 40 --seeds 2 --batch-norm --skip --json"
    status = main(["probes", *options.split(), "--out", str(tmp_path)])
    assert status == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert [row["layer"] for row in printed["rows"]] == [1, 2, 3]
    assert len(printed["rows"][0]["untrained"]["test"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "probes.png",
        "layers.png",
        "statistics.png",
        "result.json",
    }


@pytest.mark.parametrize(
    ("options", "samples"),
    [("--dataset digits", 450), ("--points 40 --embedding tsne", 40)],
)
def test_digits_and_t_sne(options: str, samples: int, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("sklearn", reason="the extra 'data'")
    tiny = "--depth 1 --width 8 --epochs 20 --seeds 1"
    assert main(["probes", *options.split(), *tiny.split(), "--out", str(tmp_path)]) == 0
    assert f"{samples} samples to test on" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options", [["--dataset", "digits"], ["--embedding", "tsne", "--epochs", "1"]]
)
def test_a_missing_extra_is_one_line(
    options: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    for module in ("sklearn", "sklearn.datasets", "sklearn.manifold"):
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["probes", *options, "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err.strip()
    assert "needs scikit-learn" in error and "pip install -e '.[data]'" in error
    assert "\n" not in error and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--dataset", "spirals"], "'spiral'"),
        (["--dataset", "digits", "--points", "100"], "--points with --dataset digits"),
        (["--depth", "0"], "--depth '0': expected a whole number from 1 to 200"),
        (["--depth", "201"], "--depth '201'"),
        (["--points", "1"], "--points '1'"),
        (["--embedding", "umap"], "umap"),
        (["--seeds", "x"], "--seeds 'x'"),
    ],
)
def test_bad_input_is_one_line(options: list[str], named: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["probes", *options, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error


def test_settings_follow_the_dataset_and_quick() -> None:
    assert choose_settings({}) == Settings()
    digits = choose_settings({"dataset": "digits"})
    assert (digits.optimizer, digits.learning_rate, digits.epochs) == ("adam", 0.003, 300)
    quick = choose_settings({"quick": True, "epochs": 7})
    assert (quick.seeds, quick.epochs, quick.learning_rate) == (3, 7, 0.15)
