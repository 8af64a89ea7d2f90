"""`scratchnet spiral`: what it trains, what it says, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet import mlp
from scratchnet.backends.errors import InputError
from scratchnet.demos.command_line import main
from scratchnet.demos.results import to_json
from scratchnet.demos.spiral import command, experiment
from scratchnet.demos.spiral.command import plot, record, report
from scratchnet.demos.spiral.experiment import Result, Row, run
from scratchnet.demos.spiral.report import sentences
from scratchnet.demos.spiral.settings import (
    Settings,
    Training,
    chapter_settings,
    choose_settings,
    equal_width,
    parameter_count,
    trainings,
)

DEPTHS = (1, 2, 4, 8)
TINY = Settings(depths=(2, 1), width=4, epochs=10, points=20, seeds=3)


# What is trained


def test_equal_parameters_give_the_widths_of_about_3300_parameters() -> None:
    main, _ = trainings(Settings(equal_parameters=True))
    assert [each.width for each in main] == [824, 55, 32, 21]
    assert all(abs(parameter_count(each.depth, each.width) - 3297) < 25 for each in main)


@pytest.mark.parametrize(("depth", "width"), [(1, 824), (2, 55), (4, 32), (8, 21), (3, 1)])
def test_parameter_count_is_that_of_the_network(depth: int, width: int) -> None:
    assert parameter_count(depth, width) == mlp([2, *[width] * depth, 1]).parameter_count


@pytest.mark.parametrize(("depth", "width"), [(1, 2273), (2, 212), (4, 125), (8, 82)])
def test_equal_width_solves_the_budget_for_other_inputs(depth: int, width: int) -> None:
    # Prototype values for 50,000 parameters and 20 inputs, some rounded down and some up.
    assert abs(equal_width(depth, 50_000, inputs=20) - width) <= 1


def test_controls_repeat_the_run_with_adam_in_a_fifth_of_the_epochs() -> None:
    main, controls = trainings(Settings())
    *same, wide = controls
    assert [(each.depth, each.width, each.seeds) for each in same] == [(d, 32, 10) for d in DEPTHS]
    assert [(each.depth, each.width, each.seeds) for each in main] == [(d, 32, 10) for d in DEPTHS]
    assert {(each.optimizer, each.epochs, each.learning_rate) for each in controls} == {
        ("adam", 600, 0.005)
    }
    assert (wide.depth, wide.width) == (1, 824)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(optimizer="adam"),
        Settings(depths=(3,)),
    ],
)
def test_no_controls_where_there_is_nothing_to_compare(settings: Settings) -> None:
    assert trainings(settings)[1] == []


def test_no_control_is_so_wide_that_memory_runs_out() -> None:
    _, controls = trainings(Settings(width=1000))
    assert {each.width for each in controls} == {1000}


def test_every_seed_has_its_own_data_and_test_data_differ() -> None:
    X, y, X_test, y_test = experiment.datasets(Settings(seeds=3, points=10))
    assert X.shape == X_test.shape == (3, 10, 2)
    arrays = [*X, *X_test]
    assert not any(np.array_equal(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    np.testing.assert_array_equal(y, [0] * 5 + [1] * 5)
    np.testing.assert_array_equal(y, y_test)


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone() -> None:
    together = run(TINY)
    for i in range(TINY.seeds):
        alone = run(dataclasses.replace(TINY, seed=i, seeds=1))
        pairs = zip(
            (*together.rows, *together.controls), (*alone.rows, *alone.controls), strict=True
        )
        for row, single in pairs:
            np.testing.assert_array_equal(row.loss[:, i], single.loss[:, 0])
            assert row.final_loss[i] == single.final_loss[0]
            assert row.test_accuracy[i] == single.test_accuracy[0]
            if i == 0:
                np.testing.assert_array_equal(row.probabilities, single.probabilities)


def test_the_control_starts_from_the_same_weights_on_the_same_data() -> None:
    result = run(TINY)
    for row, control in zip(result.rows, result.controls, strict=False):
        assert control.training.optimizer == "adam"
        np.testing.assert_array_equal(row.loss[0], control.loss[0])


def chapter_in_plain_numpy(depth: int, epochs: int) -> tuple[Any, Any]:
    """The chapter's experiment, written out: the losses and the test accuracy."""

    def arms(points: int, noise: float) -> tuple[Any, Any]:
        legacy = np.random.RandomState(42)
        half = points // 2
        X, y = np.zeros((points, 2)), np.zeros(points)
        for c in range(2):
            r = np.linspace(0, 1, half)
            t = np.linspace(4 * c, 4 * (c + 1), half) + legacy.randn(half) * noise
            X[half * c : half * (c + 1)] = np.c_[r * np.sin(t), r * np.cos(t)]
            y[half * c : half * (c + 1)] = c
        return X, y.reshape(-1, 1)

    X, y = arms(400, 0.3)
    X_test, y_test = arms(200, 0.4)
    legacy = np.random.RandomState(42)
    sizes = [2, *[32] * depth, 1]
    W = [legacy.randn(i, o) * np.sqrt(2 / i) for i, o in zip(sizes, sizes[1:], strict=False)]
    b = [np.zeros((1, o)) for o in sizes[1:]]

    def forward(x: Any) -> list[Any]:
        a = [x]
        for weights, bias in zip(W[:-1], b[:-1], strict=True):
            a.append(np.maximum(0, a[-1] @ weights + bias))
        return [*a, 1 / (1 + np.exp(-(a[-1] @ W[-1] + b[-1])))]

    losses = []
    for _ in range(epochs):
        *a, p = forward(X)
        losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
        dz = (p - y) / len(X)
        for layer in reversed(range(len(W))):
            dW, db = a[layer].T @ dz, dz.sum(axis=0, keepdims=True)
            dz = (dz @ W[layer].T) * (a[layer] > 0)
            W[layer] -= 0.05 * dW
            b[layer] -= 0.05 * db
    return np.array(losses), np.mean((forward(X_test)[-1] > 0.5) == y_test)


