"""The mechanism of experiments: settings, rows, learning rates, interruption, files."""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from scratchnet import SGD, demos, mlp
from scratchnet.backends.errors import InputError
from scratchnet.datasets import digits
from scratchnet.demos import experiment as mechanism
from scratchnet.demos import registry, running
from scratchnet.demos.command_line import main
from scratchnet.demos.drawing import learning_rate_figure
from scratchnet.demos.experiment import Experiment, execute, rate_notes, run_small
from scratchnet.demos.progress import Estimate, progress
from scratchnet.demos.running import Result, Run
from scratchnet.demos.settings import Common, help_rows, option, parse, resolve, usage
from scratchnet.demos.tuning import (
    RATES,
    TUNING_SEEDS,
    Arm,
    Data,
    Tuned,
    best_rate,
    digit_images,
    is_bracketed,
    stream,
    tuned,
)

EXAMPLE = inspect.cleandoc(demos.__doc__ or "").split("This is a whole one:")[1]
CIRCLES: dict[str, Any] = {"__name__": "circles_example"}


@pytest.fixture(scope="module", autouse=True)
def example() -> None:
    import textwrap
    import types

    sys.modules["circles_example"] = types.ModuleType("circles_example")
    sys.modules["circles_example"].__dict__.update(CIRCLES)
    exec(textwrap.dedent(EXAMPLE), sys.modules["circles_example"].__dict__)


def circles() -> Experiment:
    found: Experiment = sys.modules["circles_example"].experiment  # type: ignore[attr-defined]
    return found


def tiny(tmp_path: Path, *more: str) -> list[str]:
    return ["--widths", "2,3", "--epochs", "3", "--out", str(tmp_path), *more]


# Settings


@dataclass(frozen=True)
class Settings(Common):
    optimizer: Literal["sgd", "adam"] = option("sgd", "How.")
    epochs: int = option({"sgd": 30, "adam": 6}, "Steps.", by="optimizer", quick=2, low=1, high=99)
    depths: tuple[int, ...] = option((1, 2), "Layers.", low=1, high=64, chooses_arms=True)
    rules: tuple[Literal["he", "lecun"], ...] = option(("he",), "Which.")
    noise: float = option(0.1, "Of the data.", low=0, above=True, high=2)
    limit: float | None = option(None, "Any.")


def given(*arguments: str) -> Settings:
    return resolve(Settings, parse(Settings, arguments))


def test_defaults_depend_on_other_fields_and_on_quick() -> None:
    assert (given().epochs, given("--optimizer", "adam").epochs) == (30, 6)
    assert given("--quick").epochs == 2
    assert given("--quick", "--epochs=7").epochs == 7
    assert (given().seeds, given("--quick").seeds) == (10, 3)


