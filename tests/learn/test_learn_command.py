"""`scratchnet learn`: the folder, the progress, hints, skipping, watching, and the whole course."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scratchnet.backends.errors import InputError
from scratchnet.demos.learn import command, folder, running
from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.command import main, watch
from scratchnet.demos.learn.folder import PROGRESS, Folder
from scratchnet.demos.learn.judge import judge
from scratchnet.demos.learn.running import Checked
from scratchnet.demos.screen import Screen

FIRST, SECOND = list(exercises().values())[:2]
WRONG = "def backward(x, w, b, t):\n    return 1, 2, 3\n"


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks run here: solutions and starts are safe, and processes take time to start."""

    def check(exercise: Exercise, file: Path) -> Checked:
        return Checked(judge(exercise, file))

    monkeypatch.setattr(command, "check", check)
    monkeypatch.setattr(folder, "check", check)


@pytest.fixture
def started(tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of exercises, and the folder in which it lies is the one we are in."""
    monkeypatch.chdir(tmp_path)
    Folder.start(Path("learn"))
    yield tmp_path / "learn"


def write(started: Path, exercise: Exercise, text: str) -> None:
    (started / exercise.file_name).write_text(text)


def kept(started: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((started / PROGRESS).read_text())
    return found


def test_start_writes_a_file_for_each_exercise_and_overwrites_none(
    tmp_path: Path, in_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--start", str(tmp_path / "new" / "folder")]) == 0
    made = tmp_path / "new" / "folder"
    names = [each.file_name for each in exercises().values()]
    assert sorted(each.name for each in made.iterdir()) == sorted([*names, PROGRESS])
    assert names == sorted(names)
    write(made, SECOND, "mine")
    (made / FIRST.file_name).unlink()
    main([str(made), "--skip", FIRST.name])
    assert main(["--start", str(made)]) == 1  # mine is no solution
    assert (made / SECOND.file_name).read_text() == "mine"
    assert (made / FIRST.file_name).read_text() == FIRST.start
    assert kept(made)["skipped"] == [FIRST.name]
    assert f"2 of {len(names)}" in capsys.readouterr().out


def test_the_whole_course_to_its_last_screen(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, exercise in enumerate(exercises().values(), 1):
        assert main([]) == 0
        out = capsys.readouterr().out
        assert f"{number} of {len(exercises())}: {exercise.title}" in out and "Right." not in out
        assert "To do: the file is as it was given" in out
        write(started, exercise, exercise.solution)
        assert main([]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert "Right." in out and "Your lines:" in out
        file = exercise.sources[0].partition(":")[0]
        assert f"{file}, line " in out
    assert f"Done: {len(exercises())} of {len(exercises())} exercises solved." in out
    assert kept(started)["solved"] == list(exercises())
    assert main([]) == 0 and "Done:" in capsys.readouterr().out


def test_one_exercise_in_a_process_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Folder.start(tmp_path / "learn").path
    write(made, FIRST, FIRST.solution + "\nprint('hello')\n")
    assert main([str(made), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "right" and json.loads(out)["solved"] == [FIRST.name]
    assert "Your code prints:\n  hello" in err and "Right." in err


def test_a_wrong_answer_is_told_and_hints_come_one_by_one(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(started, FIRST, WRONG)
    assert main([]) == 1
    assert "Not yet right: dL/dw at x =" in (out := capsys.readouterr().out)
    assert f"{len(FIRST.hints)} hints left" in out
    for number in range(len(FIRST.hints)):
        assert main(["--hint"]) == 0
        out = capsys.readouterr().out
        assert f"Hint {number + 1} of" in out and out.count("Hint ") == 1
    assert main(["--hint"]) == 0
    assert capsys.readouterr().out.count("Hint ") == len(FIRST.hints)
    assert main([]) == 1
    assert "left" not in capsys.readouterr().out


def test_skip_open_and_list(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--skip", FIRST.name]) == 0
    assert f"2 of {len(exercises())}" in capsys.readouterr().out
    assert main(["--open", FIRST.file_name]) == 0
    assert f"1 of {len(exercises())}" in capsys.readouterr().out
    assert kept(started)["skipped"] == [] and kept(started)["opened"] == FIRST.name
    write(started, FIRST, FIRST.solution)
    assert main([]) == 0
    assert kept(started)["opened"] is None
    main(["--skip", SECOND.name])
    main(["--skip", FIRST.name])
    capsys.readouterr()
    assert main(["--list", "--json"]) == 0
    states = {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert states[FIRST.name] == "solved" and states[SECOND.name] == "skipped"
    assert list(states) == list(exercises())
    assert main(["--list"]) == 0
    assert f"solved  {FIRST.name}" in capsys.readouterr().out


def test_all_skipped_is_an_end_too(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in exercises():
        main(["--skip", name])
    out = capsys.readouterr().out
    assert f"Done: 0 of {len(exercises())}" in out and f"Skipped: {FIRST.name}" in out
    assert main(["--hint"]) == 0


def test_reset_keeps_a_copy_of_the_learners_file(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("first try", "second try"):
        write(started, FIRST, text)
        main(["--hint"])
        assert main(["--reset", FIRST.name]) == 0
    assert (started / FIRST.file_name).read_text() == FIRST.start
    copies = [started / f"010_chain_rule.kept-{number}.py" for number in (1, 2)]
    assert [copy.read_text() for copy in copies] == ["first try", "second try"]
    assert kept(started)["hints"] == {}
    assert "kept-2.py" in capsys.readouterr().out.replace("\n", "")


def test_reset_of_a_file_as_it_was_given_keeps_no_copy(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(started.iterdir())
    assert main(["--reset", SECOND.name]) == 0
    assert sorted(started.iterdir()) == before and "kept" not in capsys.readouterr().out


def test_a_folder_without_its_progress_is_checked_anew_when_it_is_started(started: Path) -> None:
    write(started, SECOND, SECOND.solution)
    (started / FIRST.file_name).write_bytes(b"\xff\xfe no Python")
    (started / PROGRESS).unlink()
    main(["--start", "learn"])
    assert kept(started)["solved"] == [SECOND.name]


def test_json_tells_what_was_done(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str) -> dict[str, object]:
        main([*arguments, "--json"])
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    assert told("--hint") == {"exercise": FIRST.name, "hints": [FIRST.hints[0]]}
    assert told()["verdict"] == "gap"
    assert told("--skip", FIRST.name)["skipped"] == [FIRST.name]
    assert len(list(told("--notebook"))) == 1
    for name in exercises():
        main(["--skip", name])
    capsys.readouterr()
    assert told()["exercise"] is None and told("--hint")["hints"] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"solved": 3}', "null", "\x00\xff"])
def test_a_damaged_progress_is_one_line_and_nothing_is_lost(
    text: str, started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(started, FIRST, FIRST.solution)
    write(started, SECOND, "broken(")
    (started / PROGRESS).write_text(text, "latin-1")
    main([])
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("progress.json could not be read") and "1 are right" in out
    assert (started / "progress.damaged-1.json").read_text("latin-1") == text
    assert kept(started)["solved"] == [FIRST.name]
    assert (started / SECOND.file_name).read_text() == "broken("


def test_names_that_are_no_exercises_in_the_progress_are_left_out(started: Path) -> None:
    values = {"solved": [FIRST.name, "gone"], "hints": {"gone": 1}, "opened": "gone", "more": 1}
    (started / PROGRESS).write_text(json.dumps(values))
    assert Folder(started).current() == SECOND
    assert Folder(started).progress().solved == [FIRST.name]


def test_a_missing_file_comes_back(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (started / FIRST.file_name).unlink()
    assert main([]) == 0
    assert "was missing" in capsys.readouterr().out
    assert (started / FIRST.file_name).read_text() == FIRST.start


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hint", "--watch"], "--watch and --hint"),
        (["--json", "--watch"], "--watch and --json"),
        (["--open", ""], "unknown exercise ''"),
        (["--open", FIRST.name, "--skip", ""], "--open and --skip"),
        (["--open", "chain_rul"], "chain_rule"),
        (["nowhere"], "scratchnet learn --start nowhere"),
        (["matmul"], "scratchnet learn --open matmul"),
        (["--start", ""], "--start ''"),
        ([""], "must be"),
        (["learn/010_chain_rule.py"], "scratchnet learn learn --open 010_chain_rule.py"),
        (["learn", "--start", "other"], "left out"),
        (["--start", "learn/progress.json"], "must be a folder"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: str, started: Path) -> None:
    with pytest.raises(InputError) as found:
        main(arguments)
    assert words in str(found.value) and "\n" not in str(found.value)


def test_without_a_folder_it_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert "scratchnet learn --start learn" in capsys.readouterr().out
    assert [*tmp_path.iterdir()] == []


def replaced(file: Path, text: str) -> None:
    """As editors save: a new file takes the place of the old."""
    beside = file.with_suffix(".swap")
    beside.write_text(text)
    os.replace(beside, file)


def test_watch_checks_on_every_save(started: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = started / FIRST.file_name, started / SECOND.file_name

    def nothing() -> None:
        return None

    def save(file: Path, text: str) -> Callable[[], None]:
        return lambda: replaced(file, text)

    def end() -> None:
        raise KeyboardInterrupt

    steps = iter(
        [
            nothing,
            save(first, WRONG),
            nothing,
            nothing,
            first.unlink,
            nothing,
            nothing,
            nothing,
            save(first, FIRST.solution),
            nothing,
            save(second, SECOND.solution + "\n"),
            nothing,
            end,
        ]
    )
    with pytest.raises(KeyboardInterrupt):
        watch(Folder(started), Screen(), wait=lambda: next(steps)())
    out = capsys.readouterr().out
    assert out.count("Not yet right") == 1 and out.count("Right.") == 2
    assert out.count(f"{first} is gone: save it under this name") == 1
    assert "and save it." in out and "run `scratchnet learn` again" not in out
    assert kept(started)["solved"] == [FIRST.name, SECOND.name]
    assert out.index("Not yet right") < out.index("Right.") < out.rindex("3 of ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_prediction_is_asked_for_once_where_somebody_sits_there(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = next(each for each in exercises().values() if each.predict)
    _, right = exercise.module.outcome()
    typed = iter(["nonsense", "abc"[right]])
    monkeypatch.setattr("builtins.input", lambda question: next(typed))
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", out := Terminal())
    assert main(["--open", exercise.name]) == 0
    assert "You were right." in out.getvalue() and "Found: " in out.getvalue()
    assert kept(started)["predicted"] == [exercise.name]
    assert main([]) == 0


def test_without_a_terminal_the_prediction_is_answered_with_the_solution(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exercise = next(each for each in exercises().values() if each.predict)
    assert main(["--open", exercise.name]) == 0
    out = capsys.readouterr().out
    assert "Predict: " in out and "  a) " in out and "Found: " not in out
    write(started, exercise, exercise.solution)
    assert main([]) == 0
    assert "Found: " in capsys.readouterr().out


def test_a_file_in_another_encoding_is_read_as_python_reads_it(
    started: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solution = FIRST.solution.replace("    z, y, loss = ", "    é = 1\n    z, y, loss = ")
    text = f"# -*- coding: latin-1 -*-\n{solution}"
    (started / FIRST.file_name).write_text(text.replace("\n", "\r\n"), "latin-1")
    assert main([]) == 0
    assert "é" in capsys.readouterr().out


def test_ctrl_c_ends_watching_as_it_should(
    started: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupted)
    assert main(["--watch"]) == 0
    assert "Waiting for a save" in (out := capsys.readouterr().out) and "Ended." in out


def test_the_learners_lines_are_shown_without_what_was_given() -> None:
    from scratchnet.demos.learn.showing import written_lines

    text = FIRST.start.replace("    raise NotImplementedError", "    dz = 1  # mine\n    return dz")
    assert written_lines(text, FIRST.start) == [
        "def backward(x: float, w: float, b: float, t: float) -> tuple[float, float, float]:",
        "    dz = 1  # mine",
        "    return dz",
    ]


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    for status in (None, -11, 0, 3):
        verdict = running.died(status, tmp_path / "traces", "x.py", 10)
        assert verdict.kind == "error" and "your code" in verdict.message


def test_a_file_that_cannot_be_written_is_named(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the one beside it, from which it would be replaced."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "beside")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError) as told:
        main(["--skip", FIRST.name])
    assert told.value.filename == str(Path("learn") / PROGRESS)
    assert not [each for each in started.iterdir() if each.name.startswith(".")]