def test_the_chapters_protocol_is_followed_step_for_step() -> None:
    result = run(chapter_settings(DEPTHS, epochs=30))
    for row in (*result.rows, *result.controls):
        losses, test_accuracy = chapter_in_plain_numpy(row.training.depth, 30)
        assert row.loss.dtype == np.float64
        np.testing.assert_allclose(row.loss[:, 0], losses, rtol=1e-9)
        assert row.test_accuracy == [test_accuracy]
    assert [row.training.depth for row in result.controls] == [0]


def test_networks_that_diverge_are_left_out_of_the_numbers() -> None:
    settings = Settings(depths=(1, 8), learning_rate=300.0, epochs=60, points=40, seeds=4)
    result = run(settings)
    deep = result.rows[1]
    assert deep.diverged
    gone = list(deep.diverged)
    for values in (deep.train_accuracy, deep.test_accuracy, deep.final_loss):
        assert np.isnan(values[gone]).all()
        assert np.isfinite(np.delete(values, gone)).all()
    assert any(f"{len(gone)} of 4 networks diverged" in each for each in sentences(result))
    kept = json.loads(to_json(record(result)))["rows"][1]
    assert list(kept["diverged"]) == [str(seed) for seed in gone]
    assert kept["test_accuracy"][gone[0]] is None
    plot(result)
    report(result, Console(file=io.StringIO()))


# Interruption


def interrupting_after(steps: int) -> Callable[..., None]:
    count = 0

    def advance(done: float = 1, note: str = "") -> None:
        nonlocal count
        count += done > 0
        if count > steps:
            raise KeyboardInterrupt

    return advance


def test_an_interruption_keeps_what_was_finished() -> None:
    whole, cut = run(TINY), run(TINY, interrupting_after(15))
    assert [row.training.depth for row in cut.rows] == [2]
    assert cut.controls == ()
    np.testing.assert_array_equal(cut.rows[0].test_accuracy, whole.rows[0].test_accuracy)
    assert [str(each) for each in cut.unfinished] == [
        "depth 1, width 4, gradient descent",
        "depth 2, width 4, Adam",
        "depth 1, width 4, Adam",
        "depth 1, width 19, Adam",
    ]
    assert "interrupted" in sentences(cut)[-1]
    assert record(cut)["summary"]["interrupted"]
    plot(cut)


