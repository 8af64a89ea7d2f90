"""Lottery tickets: rewinding, the controls, the ensemble of all, and what the report claims."""

import dataclasses
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes
from rich.console import Console

from scratchnet import Adam, Model, fit, mlp
from scratchnet.demos.command_line import main
from scratchnet.demos.lottery.command import record
from scratchnet.demos.lottery.experiment import Result, run
from scratchnet.demos.lottery.figures import animate, plot
from scratchnet.demos.lottery.report import report, sentences, table, visible_from
from scratchnet.demos.lottery.settings import VARIANTS, Settings, choose_settings
from scratchnet.demos.results import to_json
from scratchnet.lottery import (
    CONTROLS,
    begin_alike,
    control_of,
    first_parameters,
    iterative_pruning,
)
from scratchnet.pruning import (
    alive_parameters,
    connection_sensitivity,
    layer_masks,
    prune,
    remaining_weights,
    weight_places,
)

X, Y = two_classes(30)
STEPS = 12


def train(model: Model, steps: int) -> None:
    fit(model, X, Y, optimizer=Adam(model, 0.02), epochs=steps)


def network(ensemble: int | None = None, seed: int = 0, **options: Any) -> Model:
    return mlp([2, 8, 6, 1], ensemble=ensemble, seed=seed, **options)


def states(model: Model, **options: Any) -> list[dict[str, Any]]:
    """What the model is after each round of three."""
    return [
        {**model.state_dict(), "alive": alive_parameters(model)}
        for _ in iterative_pruning(model, train, STEPS, [0.5, 0.5], **options)
    ]


# Rounds and rewinding.


def test_a_ticket_is_what_pruning_and_rewinding_by_hand_give() -> None:
    found = states(network())
    by_hand = network()
    start = by_hand.state_dict()
    train(by_hand, STEPS)
    assert_same_bits(by_hand.state_dict()["0.weight"], found[0]["0.weight"])
    for number in (1, 2):
        prune(by_hand, fraction=0.5)
        by_hand.load_state_dict(start)
        train(by_hand, STEPS)
        for name, array in by_hand.state_dict().items():
            assert_same_bits(array, found[number][name])
    assert [int(each["alive"].sum()) for each in found] == [85, 85 - 35, 85 - 35 - 18]


def test_late_rewinding_goes_back_to_step_k_and_trains_for_the_rest() -> None:
    asked: list[int] = []
    model = network(batch_norm=True)
    seen: list[Any] = []

    def watched(model: Model, steps: int) -> None:
        asked.append(steps)
        seen.append(model.state_dict())
        train(model, steps)

    for _ in iterative_pruning(model, watched, STEPS, [0.5], rewind_step=5):
        pass
    assert asked == [5, STEPS - 5, STEPS - 5]
    early = network(batch_norm=True)
    train(early, 5)
    assert_same_state(seen[1], early.state_dict())
    kept = layer_masks(model)["0.weight"]
    assert_same_bits(seen[2]["0.weight"], np.where(kept, early.state_dict()["0.weight"], 0))
    assert_same_bits(seen[2]["1.running_mean"], early.state_dict()["1.running_mean"])


@pytest.mark.parametrize("options", [{}, {"rewind_step": 3}, {"scope": "layer"}])
def test_a_ticket_of_an_ensemble_with_controls_is_the_ticket_alone(options: Any) -> None:
    together = states(network(2 * (1 + len(CONTROLS)), seed=4), controls=CONTROLS, **options)
    alone = states(network(seed=5), **options)
    for a, b in zip(together, alone, strict=True):
        assert_same_bits(a["alive"][1], b["alive"][0])
        for name in ("0.weight", "2.weight", "4.weight"):
            assert_same_bits(a[name][1], b[name])
        assert_same_bits(a["0.bias"][1, 0], b["0.bias"])


