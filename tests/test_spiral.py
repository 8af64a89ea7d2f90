"""`scratchnet spiral`: what it trains, the chapter's numbers, its claims, and what it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import accuracy, mlp
from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import load_model, load_task
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import diverged, quick_settings, run_small
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.spiral.experiment import (
    Settings,
    answer,
    arms,
    arms_of_spirals,
    check,
    claims,
    experiment,
    tables,
    width_of,
)
from scratchnet.demos.spiral.task import TASK, task_of
from scratchnet.demos.tuning import RATES, points
from scratchnet.demos.verdicts import judge

TINY = {"depths": (1, 2), "width": 4, "epochs": 10, "points": 20}


def row(depth: int, accuracies: list[float], optimizer: str = "sgd") -> Row:
    name = {"sgd": "gradient descent", "adam": "Adam"}[optimizer]
    facts = {"depth": depth, "width": 32, "optimizer": optimizer, "learning_rate": 0.1}
    facts |= {"parameters": 5000, "batch_norm": False}
    measures = {"test_accuracy": np.array(accuracies), "train_accuracy": np.array(accuracies)}
    layers = "1 layer" if depth == 1 else f"{depth} layers"
    return Row(f"{layers}, {name}", facts, tuple(range(len(accuracies))), measures)


def made_up(*rows: Row, **changed: Any) -> Result:
    return Result(resolve(Settings, {"depths": (1, 2), **changed}), list(rows))


def test_equal_parameters_give_the_widths_of_about_3300_parameters() -> None:
    s = resolve(Settings, {"equal_parameters": True})
    assert [width_of(s, depth) for depth in s.depths] == [824, 55, 32, 21]


def test_every_arm_of_an_optimizer_has_the_same_grid_and_its_true_parameters() -> None:
    for batch_norm in (False, True):
        for arm in arms(resolve(Settings, {"width": 5, "batch_norm": batch_norm})):
            assert arm.rates == RATES[arm.facts["optimizer"]]
            assert len(arm.rates) >= 5 and arm.rates[-1] / arm.rates[0] >= 16
            assert arm.facts["parameters"] == arm.build([3, 9]).parameter_count


def test_every_seed_has_its_own_data_and_the_three_sets_differ() -> None:
    s = resolve(Settings, {"points": 10})

    def draw(n: int, generator: np.random.Generator) -> Any:
        return arms_of_spirals(s, n, generator)

    data = points(draw, 10, 10)((0, 1))
    sets = [*data.X, *data.X_validation, *data.X_test]
    assert not any(np.array_equal(a, b) for i, a in enumerate(sets) for b in sets[:i])


def test_the_claims_count_networks_that_solve_the_spirals() -> None:
    result = made_up(row(1, [0.6] * 10), row(2, [0.99] * 10), row(1, [0.98] * 10, "adam"))
    verdicts = judge(claims(result))
    assert [each.name for each in verdicts] == ["supported", "supported"]
    assert "10 of 10 networks against 0 of 10" in verdicts[0].measured
    assert "Adam" in verdicts[1].claim.sentence
    said = answer(result, verdicts)
    assert "Gradient descent solves 0/10, 10/10 at depth 1, 2" in said
    assert [each.name for each in judge(claims(made_up(row(2, [0.9] * 5))))] == []


def test_a_diverged_network_has_not_solved_the_spirals() -> None:
    result = made_up(row(1, [0.6] * 5), row(2, [0.99] * 4 + [np.nan]))
    assert "4 of 5 networks" in judge(claims(result))[0].measured
    assert tables(result)[0].rows[1][3:5] == ["4 (2–5)", "99.0%"]
    assert list(diverged(result)) == ["2 layers, gradient descent: 1 of 5 networks diverged."]


@pytest.mark.parametrize(
    ("scores", "verdicts"),
    [
        ((0.955, 0.985, 0.99, 0.99), ["fails"] * 5),
        ((0.55, 0.68, 0.80, 0.945), ["holds"] * 5),
    ],
)
def test_the_chapters_claims_are_judged_by_its_own_run(
    scores: tuple[float, ...], verdicts: list[str]
) -> None:
    rows = [row(depth, [score]) for depth, score in zip((1, 2, 4, 8), scores, strict=True)]
    found = judge(claims(made_up(*rows, protocol="chapter", depths=(1, 2, 4, 8))))
    assert [each.name for each in found][:5] == verdicts
    assert "12.5 parameters per example" in found[-1].claim.sentence


def chapter_in_plain_numpy(depth: int, epochs: int) -> tuple[Any, float]:
    """The chapter's experiment, written out: the losses and the test accuracy."""

    def spirals(points: int, noise: float) -> tuple[Any, Any]:
        legacy = np.random.RandomState(42)
        half = points // 2
        X, y = np.zeros((points, 2)), np.zeros(points)
        for c in range(2):
            r = np.linspace(0, 1, half)
            t = np.linspace(4 * c, 4 * (c + 1), half) + legacy.randn(half) * noise
            X[half * c : half * (c + 1)] = np.c_[r * np.sin(t), r * np.cos(t)]
            y[half * c : half * (c + 1)] = c
        return X, y.reshape(-1, 1)

    X, y = spirals(400, 0.3)
    X_test, y_test = spirals(200, 0.4)
    legacy = np.random.RandomState(42)
    sizes = [2, *[32] * depth, 1]
    W = [legacy.randn(i, o) * np.sqrt(2 / i) for i, o in zip(sizes, sizes[1:], strict=False)]
    b = [np.zeros((1, o)) for o in sizes[1:]]

    def forward(x: Any) -> list[Any]:
        a = [x]
        for i, (w, c) in enumerate(zip(W, b, strict=True)):
            z = a[-1] @ w + c
            a.append(z if i == depth else np.maximum(z, 0))
        return a

    losses = []
    for _ in range(epochs):
        a = forward(X)
        losses.append((np.logaddexp(0, a[-1]) - y * a[-1]).mean())
        d = (1 / (1 + np.exp(-a[-1])) - y) / len(X)
        for i in reversed(range(depth + 1)):
            gw, gb = a[i].T @ d, d.sum(axis=0, keepdims=True)
            d = (d @ W[i].T) * (a[i] > 0)
            W[i] -= 0.05 * gw
            b[i] -= 0.05 * gb
    return np.array(losses), float(((forward(X_test)[-1] > 0) == y_test).mean())