def test_every_type_is_read() -> None:
    s = given("--depths", "4, 2", "--rules=lecun,he", "--noise", ".5", "--limit", "-1e3", "--csv")
    assert (s.depths, s.rules, s.noise, s.limit, s.csv) == (
        (4, 2),
        ("lecun", "he"),
        0.5,
        -1e3,
        True,
    )
    assert given("--no-record").record is False
    several = given("--depths", "4", "2", "--rules", "lecun", "he", "--csv")
    assert (several.depths, several.rules, several.csv) == ((4, 2), ("lecun", "he"), True)
    assert given("--out=~/x").out == Path.home() / "x"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--seeds 1000000000", ["--seeds", "from 1 to 10,000"]),
        ("--seeds 0", ["--seeds 0", "from 1 to 10,000"]),
        ("--seeds 1e3", ["--seeds '1e3'", "a whole number", "without a fraction or exponent"]),
        ("--epochs 1e20", ["--epochs '1e20'", "from 1 to 99"]),
        ("--epochs 99999999999999999999", ["--epochs", "from 1 to 99"]),
        ("--epochs " + 5000 * "9", ["--epochs", "..."]),
        ("--noise 0", ["--noise 0", "above 0 and at most 2"]),
        ("--noise nan", ["--noise nan", "above 0"]),
        ("--noise inf", ["--noise inf", "at most 2"]),
        ("--depths 1,65", ["--depths 65", "from 1 to 64"]),
        ("--depths 2,2", ["--depths 2,2", "repetitions"]),
        ("--depths 2 x", ["--depths 'x'", "a whole number from 1 to 64"]),
        ("--noise 1 2", ["'2'", "--help"]),
        ("--depths 1,,2", ["--depths ''", "a whole number from 1 to 64"]),
        ("--rules hee", ["'hee'", "did you mean 'he'"]),
        ("--optimizer adm", ["'adm'", "did you mean 'adam'"]),
        ("--optimiser sgd", ["'--optimiser'", "did you mean '--optimizer'"]),
        ("--epochs", ["--epochs", "must be given a whole number"]),
        ("--quick=1", ["--quick=1", "without a value"]),
        ("--out ~nobody-here/x", ["--out ~nobody-here/x", "home of a user"]),
        ("extra", ["'extra'", "--help"]),
    ],
)
def test_bad_input_is_one_line_that_says_what_must_be(arguments: str, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        given(*arguments.split())
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    for part in expected:
        assert part in message


@dataclass(frozen=True)
class Placed(Common):
    file: Path | None = option(None, "A saved model.", positional=True)
    numbers: tuple[int, ...] | None = option(
        None, "More.", low=1, high=9, metavar="NUMBER", positional=True
    )


def test_words_without_an_option_fill_the_positional_fields_in_order() -> None:
    assert (resolve(Placed, {}).file, resolve(Placed, {}).numbers) == (None, None)
    s = resolve(Placed, parse(Placed, "--seeds 5 ~/model --csv 3 4".split()))
    assert (s.file, s.numbers, s.seeds) == (Path.home() / "model", (3, 4), 5)
    assert parse(Placed, ["a=b"]) == {"file": Path("a=b")}
    assert usage(Placed) == "[FILE] [NUMBER]... [OPTIONS]"
    rows = dict(help_rows(Placed, "fake"))
    assert (rows["FILE"], rows["NUMBER"]) == ("A saved model.", "More.")
    for arguments, expected in (
        ("m 10", "NUMBER 10: must be a whole number from 1 to 9"),
        ("m x", "NUMBER 'x': must be a whole number from 1 to 9"),
        ("--file m", "unknown option '--file'"),
    ):
        with pytest.raises(InputError, match=expected):
            parse(Placed, arguments.split())
    with pytest.raises(InputError, match="NUMBER 10: must be"):
        resolve(Placed, {"numbers": (10,)})


def test_help_names_every_option_with_its_default() -> None:
    rows = dict(help_rows(Settings, "fake"))
    assert "quick: 2" in rows["--epochs N"] and "adam 6" in rows["--epochs N"]
    assert "[runs/fake]" in rows["--out PATH"]
    assert "--no-record" in rows
    assert len(rows) == len(fields(Settings))


def test_an_experiment_leaves_out_options_that_make_no_sense_for_it() -> None:
    @dataclass(frozen=True)
    class Point(Common):
        without = ("seeds", "resume")
        at: tuple[float, ...] = option((1, 2), "Where.", repeats=True)

    assert resolve(Point, parse(Point, ["--at", "3,3"])).at == (3, 3)
    assert not {"--seeds N", "--resume"} & set(dict(help_rows(Point, "point")))
    with pytest.raises(InputError, match="--seeds"):
        parse(Point, ["--seeds", "3"])


# Rows and learning rates


def test_the_example_of_the_package_runs_with_its_sweep() -> None:
    result = run_small(circles(), quick=False, epochs=3, seeds=5)
    assert result.tuned["width 2"].scores.shape[1] == TUNING_SEEDS
    assert {row.part for row in result.rows} == {"tuning", "verdict"}
    names = [each.name for each in mechanism.judge(circles().claims(result))]
    assert len(names) == 1


def test_rows_keep_their_bits_when_seeds_and_arms_are_added() -> None:
    few = run_small(circles(), quick=False, epochs=4, seeds=2, widths=(3,))
    many = run_small(circles(), quick=False, epochs=4, seeds=5, widths=(2, 3))
    assert few.tuned["width 3"].best == many.tuned["width 3"].best
    for name, values in few["width 3"].measures.items():
        if not name.endswith("seconds"):
            np.testing.assert_array_equal(values, many["width 3"][name][:2])


def test_tuning_seeds_are_never_verdict_seeds_and_see_no_test_data() -> None:
    result = run_small(circles(), quick=False, epochs=2, seeds=2)
    verdict = {seed for row in result.verdict_rows() for seed in row.seeds}
    tuning = [row for row in result.rows if row.part == "tuning"]
    assert verdict.isdisjoint(seed for row in tuning for seed in row.seeds)
    assert all("test_accuracy" not in row.measures for row in tuning)


def scored(best: int) -> Arm:
    """An arm whose score is best at the rate 2**best."""

    def train(arm: Any, seeds: Any, rates: Any, *_: Any) -> Any:
        score = -np.abs(np.log2(np.array(rates)) - best)
        return {"validation_score": score, "seconds": 0 * score}, {}

    rates = (1.0, 2.0, 4.0, 8.0, 16.0)
    none: Any = None
    return Arm("arm", none, none, none, rates, 1, train=train)


@pytest.mark.parametrize(
    ("best", "rate", "bracketed", "tried"),
    [(2, 4.0, True, 5), (5, 32.0, True, 7), (-1, 0.5, True, 7), (9, 64.0, False, 7)],
)
def test_a_best_rate_at_an_edge_extends_the_grid_once(
    best: int, rate: float, bracketed: bool, tried: int
) -> None:
    run = Run(resolve(Settings, {}))
    tuned(run, scored(best))
    found = run.result.tuned["arm"]
    assert (found.best, found.bracketed, len(found.rates)) == (rate, bracketed, tried)
    assert run.result["arm"].facts["learning_rate"] == rate
    assert bool(run.result.untested("arm")) != bracketed


def test_digits_are_split_anew_for_each_seed_with_all_images_once() -> None:
    pytest.importorskip("sklearn", reason="the extra 'data'")
    data, alone = digit_images([3, 4]), digit_images([4])
    X, y, X_more, y_more = digits()
    images = [each.tobytes() for each in (*X, *X_more)]
    known = dict(zip(images, (*y, *y_more), strict=True))
    seen = []
    for part, labels, single in (
        (data.X, data.y, alone.X),
        (data.X_validation, data.y_validation, alone.X_validation),
        (data.X_test, data.y_test, alone.X_test),
    ):
        np.testing.assert_array_equal(part[1], single[0])
        assert not np.array_equal(part[0], part[1])
        for network in part:
            assert [known[image.tobytes()] for image in network] == labels.tolist()
        seen += [image.tobytes() for image in part[0]]
    assert sorted(seen) == sorted(images)


def test_of_equal_rates_the_smallest_is_taken_and_divergence_is_worst() -> None:
    scores = np.array([[0.5, 0.5], [0.9, 0.9], [0.9, 0.9], [1.0, np.nan], [np.nan, np.nan]])
    assert best_rate(scores) == 1
    assert is_bracketed(np.ones((5, 2))) and not is_bracketed(np.arange(10.0).reshape(5, 2))
    rising = np.linspace(0, 1, 5)[:, None]
    assert is_bracketed(0.5 + 0.009 * rising) and not is_bracketed(0.5 + 0.011 * rising)
    assert not is_bracketed(np.full((5, 2), np.nan))  # smaller rates may not diverge
    assert not is_bracketed(-0.009 + 0.008 * rising)  # losses, of which a point is no measure


def test_arms_whose_accuracy_is_the_same_at_every_rate_are_named() -> None:
    result = Result(None)
    peaked = np.array([[0.5], [0.6], [0.7], [0.6], [0.5]])
    for name, scores in (("flat", np.full((5, 1), 0.5)), ("peaked", peaked), ("one rate", None)):
        result.tuned[name] = Tuned(None, (1, 2, 3, 4, 5), scores, 3, True)  # type: ignore[arg-type]
    assert rate_notes(result)[1:] == ["Within a point at every rate that was tried: flat."]


# A run, from the command line to its files


def test_a_run_says_what_it_asks_then_answers_and_leaves_its_files(
    tmp_path: Path, capsys: Any
) -> None:
    defined = replace(circles(), definitions=("A circle is round.",))
    assert defined.main(tiny(tmp_path, "--seeds", "5", "--csv", "--vector")) == 0
    out = capsys.readouterr().out
    order = [
        "Does a circle need",
        "is round",
        "Claimed by",
        "Setting",
        "Look for",
        "Answer",
        "Claims",
        "Next",
    ]
    assert [out.index(word) for word in order] == sorted(out.index(word) for word in order)
    record = json.loads((tmp_path / "result.json").read_text())
    assert {"settings", "environment", "rows", "claims"} <= set(record)
    for row in record["rows"]:
        lists = [value for value in row.values() if isinstance(value, list)]
        assert {len(value) for value in lists} == {len(row["seeds"])}
    assert (tmp_path / "learning-rates.png").exists() and (tmp_path / "learning-rates.svg").exists()
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(row["seeds"]) for row in record["rows"])