@pytest.mark.parametrize("rewind_step", [0, 3])
def test_one_shot_methods_look_at_the_untrained_network(rewind_step: int) -> None:
    scores = connection_sensitivity(network(seed=2), X, Y)
    model = network(seed=2)
    options: dict[str, Any] = {"at_start": True, "rewind_step": rewind_step}
    found = states(model, scores=lambda each: connection_sensitivity(each, X, Y), **options)
    expected = network(seed=2)
    prune(expected, fraction=0.5, scores=scores)
    assert_same_bits(found[1]["alive"], alive_parameters(expected))
    prune(expected, fraction=0.5, scores=scores)
    assert_same_bits(found[2]["alive"], alive_parameters(expected))


# The controls.


def test_what_each_control_keeps_of_the_ticket() -> None:
    model = network(batch_norm=True)
    first = np.array(model.parameter_buffer)
    prune(model, sparsity=0.7)
    ticket = alive_parameters(model)[0]
    places = weight_places(model)
    weights = np.concatenate([np.r_[place] for place in places.values()])
    others = np.setdiff1d(np.arange(len(ticket)), weights)
    drawn = first_parameters(model, np.random.default_rng(1))
    made = {
        control: control_of(control, model, ticket, first, np.random.default_rng(1))
        for control in CONTROLS
    }
    for control in ("random mask", "shuffled mask"):
        mask, start = made[control]
        assert mask.sum() == ticket.sum() and (mask != ticket).any()
        assert mask[others].all()
        assert_same_bits(start, first)
    by_layer = [int(ticket[place].sum()) for place in places.values()]
    assert [int(made["shuffled mask"][0][place].sum()) for place in places.values()] == by_layer
    assert [int(made["random mask"][0][place].sum()) for place in places.values()] != by_layer
    for control in ("new weights", "scaled weights", "same signs"):
        assert_same_bits(made[control][0], ticket)
    assert_same_bits(made["new weights"][1], drawn)
    for place, count in zip(places.values(), by_layer, strict=True):
        scale = np.sqrt((place.stop - place.start) / count)
        np.testing.assert_allclose(made["scaled weights"][1][place], drawn[place] * scale, 1e-6)
        np.testing.assert_array_equal(np.sign(made["same signs"][1][place]), np.sign(first[place]))
        np.testing.assert_array_equal(np.abs(made["same signs"][1][place]), np.abs(drawn[place]))


def test_scaled_weights_keep_the_variance_of_the_signal() -> None:
    """E[(sum over the inputs that are left of w x)^2] of a layer is that of the dense one."""
    model = mlp([400, 300, 1])
    prune(model, sparsity=0.9)
    ticket, first = alive_parameters(model)[0], model.parameter_buffer
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(50, 400))
    place = weight_places(model)["0.weight"]
    spreads = {}
    for control in ("new weights", "scaled weights"):
        mask, weights = control_of(control, model, ticket, first, np.random.default_rng(1))
        spreads[control] = (inputs @ (weights * mask)[place].reshape(400, 300)).std()
    assert spreads["scaled weights"] == pytest.approx(np.sqrt(2), rel=0.05)
    assert spreads["new weights"] < 0.6


def test_first_parameters_come_from_the_layers_initialisers() -> None:
    model = network(batch_norm=True, seed=9)
    rng = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(0,)))
    assert_same_bits(first_parameters(model, rng), model.parameter_buffer)


def test_two_controls_draw_apart() -> None:
    """Dense, scaled weights have the scale of new ones: from one stream they would be the same."""
    dense, *_ = states(network(3), controls=("new weights", "scaled weights"))
    assert not np.array_equal(dense["0.weight"][1], dense["0.weight"][2])


def test_controls_are_drawn_anew_in_every_round_and_for_every_seed() -> None:
    model = network(12)
    masks = [each["alive"] for each in states(model, controls=CONTROLS)]
    random = [masks[1][2:4], masks[2][2:4]]
    assert not np.array_equal(random[0][0], random[0][1])
    # A nested mask would be a subset of the one before.
    assert (random[1] & ~random[0]).any()


def test_bad_input_of_the_experiment_is_refused() -> None:
    with refused("rewind_step is 12", "0 to 11 of 12"):
        states(network(), rewind_step=12)
    with refused("an ensemble of 4", "a multiple of 3"):
        states(network(4), controls=CONTROLS[:2])
    with refused("unknown control 'new weight'", "did you mean 'new weights'"):
        states(network(2), controls=["new weight"])
    with refused("fraction is 1.5"):
        list(iterative_pruning(network(), train, STEPS, [1.5]))


