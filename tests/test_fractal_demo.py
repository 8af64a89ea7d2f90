"""`scratchnet fractal`: what is verified and learned, what is said of it, and the command."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import refused
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.fractal import experiment
from scratchnet.demos.fractal.command import plot, record, report, run
from scratchnet.demos.fractal.experiment import (
    Course,
    Result,
    Row,
    expected_seconds,
    learn,
    learn_in_turn,
    networks,
    total_cost,
)
from scratchnet.demos.fractal.report import sentences
from scratchnet.demos.fractal.samples import drawn
from scratchnet.demos.fractal.settings import PAPER, Settings, choose_settings, curve_names
from scratchnet.demos.fractal.verdict import (
    above_chance,
    course_sentences,
    learning_sentences,
    verdict,
)
from scratchnet.demos.results import to_json

SMALL = Settings(
    level=2,
    curves=("coarse", "extreme"),
    depths=(1, 2),
    width=8,
    steps=30,
    points=400,
    test_points=200,
    batch_size=100,
    seeds=2,
    curriculum=True,
)


@pytest.fixture(scope="module")
def result() -> Result:
    return run(SMALL)


def test_exact_networks_make_no_error_and_coarser_ones_the_error_of_the_curve(
    result: Result,
) -> None:
    assert [(each.construction, each.level) for each in result.shapes] == [
        ("fold", 1),
        ("fold", 2),
        ("general", 1),
        ("general", 2),
    ]
    for each in result.shapes:
        assert each.own_errors == 0 < each.own_errors_without
        assert each.layers == (
            each.level + 1 if each.construction == "fold" else 2 * each.level + 1
        )
        for name, error in each.errors.items():
            assert abs(error - each.expected[name]) < 0.01
    assert result.shapes[0].own_errors_by_1 == 0
    assert [each.linear_regions for each in result.shapes] == [16, 100, 47, 390]
    assert result.empirical["coarse"] == pytest.approx(SMALL.curve("coarse"), abs=0.01)


def test_fold_nets_that_err_by_their_own_rule_are_not_said_to_need_no_margin(
    result: Result,
) -> None:
    assert any("Fold nets need no margin" in line for line in sentences(result))
    first, *others = result.shapes
    wrong = replace(result, shapes=[replace(first, own_errors_by_1=2), *others])
    (line,) = [each for each in sentences(wrong) if each.startswith("Fold nets")]
    assert line.startswith("Fold nets should need no margin") and "make 2 errors" in line


def test_a_seed_has_the_same_weights_and_points_for_every_curve() -> None:
    model = networks(SMALL, 2, 3)
    weights = model.state_dict()["0.weight"]
    assert len(weights) == 6 and (weights[:2] == weights[2:4]).all()
    assert not (weights[0] == weights[1]).all()
    X, y = drawn(SMALL, SMALL.curve("coarse"), 3, 5, 100)
    other, _ = drawn(SMALL, SMALL.curve("extreme"), 3, 5, 100)
    assert (X[y == 1] == other[y == 1]).mean() > 0 and not (X == other).all()


def test_a_seed_learns_the_same_alone_and_beside_other_seeds_up_to_its_batches() -> None:
    rows = list(learn(replace(SMALL, seeds=1, curves=("coarse",)), 1))
    more = list(learn(replace(SMALL, seeds=2, curves=("coarse",)), 1))
    assert rows[0].test_accuracy[0] == more[0].test_accuracy[0]


def test_training_learns_a_coarse_curve() -> None:
    settings = replace(SMALL, width=32, steps=400, points=4000, test_points=1000, batch_size=200)
    rows = {row.curve: row for row in learn(settings, 2)}
    assert rows["coarse"].test_accuracy.mean() > 0.8
    assert rows["coarse"].probabilities.shape == (120, 120)
    inside = rows["coarse"].probabilities[2, 2], rows["coarse"].probabilities[60, 60]
    assert inside[0] > 0.5 > inside[1]


def test_a_curriculum_is_trained_beside_the_last_curve_alone(result: Result) -> None:
    course = learn_in_turn(SMALL, 1)
    assert course.curriculum.shape == course.direct.shape == (2, 2)
    assert [each.depth for each in result.courses] == [1, 2]
    # The first stage of the direct training is what `learn` did for the last curve.
    assert (course.direct[0] == result.rows[1].test_accuracy).mean() >= 0.5


def made_up(accuracies: dict[tuple[str, int], Any], **settings: Any) -> Result:
    """A result with these test accuracies by curve and depth."""
    rows = [
        Row(curve, depth, 1, np.array(values), np.array(values), (), None, None)
        for (curve, depth), values in accuracies.items()
    ]
    names = tuple(dict.fromkeys(curve for curve, _ in accuracies))
    seeds = len(rows[0].test_accuracy)
    return Result(Settings(curves=names, depths=(1, 5), seeds=seeds, **settings), rows=tuple(rows))


GOOD, BETTER, CHANCE = [0.70, 0.72, 0.71], [0.90, 0.93, 0.91], [0.50, 0.49, 0.51]


def test_the_verdict_follows_from_the_table() -> None:
    learned = {("coarse", 1): GOOD, ("coarse", 5): BETTER}
    failed = {("extreme", 1): CHANCE, ("extreme", 5): CHANCE}
    agrees = verdict(made_up(learned | failed))
    assert agrees.startswith("Depth helped on coarse, where networks of depth 1 were above chance")
    assert 'agrees with "deeper is better only when shallow is good"' in agrees
    against = verdict(made_up(learned | {("extreme", 1): CHANCE, ("extreme", 5): GOOD}))
    assert "on extreme depth helped though networks of depth 1 stayed below 52%" in against
    assert "contradicts" in against and "agrees" not in against
    for one in (learned, failed, {("fine", 1): GOOD, ("fine", 5): GOOD}):
        assert "does not test" in verdict(made_up(one))
    # Above depth 1, seed by seed, and yet no better than guessing.
    lucky = {("fine", 1): [0.44, 0.46, 0.50], ("fine", 5): [0.49, 0.52, 0.55]}
    assert "on fine no depth was clearly above chance. That agrees" in verdict(
        made_up(learned | lucky)
    )
    # Above chance at depth 5, and no clear gain: neither for the saying nor against it.
    unclear = verdict(made_up(learned | {("fine", 1): [0.4, 0.5, 0.6], ("fine", 5): GOOD}))
    assert "on fine some depth was above chance" in unclear and "leaves open" in unclear
    # A gain over networks of which nobody knows whether they are above chance.
    wide = verdict(made_up(learned | {("fine", 1): [0.5, 0.55, 0.6], ("fine", 5): BETTER}))
    assert "on fine some depth was above chance" in wide and "leaves open" in wide
    # The same where depth 3 alone learned, which is neither the shallowest nor the deepest.
    between = verdict(made_up(learned | {("coarse", 3): GOOD, ("fine", 3): GOOD} | lucky))
    assert "on fine some depth was above chance" in between and "leaves open" in between
    said = " ".join(learning_sentences(made_up(learned | failed)))
    assert "5 hidden layers of 4, hand-set weights err on 0.0% of the curve extreme" in said
    assert "training 5 layers of 32 left an error of 50.0%" in said
    quick = verdict(made_up(learned | failed, quick=True))
    assert "judges no more" in quick and "agrees" not in quick


def test_each_curve_has_a_sentence_about_its_own_numbers() -> None:
    lines = learning_sentences(
        made_up(
            {
                ("coarse", 1): GOOD,
                ("coarse", 5): BETTER,
                ("fine", 1): GOOD,
                ("fine", 5): [0.6, 0.8, 0.7],
                ("extreme", 1): CHANCE,
                ("extreme", 5): CHANCE,
            }
        )
    )
    assert lines[0].startswith("Above chance: a mean of at least 52%")
    assert lines[1].startswith("Coarse: at depth 1 71.0%, above chance; depth helped, by 20.3 ±")
    assert "no help seen" in lines[2]
    assert lines[3].startswith("Extreme: nothing learned that is clearly above chance; the best")


def test_one_seed_claims_nothing() -> None:
    alone = made_up({("coarse", 1): [0.7], ("coarse", 5): [0.9]})
    (only,) = learning_sentences(alone)
    assert "nothing is claimed" in only
    assert not above_chance([0.9]) and above_chance(GOOD) and not above_chance([0.515, 0.516])


def test_a_curriculum_that_wins_says_what_was_the_obstacle() -> None:
    direct = np.array([CHANCE, CHANCE])
    courses = (
        Course(5, np.array([CHANCE, BETTER]), direct),
        Course(1, direct, direct),
    )
    base = made_up({("coarse", 1): GOOD, ("extreme", 1): CHANCE})
    lines = list(course_sentences(replace(base, courses=courses)))
    assert "Depth 5: the curriculum reached 91.3% on extreme, 41.3" in lines[1]
    assert "not clearly different from extreme alone (0.0 ± 0.0 points" in lines[2]
    assert lines[3].startswith("At depth 5 the same networks learn")
    worse = Course(1, np.array([CHANCE, GOOD]), np.array([BETTER, BETTER]))
    assert (
        "worse than extreme alone (-20.3"
        in list(course_sentences(replace(base, courses=(worse,))))[1]
    )


def test_depth_that_hurts_is_said_to_hurt() -> None:
    (_, line, *_) = learning_sentences(made_up({("coarse", 1): BETTER, ("coarse", 5): GOOD}))
    assert "depth hurt: at depth 5 the difference is -20.3" in line


def test_report_fits_80_columns_and_figures_are_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(plot(result)) == {"fractal", "networks", "accuracy", "boundaries", "curriculum"}
    written = json.loads(to_json(record(result)))
    assert [(row["curve"], row["depth"]) for row in written["rows"]] == [
        ("coarse", 1),
        ("extreme", 1),
        ("coarse", 2),
        ("extreme", 2),
    ]
    assert written["summary"]["sentences"] == sentences(result)


@pytest.mark.parametrize("name", ["cantor", "sierpinski"])
def test_other_fractals_run_and_are_drawn(name: str) -> None:
    settings = replace(SMALL, fractal=name, depths=(2,), curves=("linear",), curriculum=False)
    other = run(settings)
    assert set(plot(other)) == {"fractal", "networks", "accuracy", "boundaries"}
    said = " ".join(sentences(other))
    assert ("has no fold net" in said) == (name == "sierpinski")
    assert "One depth has nothing to be compared with" in said
    assert (other.rows[0].lower_bound is not None) == (name == "cantor")


def test_a_deep_distribution_and_many_depths_fit_80_columns() -> None:
    """Levels whose regions are too many to count, and more columns than there is room for."""
    deep = replace(SMALL, level=6, curves=("3",), depths=tuple(range(1, 7)), steps=1, points=200)
    console = Console(file=io.StringIO(), width=80)
    result = run(deep)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    assert "More than 50,000 regions were not counted" in text
    assert "boundaries" in plot(result)


def test_interruption_keeps_the_depths_that_were_finished() -> None:
    for depth, kept in ((1, set()), (2, {1})):

        def stop(steps: float = 1, note: str = "", at: str = f"depth {depth}") -> None:
            if note == at:
                raise KeyboardInterrupt

        stopped = run(SMALL, stop)
        assert stopped.interrupted and {row.depth for row in stopped.rows} == kept
        console = Console(file=io.StringIO(), width=200)
        report(stopped, console)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert ("interrupted before depth 1, 2." if depth == 1 else "before depth 2.") in text
        assert ("boundaries" in plot(stopped)) == bool(kept)


def test_progress_adds_up_to_its_total() -> None:
    done = 0.0

    def count(steps: float = 1, note: str = "") -> None:
        nonlocal done
        done += steps

    run(SMALL, count)
    assert done == pytest.approx(total_cost(SMALL))


def test_the_time_of_a_run_is_foretold_from_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a made-up clock a step takes 0.1 s, and recording the first one 5 s that do not count."""
    clock = [0.0]

    def slow_fit(model: object, X: Any, y: Any, *, batch_size: int, **_: object) -> None:
        clock[0] += 5 + 0.1 * X.shape[1] / batch_size

    monkeypatch.setattr(experiment, "fit", slow_fit)
    monkeypatch.setattr(experiment.time, "perf_counter", lambda: clock[0])
    alone = replace(SMALL, steps=400, curriculum=False)
    steps = alone.epochs * alone.steps_per_epoch * len(alone.depths)
    assert expected_seconds(alone) == pytest.approx(0.1 * steps)
    assert expected_seconds(replace(alone, curriculum=True)) > 0.1 * steps