@pytest.mark.parametrize(
    ("encoding", "columns", "shown"),
    [
        ("utf-8", "80", "a ─┬ b"),
        ("ascii", "80", "a -+ b"),
        ("utf-8", "20", "drawing of 24 columns"),
    ],
)
def test_a_drawing_is_printed_as_it_is_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, encoding: str, columns: str, shown: str
) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", columns)
    lines = [("a ─┬ b" + 18 * " ",), ("   └ [c]",)]
    mechanism.print_table(mechanism.Table((), lines), mechanism.Screen(json=False))
    stream.flush()
    text = written.getvalue().decode(encoding)
    assert shown in " ".join(text.split()) and ("[c]" in text) == (columns == "80")


def test_definitions_stand_before_all_else(tmp_path: Path, capsys: Any) -> None:
    defined = replace(circles(), definitions=("A circle is round.",))
    for arguments in (tiny(tmp_path, "--quick"), ["--help"]):
        assert defined.main(arguments) == 0
        out = capsys.readouterr().out
        assert out.index("A circle is round.") < out.index("Claimed by")


def test_json_is_alone_on_stdout(tmp_path: Path, capsys: Any) -> None:
    assert circles().main(tiny(tmp_path, "--quick", "--json")) == 0
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert [each["verdict"] for each in printed["claims"]] == ["not tested"]
    assert "compared at one learning rate" in " ".join(captured.err.split())