def test_an_interruption_before_anything_is_finished_is_passed_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(TINY, interrupting_after(5))


# What is said


NETWORK = mlp([2, 1])


def row(depth: int, accuracies: Any, optimizer: str = "sgd", width: int = 32) -> Row:
    accuracies = np.array(accuracies, dtype=float)
    diverged = {int(i): "at epoch 3, in layer 0" for i in np.flatnonzero(np.isnan(accuracies))}
    return Row(
        Training(depth, width, optimizer, 0.05, 3000, len(accuracies)),
        parameter_count(depth, width),
        accuracies,
        accuracies,
        1 - accuracies,
        np.ones((3, len(accuracies))),
        np.full((4, 4), 0.5),
        diverged,
        1.0,
        NETWORK,
        [],
    )


def made_up(*rows: Row, controls: tuple[Row, ...] = (), settings: Settings | None = None) -> Result:
    settings = settings or Settings(depths=tuple(each.training.depth for each in rows))
    X = np.array([[-1.0, 0.0], [1.0, 0.0]])
    return Result(settings, rows, controls, (), X, np.array([0, 1]), (-1, 1, -1, 1))


LOW = [0.60, 0.61, 0.59, 0.60]
HIGH = [0.99, 1.00, 0.98, 0.99]
HIGH_TOO = [1.00, 0.99, 0.99, 0.98]


def said(result: Result) -> str:
    return "\n".join(sentences(result))


def test_a_claim_that_depth_helps_needs_an_interval_above_0() -> None:
    assert "Deeper was better from depth 1 to 4" in said(made_up(row(1, LOW), row(4, HIGH)))
    assert "by 39.0 ± 0.0 points (n = 4)" in said(made_up(row(1, LOW), row(4, HIGH)))
    assert "Deeper was worse from depth 1 to 4" in said(made_up(row(1, HIGH), row(4, LOW)))
    for same in (HIGH, HIGH_TOO, [0.80, 1.00, 0.80, 1.00]):
        text = said(made_up(row(1, HIGH), row(4, same)))
        assert "From depth 1 to 4 no difference was seen" in text
        assert "Deeper was" not in text and "optimisation" not in text


def test_rows_in_any_order_are_compared_from_shallow_to_deep() -> None:
    assert said(made_up(row(4, HIGH), row(1, LOW))) == said(made_up(row(1, LOW), row(4, HIGH)))


def test_less_than_a_test_point_is_no_difference() -> None:
    settings = Settings(depths=(1, 2), points=50)
    text = said(made_up(row(1, [0.90, 0.92]), row(2, [0.91, 0.93]), settings=settings))
    assert "no difference was seen" in text


def test_one_seed_supports_no_claim() -> None:
    text = said(made_up(row(1, [0.6]), row(4, [1.0])))
    assert "One seed gives no interval" in text
    assert "Deeper was" not in text and "optimisation" not in text


def test_diverged_networks_are_named_and_counted() -> None:
    bad = [math.nan, 1.0, 0.98, 0.99]
    settings = Settings(depths=(1, 4), seed=7, seeds=4)
    text = said(made_up(row(1, LOW), row(4, bad), settings=settings))
    assert "Depth 4, width 32, gradient descent: 1 of 4 networks diverged" in text
    assert "seed 7 at epoch 3" in text
    assert "(n = 3)" in text
    text = said(made_up(row(1, LOW), row(4, [math.nan] * 4)))
    assert "Depths 1 and 4 cannot be compared" in text


@pytest.mark.parametrize(
    ("shallow", "verdict", "concluded"),
    [
        (HIGH, "between depth 1 and 4 is mostly optimisation", True),
        ([0.75, 0.70, 0.72, 0.71], "between depth 1 and 4 is partly optimisation", False),
        (LOW, "between depth 1 and 4 was not seen to be optimisation", False),
        ([0.40, 0.99, 0.40, 0.99], "between depth 1 and 4 was not seen to be optimisation", False),
        ([math.nan] * 4, "between depth 1 and 4 was not seen to be optimisation", False),
    ],
)
def test_a_gap_is_laid_to_optimisation_as_far_as_adam_closes_it(
    shallow: list[float], verdict: str, concluded: bool
) -> None:
    controls = (row(1, shallow, "adam"), row(4, HIGH_TOO, "adam"))
    text = said(made_up(row(1, LOW), row(4, HIGH), controls=controls))
    assert verdict in text
    assert ("So the gap under gradient descent is mostly optimisation" in text) == concluded