def test_settings_of_paper_and_quick() -> None:
    paper = choose_settings({"paper": True, "seeds": 1})
    assert (paper.level, paper.width, paper.steps, paper.seeds) == (5, 100, 20_000, 1)
    assert paper.epochs * paper.steps_per_epoch == PAPER["steps"]
    assert choose_settings({"quick": True, "depths": (2,)}).depths == (2,)
    with refused("--level, --width with --paper"):
        choose_settings({"paper": True, "level": 4, "width": 8})
    assert curve_names("coarse, 2.5,inf") == ("coarse", "2.5", "inf")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "--depths 1 --curve coarse --steps 50 --width 4 --seeds 2 --level 1 --json".split()
    assert main(["fractal", *given, "--out", str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert {"settings", "environment", "rows", "summary"} <= set(json.loads(out))
    assert {path.name for path in tmp_path.iterdir()} == {
        "fractal.png",
        "networks.png",
        "accuracy.png",
        "boundaries.png",
        "result.json",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--fractal koch", "unknown value for --fractal 'koch'"),
        ("--level 11", "level 11 of dust: must be from 1 to 10; float32 cannot tell"),
        ("--ratio 0.6", "dust: the images of maps 1 and 2 overlap"),
        ("--ratio 0.5", "dust: the images fill the base"),
        ("--ratio 1.5", "ratio is 1.5: must be a number above 0 and below 1"),
        ("--fractal vicsek --ratio 0.2", "ratio 0.2 of vicsek: its ratio is fixed"),
        ("--ratio 0.45 --margin 0.5", "margin 0.5 is too large for the gap"),
        ("--margin 1", "--margin '1': expected a number from 0.0 to 0.99"),
        ("--curve sharp", "--curve 'sharp': unknown curve 'sharp'"),
        ("--curve coarse,-1", "--curve 'coarse,-1': beta of a curve is -1.0"),
        ("--curve fine,fine", "--curve 'fine,fine': each curve can stand in the list once only"),
        ("--depths 51", "--depths 51: expected at most 50 layers"),
        ("--paper --level 3", "--level with --paper"),
        ("--curriculum --curve fine", "--curriculum with --curve fine: expected two curves"),
    ],
)
def test_bad_input_is_one_line(
    given: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fractal", *given.split(), "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("scratchnet: ") and err.count("\n") == 1 and out == ""
    assert said in err and not list(tmp_path.iterdir())
