"""`scratchnet explore`: what it trains and compares, what it says of it, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet import mlp
from scratchnet.demos.changes import Change, change
from scratchnet.demos.command_line import main
from scratchnet.demos.explore import command as command_module
from scratchnet.demos.explore.command import plot, record, report, run
from scratchnet.demos.explore.experiment import GRID, Result, Row
from scratchnet.demos.explore.report import between, description, sentences, time_ratio
from scratchnet.demos.explore.settings import Settings, choose_settings, chosen_datasets
from scratchnet.demos.figures import grid_points
from scratchnet.demos.representation import UNCONVERGED
from scratchnet.demos.results import to_json
from scratchnet.demos.seeded_data import load
from scratchnet.demos.timing import Spread
from scratchnet.demos.trained_ensembles import Training, build, train
from scratchnet.depth.probes import fit_probe
from scratchnet.layer_statistics import hidden_outputs


class Short(Settings):
    """A run of a few steps."""

    def training(
        self, dataset: str, depth: int, batch_norm: bool = False, skip: bool = False
    ) -> Training:
        return dataclasses.replace(super().training(dataset, depth, batch_norm, skip), epochs=8)


TINY = Short(depths=(2, 1, 3), width=5, points=30, seeds=3)


pytestmark = pytest.mark.usefixtures("short_turns")


@pytest.fixture(scope="module")
def tiny(short_turns: None) -> Result:
    return run(TINY)


# What is trained


def test_every_depth_is_trained_on_every_dataset_and_the_deepest_in_variants() -> None:
    s = Settings()
    assert [(t.dataset, t.depth) for t in s.main()] == [
        (name, depth) for name in ("linear", "circles", "spirals") for depth in (1, 2, 4, 8, 16)
    ]
    assert {t.variant for t in s.main()} == {"plain"}
    assert [(t.dataset, t.depth, t.variant) for t in s.variants()] == [
        ("spirals", depth, variant)
        for depth in (8, 16)
        for variant in ("batch norm", "skip", "batch norm + skip")
    ]
    assert s.inside_depth == 8
    assert Settings(depths=(1, 2)).inside_depth == 2
    assert Settings(datasets=("circles",)).variants() == []
    assert Settings(datasets=("circles",)).inside_depth is None


@pytest.mark.parametrize("options", [{}, {"batch_norm": True}, {"skip": True}], ids=str)
def test_variants_are_the_networks_that_they_are_called(options: dict) -> None:
    training = Training("spirals", 4, 6, "sgd", 0.1, 3, **options)
    model = build(training, load("spirals", 10, 0, 2), seed=0, ensemble=2)
    text = repr(model)
    assert ("BatchNorm" in text) == bool(options.get("batch_norm"))
    assert text.count("Residual") == (3 if options.get("skip") else 0)


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone(tiny: Result) -> None:
    for i in range(TINY.seeds):
        alone = run(dataclasses.replace(TINY, seed=i, seeds=1))
        both = zip((*tiny.rows, *tiny.variants), (*alone.rows, *alone.variants), strict=True)
        for row, single in both:
            assert row.trained.training == single.trained.training
            assert row.trained.test_accuracy[i] == single.trained.test_accuracy[0]
            assert row.trained.final_loss[i] == single.trained.final_loss[0]
        assert tiny.inside and alone.inside
        np.testing.assert_array_equal(tiny.inside.after.test[:, i], alone.inside.after.test[:, 0])


def test_the_boundary_drawn_is_that_of_the_first_network(tiny: Result) -> None:
    data = load("spirals", 30, 0, 3)
    training = TINY.training("spirals", 3)
    model = build(training, data, seed=0, ensemble=3)
    train(model, training, data)
    points = grid_points(tiny.planes["spirals"].extent, GRID)
    logits = model.predict(np.stack([points] * 3))[0, :, 0]
    row = next(each for each in tiny.rows if (each.dataset, each.depth) == ("spirals", 3))
    np.testing.assert_allclose(row.probabilities.ravel(), 1 / (1 + np.exp(-logits)), rtol=1e-4)


def test_the_control_inside_is_the_untrained_network(tiny: Result) -> None:
    assert tiny.inside
    data = load("spirals", 30, 0, 3)
    alone = mlp([2, 5, 5, 5, 1], seed=1)
    outputs, tests = (hidden_outputs(alone, X[1])[1] for X in (data.X, data.X_test))
    expected = fit_probe(outputs, data.y).accuracy(tests, data.y_test)
    assert tiny.inside.before.layers == (1, 2, 3)
    assert tiny.inside.before.test[1, 1] == expected


def interrupting_after(steps: int) -> Callable[..., None]:
    count = 0

    def advance(done: float = 1, note: str = "") -> None:
        nonlocal count
        count += done > 0
        if count > steps:
            raise KeyboardInterrupt

    return advance


def test_an_interruption_keeps_what_was_finished(tiny: Result) -> None:
    # Eight epochs a network: the third is cut off.
    cut = run(TINY, interrupting_after(20))
    assert [(row.dataset, row.depth) for row in cut.rows] == [("linear", 2), ("linear", 1)]
    np.testing.assert_array_equal(
        cut.rows[1].trained.test_accuracy, tiny.rows[1].trained.test_accuracy
    )
    assert cut.unfinished[0].depth == 3 and cut.inside is None
    assert any("interrupted before" in each for each in sentences(cut))
    report(cut, Console(file=io.StringIO()))
    assert set(plot(cut)) == {"accuracy", "cost", "boundaries"}
    json.loads(to_json(record(cut)))
    with pytest.raises(KeyboardInterrupt):
        run(TINY, interrupting_after(2))


# What is said


def with_accuracies(result: Result, accuracies: dict[int, list[float]]) -> Result:
    """The result with these test accuracies on the circles, by depth."""

    def changed(row: Row) -> Row:
        if row.dataset != "circles":
            return row
        test = np.array(accuracies[row.depth])
        return dataclasses.replace(
            row,
            trained=dataclasses.replace(row.trained, test_accuracy=test),
            test_samples=400,
        )

    rows = tuple(changed(row) for row in result.rows)
    return dataclasses.replace(
        result,
        settings=dataclasses.replace(result.settings, datasets=("circles",)),
        rows=tuple(row for row in rows if row.dataset == "circles"),
        variants=(),
        inside=None,
    )


def test_a_difference_is_claimed_in_the_direction_it_was_measured(tiny: Result) -> None:
    text = " ".join(
        sentences(
            with_accuracies(tiny, {1: [0.6, 0.62, 0.61], 2: [0.9, 0.91, 0.9], 3: [0.8, 0.81, 0.81]})
        )
    )
    assert "On circles depth 2 is better than depth 1: 90.3%" in text
    assert "On circles depth 3 is worse than depth 2" in text
    assert "compare --optimizer adam" in text


def test_no_difference_is_claimed_where_none_was_seen(tiny: Result) -> None:
    flat = with_accuracies(tiny, {1: [0.9, 0.8, 0.7], 2: [0.8, 0.9, 0.7], 3: [0.9, 0.7, 0.8]})
    text = " ".join(sentences(flat))
    assert "no difference between neighbouring depths was seen" in text
    assert "better" not in text and "worse" not in text and "--optimizer adam" not in text
    equal = with_accuracies(tiny, dict.fromkeys((1, 2, 3), [1.0, 1.0, 1.0]))
    assert any("mean test accuracy is 100.0% at each" in each for each in sentences(equal))


def test_probes_that_did_not_converge_are_said(tiny: Result) -> None:
    assert tiny.inside
    stopped = dataclasses.replace(tiny.inside.after, converged=False)
    inside = dataclasses.replace(tiny.inside, after=stopped)
    assert UNCONVERGED in sentences(dataclasses.replace(tiny, inside=inside))
    assert UNCONVERGED not in sentences(tiny)
    assert any("an L2 penalty of 0.001 / 2" in each for each in description(tiny))


def test_one_seed_claims_nothing() -> None:
    result = run(dataclasses.replace(TINY, seeds=1, datasets=("spirals",)))
    text = " ".join(sentences(result))
    assert "no difference is claimed" in text
    assert "better" not in text and "worse" not in text and "no effect" not in text
    report(result, Console(file=io.StringIO()))
    plot(result)


@pytest.mark.parametrize(
    ("before", "after", "sign"),
    [
        ([0.5, 0.6, 0.7], [0.6, 0.71, 0.8], 1),
        ([0.6, 0.71, 0.8], [0.5, 0.6, 0.7], -1),
        ([0.5, 0.6, 0.7], [0.7, 0.5, 0.6], 0),
        # Equal to the last digit, but less than one sample of 100.
        ([0.5, 0.5, 0.5], [0.505, 0.505, 0.505], 0),
        ([0.5], [0.9], None),
        ([0.5, np.nan, 0.5], [0.9, 0.9, np.nan], None),
    ],
)
def test_differences_are_paired_and_claimed_with_care(
    before: list[float], after: list[float], sign: int | None
) -> None:
    assert change(before, after, 100).sign == sign


def test_a_change_is_written_in_points() -> None:
    gained = change([0.5, 0.6], [0.6, 0.7], 100)
    assert str(gained) == "+10.0 ± 0.0 points (n = 2)"
    assert str(change([0.5], [0.4], 100)) == "-10.0 points (n = 1)"
    assert str(change([np.nan], [0.4], 100)) == "no value"
    assert isinstance(gained, Change)


def test_networks_that_diverged_are_left_out_and_named() -> None:
    class Wild(Short):
        def training(self, *arguments: Any, **options: Any) -> Training:
            calm = super().training(*arguments, **options)
            return dataclasses.replace(calm, learning_rate=1e4, epochs=40)

    result = run(Wild(datasets=("spirals",), depths=(1, 8), points=30, seeds=3))
    deep = result.rows[1]
    gone = list(deep.trained.diverged)
    assert gone and np.isnan(deep.trained.test_accuracy[gone]).all()
    assert any(f"{len(gone)} of 3 networks diverged" in each for each in sentences(result))
    assert between(*result.rows).estimate.n == 3 - len(gone)
    printed = io.StringIO()
    report(result, Console(file=printed, width=100))
    plot(result)
    json.loads(to_json(record(result)))
    everything = [*result.rows, *result.variants]
    lost = sum(len(row.trained.diverged) == 3 for row in everything)
    assert lost and printed.getvalue().count("diverged  ") >= lost


# The command


def test_times_are_ratios_within_a_round_of_what_stayed_finite(tiny: Result) -> None:
    """A moment in which everything is slow does not count."""
    first, second = (row for row in tiny.rows if row.dataset == "circles" and row.depth < 3)
    if first.depth > second.depth:
        first, second = second, first
    seconds = {first: [1.0, 1.0, 9.0], second: [2.0, 2.0, 18.0]}
    times = {row.trained.training: np.array(each) for row, each in seconds.items()}
    result = dataclasses.replace(tiny, times=times)
    assert time_ratio(result, second, first) == Spread(2, 2, 2)
    assert time_ratio(dataclasses.replace(tiny, times={}), second, first) is None
    lost = dataclasses.replace(second.trained, test_accuracy=np.full(3, np.nan))
    assert time_ratio(result, dataclasses.replace(second, trained=lost), first) is None
    assert tiny.times.keys() == {row.trained.training for row in (*tiny.rows, *tiny.variants)}


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        command_module, "choose_settings", lambda given: Short(**vars(choose_settings(given)))
    )


@pytest.mark.usefixtures("short_runs")
def test_the_command_writes_its_figures_and_numbers(tmp_path: Path, capsys: Any) -> None:
    options = "--depths 1,2 --width 4 --points 20 --seeds 2 --datasets circles,spirals --json"
    assert main(["explore", *options.split(), "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    rows = [(row["dataset"], row["depth"], row["parameters"]) for row in printed["rows"]]
    assert rows == [(name, *size) for name in ("circles", "spirals") for size in ((1, 17), (2, 37))]
    assert printed["rows"][0]["time_ratio"] == {"median": 1, "low": 1, "high": 1}
    assert len(printed["rows"][1]["step_seconds"]) == 9 and printed["rows"][1]["time_ratio"]["low"]
    assert [each["variant"] for each in printed["summary"]["variants"]] == [
        "batch norm",
        "skip",
        "batch norm + skip",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{name}.png" for name in ("accuracy", "cost", "boundaries", "variants", "layers")),
        "result.json",
    }


@pytest.mark.usefixtures("short_runs")
def test_digits_are_trained_on_where_they_are_there(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("sklearn", reason="the extra 'data'")
    options = "--depths 1,2 --width 4 --seeds 2 --datasets digits"
    assert main(["explore", *options.split(), "--out", str(tmp_path)]) == 0
    assert "digits: Adam" in capsys.readouterr().out
    assert not (tmp_path / "boundaries.png").exists()


def test_without_scikit_learn_the_digits_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert chosen_datasets(None) == ("linear", "circles", "spirals")


def test_digits_asked_for_without_scikit_learn_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    for module in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["explore", "--datasets", "digits", "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err.strip()
    assert "needs scikit-learn" in error and "\n" not in error
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--datasets", "cirles"], "did you mean 'circles'"),
        (["--datasets", "circles,circles"], "once only"),
        (["--depths", "1,x"], "--depths '1,x'"),
        (["--depths", "1,201"], "--depths 201"),
        (["--points", "1"], "--points '1'"),
        (["--optimizer", "rmsprop"], "rmsprop"),
    ],
)
def test_bad_input_is_one_line(options: list[str], named: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["explore", *options, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error


def test_a_quick_run_is_smaller() -> None:
    quick, full = choose_settings({"quick": True}), choose_settings({})
    assert quick.depths == (1, 2, 4, 8) and quick.seeds == 3
    assert sum(t.cost * quick.seeds for t in quick.main()) < 0.1 * sum(
        t.cost * full.seeds for t in full.main()
    )