def test_no_conclusion_where_adam_explains_one_gap_and_not_another() -> None:
    rows = (row(1, LOW), row(2, LOW), row(4, HIGH))
    controls = (row(1, LOW, "adam"), row(2, HIGH, "adam"), row(4, HIGH, "adam"))
    text = said(made_up(*rows, controls=controls))
    assert "between depth 2 and 4 is mostly optimisation" in text
    assert "between depth 1 and 4 was not seen to be optimisation" in text
    assert "So the gap" not in text


def test_what_adam_leaves_can_be_a_lack_of_parameters() -> None:
    partly = [0.75, 0.70, 0.72, 0.71]
    same = (row(1, partly, "adam"), row(4, HIGH_TOO, "adam"))
    rows = (row(1, LOW), row(4, HIGH))
    text = said(made_up(*rows, controls=(*same, row(1, [0.98, 0.99, 0.97], "adam", 824))))
    assert "With 3,297 parameters (width 824) depth 1 represents these spirals too" in text
    assert "So the gap under gradient descent is mostly optimisation" in text
    text = said(made_up(*rows, controls=(*same, row(1, partly[:3], "adam", 824))))
    assert "With 3,297 parameters (width 824) depth 1 gets" in text
    assert "So the gap" not in text
    assert "--equal-parameters" in said(made_up(*rows, controls=same))


def test_a_gap_without_its_controls_is_not_explained() -> None:
    text = said(made_up(row(1, LOW), row(4, HIGH), controls=(row(1, HIGH, "adam"),)))
    assert "Whether the gap between depth 1 and 4 is optimisation: not measured." in text


def chapter(accuracies: dict[int, float]) -> str:
    rows = [row(each, [value]) for each, value in accuracies.items() if each]
    controls = tuple(row(0, [value]) for each, value in accuracies.items() if each == 0)
    settings = chapter_settings(tuple(each for each in accuracies if each))
    return said(made_up(*rows, controls=controls, settings=settings))


def test_the_chapters_claims_are_judged_by_what_was_measured() -> None:
    text = chapter({0: 0.69, 1: 0.955, 2: 0.985, 4: 0.99, 8: 0.99})
    assert text.count("is contradicted") == 3
    text = chapter({0: 0.5, 1: 0.55, 2: 0.68, 4: 0.80, 8: 0.945})
    assert text.count("is not contradicted") == 3
    text = chapter({1: 0.955})
    assert "contradicted" not in text


def test_a_shortened_chapter_contradicts_nothing() -> None:
    settings = chapter_settings((8,), epochs=100)
    assert "contradicted" not in said(made_up(row(8, [0.99]), settings=settings))


# The record, the figures, and the command


def test_the_record_has_the_promised_keys_and_an_entry_for_each_seed() -> None:
    result = record(run(TINY))
    plain = json.loads(to_json(result))
    assert list(plain) == ["settings", "environment", "rows", "summary"]
    assert [each["depth"] for each in plain["rows"]] == [2, 1]
    assert [each["parameters"] for each in plain["rows"]] == [37, 17]
    for each in plain["rows"]:
        for name in ("train_accuracy", "test_accuracy", "final_loss"):
            assert len(each[name]) == 3
            assert all(isinstance(value, float) for value in each[name])
        assert each["seconds"] > 0
    assert plain["settings"]["seeds"] == 3
    assert plain["settings"]["turns"] == 2.0


def test_the_figures_show_every_depth() -> None:
    figures = plot(run(TINY))
    assert set(figures) == {"overview", "accuracy", "boundaries", "loss", "parameters"}
    titles = [axes.get_title() for axes in figures["boundaries"].axes]
    assert [title.split(",")[0] for title in titles] == ["1 hidden layer", "2 hidden layers"] * 2


