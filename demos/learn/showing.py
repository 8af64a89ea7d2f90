"""What `scratchnet learn` prints."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.folder import Folder, Progress
from scratchnet.demos.learn.running import Checked
from scratchnet.demos.learn.source import lines_of
from scratchnet.demos.screen import Screen

LETTERS = "abcdef"
MOST_LINES = 60
MOST_PRINTED_LINES = 20


def show_exercise(exercise: Exercise, folder: Folder, screen: Screen) -> None:
    """Where the exercise stands, what it teaches, and how much there is to read and to write."""
    number = list(exercises()).index(exercise.name) + 1
    screen.text(f"\n{number} of {len(exercises())}: {exercise.title}", "bold")
    screen.text(exercise.teaches)
    screen.whole(f"File   {folder.file(exercise)}")
    screen.whole(
        f"Read   {exercise.words_to_read} words; write about {counted(exercise.lines_to_write)}"
    )


def show_question(exercise: Exercise, screen: Screen) -> None:
    """The prediction that is asked for, with its choices."""
    if exercise.predict:
        screen.text(f"\nPredict: {exercise.predict.question}")
        for letter, choice in zip(LETTERS, exercise.predict.choices, strict=False):
            screen.text(f"  {letter}) {choice}")


def show_outcome(exercise: Exercise, screen: Screen, predicted: int | None = None) -> None:
    """What the engine found, and whether the prediction held."""
    found, right = exercise.module.outcome()
    if predicted is not None:
        screen.text("You were right." if predicted == right else f"It is {LETTERS[right]}.", "bold")
    screen.text(f"Found: {found}.")


def show_checked(
    checked: Checked, exercise: Exercise, seen: int, screen: Screen, watching: bool = False
) -> None:
    """The verdict in a sentence, and what the code printed before it."""
    if checked.printed:
        screen.text("\nYour code prints:")
        for line in shortened(checked.printed.splitlines(), MOST_PRINTED_LINES):
            screen.whole(f"  {line}")
    verdict = checked.verdict
    if verdict.is_right:
        screen.text("\nRight.", "bold green")
        return
    screen.text(f"\n{verdict}", "" if verdict.kind == "gap" else "bold")
    left = len(exercise.hints) - seen
    if verdict.kind == "gap":
        then = "save it" if watching else "run `scratchnet learn` again"
        screen.text(f"Read it from the top, change it, and {then}.")
    elif left > 0:
        screen.text(f"{counted(left, 'hint')} left: --hint shows the next.")


def show_engine(exercise: Exercise, text: str, screen: Screen) -> None:
    """The learner's lines, and the engine's own: side by side where the screen is wide enough."""
    yours = ["Your lines:", *shortened(written_lines(text, exercise.start))]
    engines = [line for source in exercise.sources for line in shortened(lines_of(source))]
    width = max(map(len, yours)), max(map(len, engines))
    screen.text("")
    if sum(width) + 3 <= screen.console.width:
        rows = max(len(yours), len(engines))
        for left, right in zip(padded(yours, rows), padded(engines, rows), strict=True):
            screen.whole(f"{left:<{width[0]}} | {right}".rstrip())
    else:
        for line in (*yours, "", "The engine's: " + engines[0], *engines[1:]):
            screen.whole(line)


def show_list(progress: Progress, screen: Screen) -> None:
    """All exercises in order, each with its state."""
    rows = [
        (f"{state(name, progress):<7} {name}", each.title) for name, each in exercises().items()
    ]
    screen.pairs(rows)


def show_end(progress: Progress, screen: Screen) -> None:
    """The last screen."""
    screen.text(
        f"\nDone: {len(progress.solved)} of {counted(len(exercises()), 'exercise')} solved.", "bold"
    )
    if progress.skipped:
        screen.text(f"Skipped: {', '.join(progress.skipped)}. `--open NAME` goes back to one.")
    screen.text(
        "You have written the parts of an engine. Read how they fit together: scratchnet/tensor.py "
        "from top to bottom, and then the reading path of the README."
    )


def state(name: str, progress: Progress) -> str:
    """solved, skipped or open."""
    if name in progress.solved:
        return "solved"
    return "skipped" if name in progress.skipped else "open"


def counted(number: int, word: str = "line") -> str:
    """Such as `1 line` and `3 lines`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def written_lines(text: str, start: str) -> list[str]:
    """What a learner's file defines otherwise than the file as it was given, without docstrings."""
    given = {ast.unparse(node) for node in ast.parse(start).body}
    lines, found = text.splitlines(), list[str]()
    for node in ast.parse(text).body:
        is_code = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign)
        if is_code and ast.unparse(node) not in given:
            docstrings = {number for part in ast.walk(node) for number in docstring_lines(part)}
            numbers = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            found += [lines[each - 1] for each in numbers if each not in docstrings]
            found.append("")
    return found[:-1]


def docstring_lines(node: ast.AST) -> range:
    """The numbers of the lines of its docstring."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
        first = node.body[0]
        if first.lineno > node.lineno:
            return range(first.lineno, (first.end_lineno or first.lineno) + 1)
    return range(0)


def shortened(lines: Sequence[str], most: int = MOST_LINES) -> list[str]:
    """The first `most` lines, and how many more there are."""
    more = len(lines) - most
    return [*lines[:most], *([f"... {counted(more)} more"] if more > 0 else [])]


def padded(lines: Sequence[str], length: int) -> list[str]:
    """The lines, and empty ones up to that length."""
    return [*lines, *[""] * (length - len(lines))]