def interrupting(after: int) -> Any:
    """`Run.row` that is interrupted after so many rows."""
    original, count = Run.row, [0]

    def row(self: Run, *args: Any, **more: Any) -> Any:
        if count[0] == after:
            raise KeyboardInterrupt
        count[0] += 1
        return original(self, *args, **more)

    return row


def test_an_interrupted_run_keeps_what_is_finished_and_is_resumed(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Run, "row", interrupting(1))
        assert circles().main(tiny(tmp_path, "--quick")) == 130
    first = json.loads((tmp_path / "result.json").read_text())
    assert [row["arm"] for row in first["rows"]] == ["width 2"] and first["interrupted"]
    assert "Interrupted" in capsys.readouterr().out
    trained = []
    monkeypatch.setattr(
        "scratchnet.demos.tuning.train_networks",
        lambda arm, *rest, original=sys.modules[tuned.__module__].train_networks: (
            trained.append(arm.name) or original(arm, *rest)
        ),
    )
    assert circles().main(tiny(tmp_path, "--quick", "--resume")) == 0
    assert trained == ["width 3"]
    second = json.loads((tmp_path / "result.json").read_text())
    assert second["rows"][0] == first["rows"][0]
    assert circles().main(tiny(tmp_path, "--quick", "--resume", "--noise", "1")[:0] or ["-h"]) == 0


