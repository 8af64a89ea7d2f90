"""`scratchnet depth-limits`: what is trained and measured, what is said of it, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet import Linear
from scratchnet.demos.command_line import main
from scratchnet.demos.depth_limits.command import plot, record, report, run
from scratchnet.demos.depth_limits.experiment import Result, Row, first_gradient
from scratchnet.demos.depth_limits.report import sentences, time_ratio
from scratchnet.demos.depth_limits.settings import KINDS, Network, Settings, build, networks
from scratchnet.demos.results import to_json
from scratchnet.demos.seeded_data import load

TINY = Settings(layers=(2, 5), width=8, points=20, epochs=4, seeds=3)


pytestmark = pytest.mark.usefixtures("short_turns")


@pytest.fixture(scope="module")
def result(short_turns: None) -> Result:
    return run(dataclasses.replace(TINY, clip=0.5, warmup=2))


def linear_layers(kind: str, layers: int) -> list[Linear]:
    network = Network(kind, layers, switched=False)
    model = build(dataclasses.replace(TINY, seeds=1), network)
    found = [layer for _, layer in model.root.walk() if isinstance(layer, Linear)]
    assert len(found) == network.own_layers + 1
    return found


# What is trained


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [4, 5, 6, 16, 64])
def test_a_network_has_the_layers_that_are_said(kind: str, layers: int) -> None:
    own = len(linear_layers(kind, layers)) - 1
    assert own == layers if kind != "bottleneck" else abs(own - layers) <= 1


def test_bottleneck_networks_start_at_four_layers() -> None:
    planned = networks(TINY)
    assert [each.layers for each in planned if each.kind == "bottleneck"] == [5]
    assert [each.layers for each in planned if each.kind == "plain"] == [2, 5]


def test_only_the_branches_of_the_scaled_kind_are_scaled() -> None:
    plain, scaled = linear_layers("residual", 5), linear_layers("scaled-residual", 5)
    for number, (a, b) in enumerate(zip(plain, scaled, strict=True)):
        ratio = a.parameters["weight"].numpy() / b.parameters["weight"].numpy()
        expected = math.sqrt(5) if 1 <= number <= 4 else 1
        np.testing.assert_allclose(ratio, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_first_gradients_are_central_differences_of_the_loss(kind: str) -> None:
    settings = dataclasses.replace(TINY, seeds=1)
    network = Network(kind, 4, switched=False)
    data = load("spirals", 20, 0, 1)
    model = build(settings, network)
    norm = first_gradient(model, data)
    assert norm.shape == (1,)
    weight = model.parameters()[0]
    gradient = np.array(weight.grad[0], float)

    def loss(step: float, at: tuple[int, int]) -> float:
        weight.data[0][at] += step
        z = model(data.X).numpy()[0, :, 0].astype(float)
        weight.data[0][at] -= step
        return float(np.mean(np.logaddexp(0, z) - data.y * z))

    at = np.unravel_index(abs(gradient).argmax(), gradient.shape)
    place = (int(at[0]), int(at[1]))
    difference = (loss(1e-3, place) - loss(-1e-3, place)) / 2e-3
    assert difference == pytest.approx(gradient[place], rel=0.05, abs=1e-3)
    assert norm[0] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone(result: Result) -> None:
    alone = run(dataclasses.replace(result.settings, seed=1, seeds=1))
    for row, single in zip(result.rows, alone.rows, strict=True):
        assert row.network == single.network
        assert row.final_loss[1] == single.final_loss[0]
        assert row.first_gradient[1] == pytest.approx(single.first_gradient[0], rel=1e-6)


def test_the_switches_act_on_training_and_on_nothing_before_it(result: Result) -> None:
    for row in result.rows:
        other = result.find(row.network.kind, row.network.layers, switched=True)
        assert other is not None
        np.testing.assert_array_equal(row.first_gradient, other.first_gradient)
        if not row.network.switched:
            assert not np.array_equal(row.final_loss, other.final_loss)
    for switch in ({"clip": 1e-3}, {"warmup": 3}):
        single = run(dataclasses.replace(TINY, kinds=("plain",), layers=(2,), **switch))
        before, after = (row.final_loss for row in single.rows)
        assert not np.array_equal(before, after)


def test_depth_shows_what_the_remedies_are_for() -> None:
    """Gradients before training: unscaled branches explode, blocks from zero do not."""
    data = load("spirals", 50, 0, 4)
    settings = Settings(points=50, seeds=4)

    def norm(kind: str, layers: int) -> float:
        return float(np.median(first_gradient(build(settings, Network(kind, layers, False)), data)))

    assert norm("residual", 40) > 1e4 * norm("residual", 4)
    assert norm("batch-norm", 40) > 50 * norm("batch-norm", 4)
    assert 0.2 < norm("bottleneck", 40) / norm("bottleneck", 4) < 5
    assert 0.1 < norm("scaled-residual", 40) / norm("scaled-residual", 4) < 20


def test_networks_that_overflow_give_no_warning_no_gradient_and_no_time() -> None:
    settings = dataclasses.replace(TINY, kinds=("plain", "residual"), layers=(200,), seeds=2)
    settings = dataclasses.replace(settings, width=32, quick=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run(settings)
    row = result.rows[1]
    assert row.diverged == {0: 1, 1: 1} and np.isnan(row.first_gradient).all()
    assert time_ratio(result, row) is None
    plot(result)


# What is said


def made_up(kind: str, layers: int, accuracy: list[float], switched: bool = False) -> Row:
    values = np.array(accuracy)
    gone = {int(each): 3 for each in np.flatnonzero(np.isnan(values))}
    gradient = np.full(len(values), 2.0**layers)
    return Row(Network(kind, layers, switched), 10, gradient, values, values, gone)


def said(*rows: Row, **settings: Any) -> str:
    layers = tuple(sorted({row.network.layers for row in rows}))
    kinds = tuple(dict.fromkeys(row.network.kind for row in rows))
    chosen = Settings(kinds=kinds, layers=layers, seeds=len(rows[0].accuracy), **settings)
    return " ".join(sentences(Result(chosen, list(rows), [])))


def test_degradation_is_claimed_only_where_it_was_measured() -> None:
    good, bad, mixed = [0.99, 1.0, 1.0], [0.5, 0.52, 0.5], [0.5, 1.0, 1.0]
    text = said(made_up("plain", 2, good), made_up("plain", 8, bad))
    assert "more layers made training worse, from 99.7% with 2 layers to 50.7% with 8" in text
    text = said(made_up("plain", 2, good), made_up("plain", 8, mixed))
    assert "no loss was seen" in text and "worse" not in text
    text = said(made_up("plain", 2, bad), made_up("plain", 8, good))
    assert "the deepest, 8 layers, has the highest mean" in text
    text = said(made_up("plain", 2, good[:1]), made_up("plain", 8, bad[:1]))
    assert "no difference is claimed" in text and "worse" not in text and "±" not in text


def test_remedies_are_judged_at_the_deepest_with_their_sign() -> None:
    good, bad = [0.99, 1.0, 1.0], [0.5, 0.52, 0.5]
    rows = [made_up("plain", 8, bad), made_up("batch-norm", 8, good), made_up("residual", 8, bad)]
    text = said(*rows)
    assert "batch-norm trains better than plain: +49.0" in text
    assert "no difference between residual and plain was seen" in text
    text = said(made_up("plain", 8, good), made_up("residual", 8, bad))
    assert "residual trains worse than plain" in text


def test_networks_that_diverged_are_named_and_left_out() -> None:
    text = said(made_up("plain", 2, [0.9] * 3), made_up("plain", 8, [math.nan] * 3))
    assert (
        "plain, 8 layers: the loss of 3 of 3 networks was not finite, the first at epoch 3" in text
    )
    text = said(made_up("plain", 8, [math.nan] * 3), made_up("residual", 8, [0.9] * 3))
    assert "residual cannot be compared" in text


def test_gradient_growth_and_time_are_ratios_of_what_was_measured() -> None:
    rows = [made_up("plain", 2, [0.9] * 3), made_up("plain", 8, [0.9] * 3)]
    assert "changes by a factor of 64, which is 2.000 a layer" in said(*rows)
    block = made_up("bottleneck", 8, [0.9] * 3)
    # A moment in which everything is slow does not count: ratios are within a round.
    times = {("plain", 8): np.array([1.0, 1.0, 9.0]), ("bottleneck", 8): np.array([0.2, 0.2, 1.8])}
    whole = Result(Settings(), [*rows, block], [], times)
    found = time_ratio(whole, block)
    assert found and (found.low, found.median, found.high) == pytest.approx((0.2, 0.2, 0.2))
    assert time_ratio(Result(Settings(), [block], []), block) is None
    assert time_ratio(whole, made_up("bottleneck", 8, [math.nan] * 3)) is None
    assert time_ratio(whole, made_up("bottleneck", 8, [0.9] * 3, switched=True)) is None


def test_switches_are_compared_seed_by_seed() -> None:
    rows = [made_up("plain", 8, [0.5, 0.6, 0.7]), made_up("plain", 8, [0.7, 0.8, 0.91], True)]
    assert "clip 1, plain: +20.3 ± 1.4 points (n = 3) at 8 layers" in said(*rows, clip=1.0)
    same = [rows[0], made_up("plain", 8, [0.5, 0.6, 0.7], True)]
    text = said(*same, warmup=7)
    assert "warm-up 7, plain: no difference was seen at any depth" in text


# The command


def test_report_fits_80_columns_and_figures_are_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert set(plot(result)) == {"depth_limits"}
    kept: Any = json.loads(to_json(record(result)))
    assert [row["kind"] for row in kept["rows"]][:4] == list(KINDS[:4])
    assert kept["rows"][0]["train_accuracy_estimate"]["n"] == 3


def test_an_interruption_keeps_what_was_finished() -> None:
    def stop(steps: float = 1, note: str = "") -> None:
        if note == "residual, 2 layers":
            raise KeyboardInterrupt

    cut = run(TINY, stop)
    assert [row.network.kind for row in cut.rows] == ["plain", "batch-norm"]
    assert "interrupted before these were trained: residual, 2 layers," in sentences(cut)[-1]
    report(cut, Console(file=io.StringIO()))
    plot(cut)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "--kinds plain,bottleneck --layers 4 --width 4 --epochs 3 --seeds 1 --clip 2 --json"
    assert main(["depth-limits", *given.split(), "--out", str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert [row["switched"] for row in json.loads(out)["rows"]] == [False, False, True, True]
    assert {path.name for path in tmp_path.iterdir()} == {"depth_limits.png", "result.json"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--kinds plane", "unknown name in --kinds 'plane'"),
        ("--layers 2,201", "--layers 201: expected at most 200 hidden layers"),
        ("--layers 0", "--layers '0': expected whole numbers of at least 1"),
        ("--layers 2,3 --kinds bottleneck", "a bottleneck network has at least 4"),
        ("--clip 0", "--clip 0: expected a number above 0"),
        ("--clip nan", "--clip nan: expected a number above 0"),
        ("--warmup 0", "--warmup '0': expected a whole number from 1 to"),
    ],
)
def test_bad_input_is_one_line(
    arguments: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["depth-limits", *arguments.split(), "--out", str(tmp_path)]) == 2
    _, err = capsys.readouterr()
    assert line in err and err.count("\n") == 1
