"""The exercises: a folder each, with `start.py`, `check.py`, `solution.py` and `exercise.toml`."""

from __future__ import annotations

import ast
import difflib
import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from scratchnet.backends.errors import choose

FOLDER = Path(__file__).parent / "exercises"
PACKAGE = "scratchnet.demos.learn.exercises"


@dataclass(frozen=True)
class Prediction:
    """A question before the exercise; `outcome()` in its check.py answers it by a run.

    `outcome()` returns what was found, in words, and the number of the choice that it bears out.
    """

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Exercise:
    """One exercise. `place` gives the order; `sources` are places such as scratchnet/x.py:name."""

    name: str
    place: int
    title: str
    teaches: str
    hints: tuple[str, ...]
    sources: tuple[str, ...]
    predict: Prediction | None = None

    @property
    def file_name(self) -> str:
        """The name of the learner's file, which sorts by place."""
        return f"{self.place:03d}_{self.name}.py"

    @cached_property
    def start(self) -> str:
        """The file that the learner gets."""
        return (FOLDER / self.name / "start.py").read_text("utf-8")

    @cached_property
    def solution(self) -> str:
        """A right solution."""
        return (FOLDER / self.name / "solution.py").read_text("utf-8")

    @property
    def lesson(self) -> str:
        """The text: the docstring of the learner's file."""
        return ast.get_docstring(ast.parse(self.start)) or ""

    @property
    def words_to_read(self) -> int:
        """The words of the learner's file outside of its code: docstrings and comments."""
        tree = ast.parse(self.start)
        kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
        texts = [
            ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)
        ]
        comments = [line.partition("#")[2] for line in self.start.splitlines()]
        return sum(len(text.split()) for text in (*texts, *comments))

    @property
    def lines_to_write(self) -> int:
        """The lines of the solution that the learner's file lacks."""
        start, solution = code_lines(self.start), code_lines(self.solution)
        changes = difflib.SequenceMatcher(None, start, solution, autojunk=False).get_opcodes()
        return sum(last - first for kind, _, _, first, last in changes if kind != "equal")

    @property
    def module(self) -> Any:
        """Its check.py, with `check(learner)`, and `outcome()` where there is a prediction."""
        return importlib.import_module(f"{PACKAGE}.{self.name}.check")


@cache
def exercises() -> Mapping[str, Exercise]:
    """Every exercise by name, in order."""
    found = [read(file.parent) for file in FOLDER.glob("*/exercise.toml")]
    return {each.name: each for each in sorted(found, key=lambda each: each.place)}


def read(folder: Path) -> Exercise:
    """The exercise in that folder."""
    entries = tomllib.loads((folder / "exercise.toml").read_text("utf-8"))
    source, predict = entries["source"], entries.get("predict")
    return Exercise(
        folder.name,
        entries["place"],
        entries["title"],
        entries["teaches"],
        tuple(entries["hints"]),
        (source,) if isinstance(source, str) else tuple(source),
        Prediction(predict, tuple(entries["choices"])) if predict else None,
    )


def find(name: str) -> Exercise:
    """The exercise of that name, or of its file's; `InputError` names the nearest."""
    by_file = {each.file_name: each for each in exercises().values()}
    name = Path(name).name
    return by_file.get(name) or choose("exercise", name, dict(exercises()))


def code_lines(source: str) -> list[str]:
    """The lines that hold code: without docstrings, comments and blank lines."""
    return [line for line in ast.unparse(without_docstrings(source)).splitlines() if line.strip()]


def without_docstrings(source: str) -> ast.Module:
    """The source as a tree in which no module, class or function has a docstring."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return tree