# The demo.

TINY = Settings(rounds=3, fraction=0.5, steps=6, depth=2, width=6, points=30, seeds=3)


@pytest.fixture(scope="module")
def tiny() -> Result:
    return run(TINY)


def test_a_run_has_every_round_with_exact_counts(tiny: Result) -> None:
    total = 2 * 6 + 6 * 6 + 6
    assert tiny.weights == total == 54
    assert [each.remaining for each in tiny.rounds] == [54, 27, 13, 7]
    for each in tiny.rounds:
        assert each.test_accuracy.shape == each.train_accuracy.shape == (len(VARIANTS), 3)
        assert each.layer_remaining.sum(axis=0).tolist() == [each.remaining] * 3
        assert sum(int(mask.sum()) for mask in each.masks) == each.remaining
    dense = tiny.rounds[0].test_accuracy
    np.testing.assert_array_equal(dense[1:3], [dense[0], dense[0]])


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone(tiny: Result) -> None:
    alone = run(dataclasses.replace(TINY, seed=1, seeds=1))
    for a, b in zip(tiny.rounds, alone.rounds, strict=True):
        np.testing.assert_array_equal(a.test_accuracy[:, 1], b.test_accuracy[:, 0])


@pytest.mark.parametrize("method", ["layer-magnitude", "snip", "initial-magnitude"])
def test_every_method_runs(method: str, tiny: Result) -> None:
    result = run(dataclasses.replace(TINY, method=method, rounds=1))
    layers = result.rounds[1].layer_remaining[:, 0].tolist()
    assert (layers == [6, 18, 3]) == (method == "layer-magnitude")
    if method != "layer-magnitude":
        assert sum(layers) == 27


def made_up(tiny: Result, accuracies: Any, seeds: int = 3) -> Result:
    """The tiny run with these test accuracies, (rounds, variants), a little apart over seeds."""
    apart = np.linspace(-0.004, 0.004, seeds) if seeds > 1 else np.zeros(1)
    rounds = tuple(
        dataclasses.replace(
            each, test_accuracy=np.array(of_round)[:, None] + apart * np.arange(1, 7)[:, None]
        )
        for each, of_round in zip(tiny.rounds, accuracies, strict=False)
    )
    settings = dataclasses.replace(TINY, seeds=seeds, rounds=len(rounds) - 1)
    return dataclasses.replace(tiny, settings=settings, rounds=rounds, test_samples=400)


ALIKE = [0.9] * 6


def test_where_an_advantage_begins_is_said_and_three_rounds_of_nothing(tiny: Result) -> None:
    rounds = (*tiny.rounds, dataclasses.replace(tiny.rounds[-1], number=4, remaining=3))
    longer = dataclasses.replace(tiny, rounds=rounds)
    last = [0.9, 0.5, 0.6, 0.6, 0.85, 0.9]
    text = " ".join(sentences(made_up(longer, [ALIKE, ALIKE, ALIKE, ALIKE, last])))
    assert "The first 3 rounds of 50%, down to 13.0%, show nothing" in text
    assert re.search(r"the differences reach \d\.\d points", text)
    assert "Against a random mask the ticket's advantage is visible at 5.6% of the weights" in text
    assert "with the old signs no advantage of the ticket was seen; the largest difference" in text
    assert "The ticket was not seen to be worse than the dense network, down to 5.6%" in text
    assert re.search(r"where it differs by \S+ ± \S+ points \(n = 3\)", text)
    assert re.search(r"Scaling them for the density brings \+25\.0 ± \S+ points", text)
    assert re.search(r"the signs of the ticket's brings \+30\.0 ± \S+ points", text)