def test_many_depths_still_make_figures() -> None:
    depths = tuple(range(1, 41))
    result = made_up(*(row(each, LOW) for each in depths))
    figures = plot(result)
    assert len(figures["boundaries"].axes) == 24
    assert len(figures["overview"].axes) == 5


def test_the_command_writes_its_files_and_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--depths 1,2 --width 3 --epochs 5 --points 12 --seeds 2 --seed 4 --json --quick"
    assert main(["spiral", *options.split(), "--out", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert "What this run showed" in captured.err
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert printed == written
    assert printed["rows"][0]["seeds"] == [4, 5]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "result.json",
        "overview.png",
        "accuracy.png",
        "boundaries.png",
        "loss.png",
        "parameters.png",
    }


def test_an_interrupted_command_writes_what_it_has_and_exits_130(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings, advance: Any, frames: int) -> Result:
        return run(settings, interrupting_after(7))

    monkeypatch.setattr(command, "run", interrupted)
    options = ["--depths", "1,2", "--width", "3", "--epochs", "5", "--points", "12", "--seeds", "2"]
    assert main(["spiral", *options, "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert captured.err == "scratchnet: interrupted\n"
    assert "The run was interrupted before these were trained" in captured.out
    assert [
        each["depth"] for each in json.loads((tmp_path / "result.json").read_text())["rows"]
    ] == [1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--depths 0", ["--depths", "'0'", "at least 1"]),
        ("--depths 1,2000", ["--depths 2000", "at most 1,000"]),
        ("--width 0", ["--width", "'0'", "at least 1"]),
        ("--epochs -3", ["--epochs", "'-3'", "at least 1"]),
        ("--points 1", ["--points", "'1'", "at least 2"]),
        ("--turns 0", ["turns is 0", "above 0"]),
        ("--turns inf", ["--turns", "'inf'", "1000"]),
        ("--noise nan", ["--noise", "'nan'"]),
        ("--learning-rate inf", ["learning_rate is inf"]),
        ("--optimizer adm", ["--optimizer", "'adm'", "sgd, adam"]),
        ("--protocol capter", ["--protocol", "'capter'", "'chapter'"]),
        ("--protocol chapter --turns 3", ["--turns", "--protocol chapter"]),
        ("--protocol chapter --quick --seeds 3", ["--seeds, --quick", "--protocol chapter"]),
        ("--protocol chapter --optimizer adam", ["--optimizer", "--protocol chapter"]),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    expected: list[str],
) -> None:
    out = tmp_path / "out"
    assert main(["spiral", *arguments.split(), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for part in expected:
        assert part in captured.err
    assert not out.exists()


def test_an_output_folder_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it trained"))
    (tmp_path / "file").touch()
    assert main(["spiral", "--out", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_options_not_given_follow_from_those_that_are() -> None:
    def chosen(**given: Any) -> tuple[Any, ...]:
        settings = choose_settings("standard", given)
        return settings.learning_rate, settings.epochs, settings.seeds, settings.depths

    assert chosen() == (0.05, 3000, 10, DEPTHS)
    assert chosen(optimizer="adam") == (0.005, 600, 10, DEPTHS)
    assert chosen(quick=True) == (0.15, 1000, 3, (1, 2, 4))
    assert chosen(quick=True, seeds=5, depths=(2, 3)) == (0.15, 1000, 5, (2, 3))


def test_the_chapters_protocol_leaves_only_the_depths_open() -> None:
    settings = choose_settings("chapter", {"depths": (3,)})
    assert (settings.depths, settings.epochs, settings.seed) == ((3,), 3000, 42)
    with pytest.raises(InputError, match="--equal-parameters"):
        choose_settings("chapter", {"equal_parameters": True})


def test_the_report_tells_the_protocol() -> None:
    stream = io.StringIO()
    report(run(chapter_settings((1,), epochs=2)), Console(file=stream, width=100))
    assert "float64" in stream.getvalue()
    assert "Logistic regression" in stream.getvalue()