def test_a_run_that_is_interrupted_before_its_first_arm_is_finished_reports_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "row", interrupting(1))  # after the sweep of the first arm
    with pytest.raises(KeyboardInterrupt):
        circles().main(tiny(tmp_path))
    assert "Answer" not in capsys.readouterr().out and not (tmp_path / "result.json").exists()
    assert len(list((tmp_path / "arms").glob("*.npz"))) == 1


def test_what_is_resumed_depends_on_settings_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(**changed: Any) -> str:
        run = Run(resolve(Settings, changed), "x")
        return run.key("arm", {"depth": 1}, (0, 1), "verdict")

    assert key() == key(depths=(7,)) == key(seeds=3) == key(vector=True)
    assert len({key(), key(noise=0.2), key(epochs=5), key(precision="bf16")}) == 4
    before = key()
    monkeypatch.setattr(running, "source_digest", lambda: "changed")
    assert key() != before


def test_an_interruption_while_figures_are_drawn_keeps_the_numbers(
    tmp_path: Path, capsys: Any
) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    drawing = replace(circles(), figures=lambda result: {"circles": interrupted})
    assert drawing.main(tiny(tmp_path, "--quick")) == 130
    assert (tmp_path / "result.json").exists()
    assert "Answer" in capsys.readouterr().out


@pytest.mark.parametrize("full", ["result.json", "rows.csv"])
def test_a_file_that_cannot_be_written_costs_neither_the_others_nor_the_answer(
    full: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        if path.name == full:
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr(mechanism, "write_atomically", write)
    with pytest.raises(OSError, match=f"No space left.*{full}"):
        circles().main(tiny(tmp_path, "--quick", "--csv"))
    assert "Answer" in capsys.readouterr().out
    written = {each.name for each in tmp_path.iterdir() if each.is_file()}
    assert written == {"result.json", "rows.csv"} - {full}


def test_all_that_could_not_be_written_or_drawn_is_named(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mechanism, "write_atomically", full)
    drawing = replace(circles(), figures=lambda result: {"circles": full})
    with pytest.raises(OSError, match="result.json; .*rows.csv; .*circles.png"):
        drawing.main(tiny(tmp_path, "--quick", "--csv"))
    assert "Answer" in capsys.readouterr().out


def test_places_that_cannot_be_written_are_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mechanism, "compute", lambda *_: pytest.fail("it computed"))
    (tmp_path / "file").touch()
    (tmp_path / "runs").symlink_to(tmp_path / "nowhere")
    for place, part in (("file", "is a file"), ("file/x", "is a file"), ("runs/x", "to nothing")):
        with pytest.raises(InputError, match=part):
            circles().main(tiny(tmp_path / place, "--quick"))


def test_memory_is_estimated_before_it_is_taken(tmp_path: Path) -> None:
    greedy = replace(circles(), memory=lambda settings: 1e15)
    settings = resolve(greedy.settings, {"quick": True, "out": tmp_path})
    with pytest.raises(InputError, match="GiB of memory: must be at most .* 80%"):
        execute(greedy, settings)


SPIRAL = "--quick --depths 1 --epochs 3 --width 3 --points 20"