def test_an_early_advantage_contradicts_the_textbook_and_is_said(tiny: Result) -> None:
    better = [0.95, 0.5, 0.95, 0.95, 0.95, 0.95]
    text = " ".join(sentences(made_up(tiny, [ALIKE, better, better, better])))
    assert "show nothing" not in text
    assert "the ticket differs from: random mask." in text
    assert "Against a random mask the ticket's advantage is visible from 50.0%" in text


def test_a_control_that_is_better_is_said(tiny: Result) -> None:
    worse = [0.5, 0.9, 0.9, 0.9, 0.9, 0.9]
    text = " ".join(sentences(made_up(tiny, [ALIKE, ALIKE, ALIKE, worse])))
    assert "The ticket is worse than a random mask at 13.0% (-40.0 ± " in text
    assert "but not in two rounds in a row" not in text
    assert "advantage is visible" not in text
    assert "The ticket is worse than the dense network from 13.0% of the weights on" in text


def test_wide_intervals_leave_open_what_three_rounds_show(tiny: Result) -> None:
    """A few seeds that disagree show no difference, and not that there is none."""
    result = made_up(tiny, [ALIKE] * 4)
    accuracy = result.rounds[2].test_accuracy.copy()
    accuracy[1] += [-0.4, 0.05, 0.0]
    rounds = list(result.rounds)
    rounds[2] = dataclasses.replace(rounds[2], test_accuracy=accuracy)
    text = " ".join(sentences(dataclasses.replace(result, rounds=tuple(rounds))))
    assert "leave it open: no control was seen to differ from the ticket; with their" in text
    assert "nothing" not in text


def test_one_seed_claims_nothing(tiny: Result) -> None:
    better = [0.95, 0.5, 0.5, 0.5, 0.5, 0.5]
    text = " ".join(sentences(made_up(tiny, [ALIKE, better, better, better], seeds=1)))
    assert "no difference is claimed" in text
    assert "visible" not in text and "nothing" not in text


def test_one_difference_between_rounds_without_is_no_visible_effect(tiny: Result) -> None:
    once = [0.95, 0.5, 0.95, 0.95, 0.95, 0.95]
    text = " ".join(sentences(made_up(tiny, [ALIKE, ALIKE, once, ALIKE])))
    assert "Against a random mask an advantage of the ticket was seen at 24.1% (+45.0" in text
    assert "but not in two rounds in a row (n = 3)" in text
    assert "advantage is visible" not in text
    assert "leave it open: no control was seen to differ from the ticket in two rounds" in text
    assert "in one only: random mask at 24.1% (+45.0 ± " in text
    once = [0.9, 0.88, 0.9, 0.9, 0.9, 0.9]
    text = " ".join(sentences(made_up(tiny, [ALIKE, ALIKE, once, ALIKE])))
    assert "show nothing: no control was seen to differ from the ticket in two rounds" in text
    lost = [0.5, 0.9, 0.5, 0.5, 0.5, 0.5]
    text = " ".join(sentences(made_up(tiny, [ALIKE, ALIKE, lost, ALIKE])))
    assert re.search(r"worse than a random mask at 24.1% \(\S+ ± \S+ points\), but not in", text)
    assert re.search(r"worse than the dense network at 24.1% \(\S+ ± \S+ points\), but not", text)
    assert visible_from([]) is None


def test_networks_that_diverged_are_left_out_and_named(tiny: Result) -> None:
    result = run(dataclasses.replace(TINY, learning_rate=1e30, rounds=1))
    assert np.isnan(result.rounds[1].test_accuracy).any()
    assert any("trainings diverged" in each for each in sentences(result))
    plot(result)
    report(result, Console(file=io.StringIO()))
    json.loads(to_json(record(result)))


def test_ctrl_c_keeps_the_rounds_that_are_done() -> None:
    calls = 0

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal calls
        calls += steps == 1
        if calls == 20:
            calls += 1
            raise KeyboardInterrupt

    result = run(TINY, advance)
    assert len(result.rounds) == 3 and result.interrupted
    assert any("2 of 3 rounds are done" in each for each in sentences(result))
    calls = 10
    with pytest.raises(KeyboardInterrupt):
        run(TINY, advance)


