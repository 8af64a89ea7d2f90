"""Every exercise: right solutions are accepted, mistakes are named, texts are in order."""

import ast
from pathlib import Path

import pytest

from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.judge import judge, with_slip
from scratchnet.demos.learn.source import lines_of

HERE = Path(__file__).parent
EVERY = pytest.mark.parametrize("exercise", exercises().values(), ids=exercises())


def files(kind: str) -> list[Path]:
    """The files of that kind, of all exercises."""
    return sorted(HERE.glob(f"*/{kind}_*.py"))


def name_of(file: Path) -> str:
    return f"{file.parent.name}-{file.stem}"


@pytest.mark.parametrize("file", files("right"), ids=name_of)
def test_a_right_solution_is_accepted(file: Path) -> None:
    verdict = judge(exercises()[file.parent.name], file)
    assert verdict.is_right, verdict.message


@pytest.mark.parametrize("file", files("wrong"), ids=name_of)
def test_a_mistake_is_named(file: Path) -> None:
    head, _, says = file.read_text().splitlines()[0].partition("# says: ")
    assert not head and says
    exercise = exercises()[file.parent.name]
    verdict = with_slip(judge(exercise, file), exercise)
    assert verdict.kind in ("wrong", "error") and says in verdict.message, verdict


@EVERY
def test_the_solution_is_right_and_the_start_is_a_gap(exercise: Exercise, tmp_path: Path) -> None:
    (solution := tmp_path / "solution.py").write_text(exercise.solution)
    (start := tmp_path / "start.py").write_text(exercise.start)
    verdict = judge(exercise, solution)
    assert verdict.is_right, verdict.message
    assert not judge(exercise, start).is_right


@EVERY
def test_there_are_enough_solutions_and_mistakes(exercise: Exercise) -> None:
    assert len([*HERE.glob(f"{exercise.name}/right_*.py")]) >= 3
    assert len([*HERE.glob(f"{exercise.name}/wrong_*.py")]) >= 5


@EVERY
def test_the_texts_are_in_order(exercise: Exercise) -> None:
    assert exercise.title and exercise.teaches.endswith(".")
    assert len(exercise.hints) >= 2
    assert 40 <= exercise.words_to_read <= 450
    assert 1 <= exercise.lines_to_write <= 25
    for source in exercise.sources:
        assert f"Source: {source}" in exercise.lesson
        assert len(lines_of(source)) > 1
    if exercise.predict:
        assert 2 <= len(exercise.predict.choices) <= 3
        found, right = exercise.module.outcome()
        assert found and 0 <= right < len(exercise.predict.choices)


def test_places_differ_and_every_folder_of_tests_belongs_to_an_exercise() -> None:
    places = [each.place for each in exercises().values()]
    assert len(set(places)) == len(places)
    assert {file.parent.name for file in files("*")} <= set(exercises())


@EVERY
def test_the_learners_files_are_plain_python(exercise: Exercise) -> None:
    for text in (exercise.start, exercise.solution):
        names = {node.name for node in ast.walk(ast.parse(text)) if hasattr(node, "name")}
        assert not {name for name in names if name and name.startswith("__")} - {"__init__"}