@pytest.mark.parametrize("depth", [1, 4])
def test_the_chapters_protocol_is_reproduced_number_for_number(depth: int) -> None:
    losses, score = chapter_in_plain_numpy(depth, 200)
    result = run_small(experiment, protocol="chapter", depths=(depth,), epochs=200)
    found = next(row for row in result.verdict_rows() if row.facts["depth"] == depth)
    np.testing.assert_allclose(found.arrays["loss_curve"][:, 0], losses, rtol=1e-5)
    assert found["test_accuracy"][0] == score
    assert found.seeds == (42,)


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"protocol": "chapter", "noise": 0.1}, "--noise with --protocol chapter"),
        ({"protocol": "chapter", "seeds": 5}, "--seeds with --protocol chapter"),
        ({"protocol": "chapter", "learning_rate": (0.1,)}, "--learning-rate with --protocol"),
        ({"learning_rate": (0.1, 0.2)}, "must be one, or at least five"),
        ({"learning_rate": (0.1, 0.2, 0.4, 0.8, 0.05)}, "increasing"),
    ],
)
def test_settings_that_do_not_fit_together(changed: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError, match=part):
        check(quick_settings(experiment, **changed))


def test_a_saved_network_is_the_deepest_of_the_first_seed_with_its_task(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model"
    tiny = "--quick --depths 2,1 --width 4 --epochs 5 --points 12 --seed 4 --noise 0.1"
    out = str(tmp_path / "out")
    assert main(["spiral", *tiny.split(), "--out", out, "--save", str(path)]) == 0
    saved = load_model(path)
    X, y, X_test, y_test = task_of(load_task(path)[TASK]).data()
    printed = json.loads((tmp_path / "out" / "result.json").read_text())["rows"][0]
    assert printed["depth"] == 2
    assert accuracy(saved, X, y) == printed["train_accuracy"][0]
    assert accuracy(saved, X_test, y_test) == printed["test_accuracy"][0]


def test_the_moving_picture_shows_the_boundaries_being_learned(tmp_path: Path) -> None:
    from PIL import Image

    options = "--quick --depths 1,2 --width 8 --epochs 12 --points 40 --seeds 1 --animate"
    adam = "--optimizer adam --learning-rate 0.03"
    assert main(["spiral", *options.split(), *adam.split(), "--out", str(tmp_path)]) == 0
    with Image.open(tmp_path / "training.gif") as picture:
        count = picture.n_frames  # type: ignore[attr-defined]
        frames = []
        for i in (0, count - 1):
            picture.seek(i)
            frames.append(np.array(picture.convert("RGB")))
    assert count == 12
    assert (frames[0] != frames[1]).mean() > 0.05


def test_frames_are_close_together_at_first_and_end_with_the_last_epoch() -> None:
    assert frame_epochs(100, 5) == [0, 6, 25, 56, 99]
    assert frame_epochs(3, 60) == [0, 1, 2]
    assert frame_epochs(100, 0) == []


def test_the_figures_draw_for_quick_full_and_partial_runs() -> None:
    quick = run_small(experiment, **TINY)
    swept = run_small(experiment, quick=False, seeds=5, optimizer=("sgd", "adam"), **TINY)
    assert set(experiment.figures(quick)) == {"overview", "loss"}
    assert set(experiment.figures(swept)) == {"overview", "learning-rates", "loss"}
    swept.rows = [row for row in swept.rows if row.facts["optimizer"] == "sgd"]
    for result in (quick, swept):
        for draw in experiment.figures(result).values():
            assert draw().axes
    assert mlp([2, 1]).parameter_count == 3


def test_the_chapters_batch_normalised_networks_stand_beside_the_plain_ones() -> None:
    changed = {"protocol": "chapter", "batch_norm": True, "depths": (8,), "epochs": 3}
    result = run_small(experiment, **changed)
    normed = [row.facts["batch_norm"] for row in result.verdict_rows()]
    assert normed == [False, False, True]
    sentences = [each.sentence for each in claims(result)]
    assert "Batch normalisation is better at depth 8" in sentences
    assert sum("parameters per example" in each for each in sentences) == 2