def command(tmp_path: Path, more: str = "", **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from scratchnet.demos.command_line import main; sys.exit(main())",
            *("spiral", *SPIRAL.split(), *more.split(), "--out", str(tmp_path / "out")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )


def test_a_reader_that_goes_away_ends_the_printing_and_not_the_run(tmp_path: Path) -> None:
    run = command(tmp_path)
    assert run.stdout is not None
    run.stdout.close()
    assert run.wait() == 0
    assert run.stderr is not None and run.stderr.read() == ""
    assert json.loads((tmp_path / "out" / "result.json").read_text())["rows"]
    assert (tmp_path / "out" / "overview.png").exists()


def test_the_users_matplotlib_settings_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: nonsense\n")
    run = command(tmp_path, MPLBACKEND="does_not_exist", MATPLOTLIBRC=str(tmp_path), COLUMNS="0")
    _, error = run.communicate()
    assert run.returncode == 0, error
    assert (tmp_path / "out" / "overview.png").exists()


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    run = command(tmp_path, "--depths 1,2 --epochs 10000000")
    assert run.stdout is not None
    while "Takes about" not in run.stdout.readline():
        pass
    time.sleep(0.3)
    run.send_signal(signal.SIGTERM)
    assert run.wait() == 130
    assert (
        run.stderr is not None and run.stderr.read().splitlines()[-1] == "scratchnet: interrupted"
    )


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_numbers_and_commands_are_whole_on_narrow_screens(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["spiral", *SPIRAL.split(), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert "  scratchnet spiral --protocol chapter --batch-norm\n" in out


# Progress


def test_the_time_left_is_shown_once_it_can_be_estimated() -> None:
    now = [0.0]
    stream = io.StringIO()
    with progress("work", 1000, stream, lambda: now[0]) as advance:
        for _ in range(30):
            now[0] += 11
            advance(10 / 3, note="arm", value=0.5)
    lines = stream.getvalue().splitlines()
    assert "left" not in lines[0] and "loss 0.5" in lines[0]
    assert "min left" in lines[-1]


def test_a_line_of_a_log_is_whole() -> None:
    stream = io.StringIO()
    with progress("work", 10, stream, iter([0.0, 11.0]).__next__) as advance:
        advance(note=100 * "x", value=0.5)
    assert stream.getvalue().endswith("x, loss 0.5, about 2 min left\n")


def test_the_time_left_follows_the_speed_smoothly() -> None:
    estimate = Estimate(100.0, 0.0)
    for second in range(1, 21):
        estimate.update(2.0 * second, float(second))
    assert estimate.seconds_left(20.0) == pytest.approx(30)
    estimate.update(40.0, 21.0)
    left = estimate.seconds_left(21.0)
    assert left is not None and 30 < left < 36


# The registry


def test_the_registry_finds_what_has_a_summary() -> None:
    entry = registry.entries()["spiral"]
    assert entry.load().name == "spiral"
    experiments = {name: each for name, each in registry.entries().items() if each.is_experiment}
    assert all(each.load().name == name for name, each in experiments.items())


def test_a_run_from_the_registry_leaves_a_record(tmp_path: Path) -> None:
    assert registry.entries()["spiral"].main([*SPIRAL.split(), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "result.json").exists()


def test_networks_of_an_ensemble_with_given_seeds() -> None:
    assert mlp([2, 1], seed=[5, 5], ensemble=2).seeds == (5, 5)


def test_a_kept_row_whose_entry_is_no_array_is_computed_anew(tmp_path: Path) -> None:
    """np.load gives such an entry as bytes."""
    path = tmp_path / "row.npz"
    running.write(path, {"accuracy": 0.5}, {})
    assert running.read(path) == ({"accuracy": np.array(0.5)}, {})
    for name, content in (("m:accuracy", b"no array"), ("x", b"")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
        assert running.read(path) is None


def test_a_regression_is_tuned_and_measured_by_its_loss() -> None:
    def data(seeds: Any) -> Data:
        X = np.stack([stream(seed, 3).normal(size=(20, 1)) for seed in seeds])
        return Data(*[X, 2 * X] * 3, loss="mean_squared_error")

    def build(seeds: Any) -> Any:
        return mlp([1, 1], seed=list(seeds), ensemble=len(seeds))

    run = Run(resolve(Settings, {"seeds": 2}))
    row = tuned(run, Arm("line", build, data, SGD, RATES["sgd"], 5))
    np.testing.assert_allclose(-row["validation_score"], row["loss"], rtol=1e-5)
    np.testing.assert_allclose(row["test_loss"], row["loss"], rtol=1e-5)
    # After five steps the largest stable rate is the nearest to y = 2 x.
    assert run.result.tuned["line"].best > 0.1 and "test_accuracy" not in row.measures
    figure = learning_rate_figure(run.result)
    assert figure.axes[0].get_ylabel() == "validation loss"
    best, scores = run.result.tuned["line"].best, run.result.tuned["line"].scores.mean(axis=1)
    lines = f"Best learning rates (rings): {best:g}; from worst to best lie up to "
    lines += f"{scores.min() / scores.max():.2g} times the loss (line)"
    assert figure.get_suptitle().replace("\n", " ") == lines