def test_the_table_has_a_line_for_each_round(tiny: Result) -> None:
    shown = table(tiny)
    assert shown.row_count == 4
    assert len(shown.columns) == 1 + len(VARIANTS)
    console = Console(file=io.StringIO(), width=80)
    console.print(table(made_up(tiny, [ALIKE] * 4)))
    assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_command_writes_its_figures_numbers_and_picture(tmp_path: Path, capsys: Any) -> None:
    from PIL import Image

    options = "--rounds 2 --steps 5 --depth 2 --width 5 --points 30 --seeds 2 --animate --json"
    assert main(["lottery", *options.split(), "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert [row["round"] for row in printed["rows"]] == [0, 1, 2]
    assert set(printed["rows"][0]["test_accuracy"]) == set(VARIANTS)
    assert {path.name for path in tmp_path.iterdir()} == {
        "lottery.png",
        "masks.png",
        "layers.png",
        "mask.gif",
        "result.json",
    }
    with Image.open(tmp_path / "mask.gif") as picture:
        assert picture.n_frames == 3  # type: ignore[attr-defined]


def test_the_moving_picture_changes(tiny: Result) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(animate(tiny))) as picture:
        frames = []
        for i in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(i)
            frames.append(np.array(picture.convert("RGB")))
    assert len(frames) == 4
    assert all((a != b).any() for a, b in zip(frames, frames[1:], strict=False))


def test_digits(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("sklearn", reason="the extra 'data'")
    tiny = "--dataset digits --rounds 1 --steps 3 --depth 1 --width 4 --seeds 1"
    assert main(["lottery", *tiny.split(), "--out", str(tmp_path)]) == 0
    assert "450 samples to test on" in capsys.readouterr().out


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert main(["lottery", "--dataset", "digits", "--seeds", "1"]) == 2
    error = capsys.readouterr().err.strip()
    assert "pip install -e '.[data]'" in error and "\n" not in error


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--rewind-step", "500"], "--rewind-step 500: expected 0 to 499"),
        (["--rewind-step", "5", "--steps", "5"], "--rewind-step 5: expected 0 to 4"),
        (["--fraction", "1.2"], "--fraction '1.2'"),
        (["--fraction", "-0.1"], "--fraction '-0.1'"),
        (["--rounds", "0"], "--rounds '0'"),
        (["--method", "snap"], "'snip'"),
        (["--dataset", "digits", "--points", "100"], "--points with --dataset digits"),
        (["--points", "1"], "--points '1'"),
    ],
)
def test_bad_input_is_one_line(options: list[str], named: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["lottery", *options, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error


def test_settings_follow_the_dataset_and_quick() -> None:
    assert choose_settings({}) == Settings()
    assert choose_settings({"dataset": "digits"}).depth == 3
    quick = choose_settings({"quick": True, "rounds": 2})
    assert (quick.rounds, quick.fraction, quick.seeds) == (2, 0.5, 3)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_and_everything_can_be_pruned(share: float) -> None:
    result = run(dataclasses.replace(TINY, rounds=1, fraction=share))
    assert result.rounds[1].remaining == (54 if share == 0 else 0)
    plot(result)
    report(result, Console(file=io.StringIO()))


def test_remaining_weights_of_the_ticket_are_those_of_its_controls() -> None:
    model = network(12)
    for _ in iterative_pruning(model, train, 2, [0.3], controls=CONTROLS):
        counts = sum(each.remaining for each in remaining_weights(model))
        assert len(set(counts.tolist())) == 1


def test_networks_begin_as_the_first_of_them_with_their_dropout() -> None:
    """Parameters, keys and counters; then every part drops what the first drops."""
    model = network(ensemble=4, seed=3, dropout=0.5, batch_norm=True)
    train(model, 2)
    before = model.state_dict()
    begin_alike(model, 1)
    assert_same_state(model.state_dict(), before)
    begin_alike(model, 2)
    for name, array in model.state_dict().items():
        assert_same_bits(array, np.concatenate([before[name][:2]] * 2))
    outputs = model.train()(X).numpy()
    assert_same_bits(outputs[2:], outputs[:2])
    assert not np.array_equal(outputs[0], outputs[1])
