"""The exercises as notebooks: the lesson, the gaps, the check, and the hints."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.judge import judge_names, with_slip
from scratchnet.demos.learn.limits import SECONDS
from scratchnet.demos.learn.running import Checked, check_copy
from scratchnet.demos.learn.showing import MOST_PRINTED_LINES, shortened
from scratchnet.demos.learn.source import lines_of


def write_notebooks(folder: Path) -> Iterator[str]:
    """Write those that are not there yet; a line for each, and one for what is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for exercise in exercises().values():
        file = (folder / exercise.file_name).with_suffix(".ipynb")
        try:
            with open(file, "x", encoding="utf-8") as written:
                json.dump(notebook(exercise), written, indent=1)
        except FileExistsError:
            yield f"{file} is there already and stays as it is"
        else:
            yield str(file)


def notebook(exercise: Exercise) -> dict[str, Any]:
    """The notebook, in Jupyter's format 4.5."""
    hints = "\n".join(
        f"<details><summary>Hint {number}</summary>{hint}</details>"
        for number, hint in enumerate(exercise.hints, 1)
    )
    cells = [
        cell("lesson", f"# {exercise.title}\n\n{HOW}\n\n```text\n{exercise.lesson}\n```"),
        cell("gap", code_of(exercise.start), code=True),
        cell("check", CHECK.format(name=exercise.name), code=True),
        cell("hints", hints),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


HOW = (
    "Fill the gaps in the cell below and run it, then the cell with the check. The check runs your "
    f"functions in a copy of this process, with at most {SECONDS} seconds and 2 GB (on Windows "
    "without limits: interrupt an endless loop there)."
)
CHECK = 'from scratchnet.demos.learn.notebooks import check\n\ncheck("{name}", globals())'


def cell(name: str, text: str, code: bool = False) -> dict[str, Any]:
    """A cell with that id."""
    common = {"id": name, "metadata": {}, "source": text.splitlines(keepends=True)}
    if code:
        return {"cell_type": "code", "execution_count": None, "outputs": [], **common}
    return {"cell_type": "markdown", **common}


def code_of(start: str) -> str:
    """The file without its docstring."""
    first = ast.parse(start).body[0]
    return "\n".join(start.splitlines()[first.end_lineno :]).strip("\n")


def check(name: str, names: dict[str, Any]) -> None:
    """Check the names of a notebook and print the verdict; after a right one the engine's lines.

    They are checked in a copy of the notebook's process, which has the limits of `running.check`.
    Windows copies no process: there the check runs in the notebook's own, without limits.
    """
    exercise = exercises()[name]
    if hasattr(os, "fork"):
        checked = check_copy(exercise, lambda: judge_names(exercise, names), SECONDS)
    else:
        checked = Checked(with_slip(judge_names(exercise, names), exercise))
    if checked.printed:
        lines = shortened(checked.printed.splitlines(), MOST_PRINTED_LINES)
        print("\n".join(["Your code prints:", *lines, ""]))
    print(checked.verdict)
    if checked.verdict.is_right:
        print()
        for source in exercise.sources:
            print("\n".join(lines_of(source)))
