"""The exercises as notebooks: their cells run, before and after the gaps are filled."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.notebooks import check, code_of, notebook, write_notebooks

EVERY = pytest.mark.parametrize("exercise", exercises().values(), ids=exercises())


def run(cells: list[dict[str, Any]], solution: str = "") -> None:
    """Run the code cells, as a kernel does; the solution stands in for what the learner types."""
    names: dict[str, Any] = {"__name__": "__main__"}
    codes = ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    for number, code in enumerate(codes):
        exec(compile(solution if solution and number == 0 else code, "<cell>", "exec"), names)


@EVERY
def test_the_notebook_runs(
    exercise: Exercise, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(write_notebooks(tmp_path))
    file = (tmp_path / exercise.file_name).with_suffix(".ipynb")
    cells = json.loads(file.read_text())["cells"]
    assert exercise.lesson in "".join(cells[0]["source"])
    run(cells)
    assert capsys.readouterr().out.startswith(("To do: ", "Not yet right: "))
    run(cells, exercise.solution)
    out = capsys.readouterr().out
    assert out.startswith("Right.") and ", line " in out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be copied here")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    while True:\n        pass", "ran longer than 1 seconds (line "),
        ("    import os\n    os._exit(0)", "ended the process before the check was over"),
        ("    import os\n    os.remove('/nobodys')", "changes the file"),
        ("    exit()", "your code calls exit()"),
        ("    x = bytearray(2**40)", "needs more memory than a check allows (line 2)"),
        ("    while True:\n        print('flood')", "prints or writes more"),
        ("    return backward(x, w, b, t)", "RecursionError"),
    ],
)
def test_the_check_of_a_notebook_has_the_limits_of_a_file(
    body: str, words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scratchnet.demos.learn.notebooks.SECONDS", 1)
    cells = notebook(next(iter(exercises().values())))["cells"]
    before = os.getcwd()
    run(cells, f"def backward(x, w, b, t):\n{body}\n")
    out = capfd.readouterr().out
    assert "Error: " in out and words in out and out.count("\n") < 25
    assert os.getcwd() == before and os.path.isdir(before)


def test_what_a_notebooks_code_prints_is_shown_and_its_names_stay(
    capfd: pytest.CaptureFixture[str],
) -> None:
    exercise = next(iter(exercises().values()))
    calls: list[int] = []
    names: dict[str, Any] = {"__name__": "__main__", "calls": calls}
    loud = exercise.solution.replace("    z, y,", "    calls.append(print('hello'))\n    z, y,")
    exec(compile(loud, "<cell>", "exec"), names)
    check(exercise.name, names)
    assert capfd.readouterr().out.startswith("Your code prints:\nhello\n") and not calls


def test_a_notebook_that_is_there_stays(tmp_path: Path) -> None:
    first = next(iter(exercises().values()))
    (file := (tmp_path / first.file_name).with_suffix(".ipynb")).write_text("mine")
    lines = list(write_notebooks(tmp_path))
    assert "stays as it is" in lines[0] and file.read_text() == "mine"
    assert len([*tmp_path.glob("*.ipynb")]) == len(exercises())


@EVERY
def test_the_notebooks_are_in_jupyters_format(exercise: Exercise) -> None:
    """What the schema of nbformat 4.5 asks for."""
    made = notebook(exercise)
    assert set(made) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in made["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch("[a-zA-Z0-9-_]{1,64}", i) for i in ids)
    for cell in made["cells"]:
        is_code = cell["cell_type"] == "code"
        more = {"execution_count", "outputs"} if is_code else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | more


def test_the_code_of_a_notebook_is_the_file_without_its_lesson() -> None:
    first = next(iter(exercises().values()))
    assert code_of(first.start).startswith("import math\n\n\ndef forward")
