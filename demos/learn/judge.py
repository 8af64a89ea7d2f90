"""Run one exercise's check on a learner's file, and put what happens into one sentence."""

from __future__ import annotations

import errno
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from scratchnet.demos.learn.catalogue import Exercise
from scratchnet.demos.learn.slips import slip_that_says
from scratchnet.demos.learn.wrong import Wrong, WrongNumbers
from scratchnet.files import one_line

Kind = Literal["right", "gap", "wrong", "error"]


@dataclass(frozen=True)
class Verdict:
    """What a check found: right, a gap not yet filled, a wrong result, or an error that stops it.

    `message` is one sentence, empty for right; `with_slip` may find its reason where it has none,
    by the learner's `numbers`.
    """

    kind: Kind
    message: str = ""
    lacks_reason: bool = False
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        title = {"gap": "To do", "wrong": "Not yet right", "error": "Error", "right": "Right"}
        return f"{title[self.kind]}: {self.message}" if self.message else f"{title[self.kind]}."

    @property
    def is_right(self) -> bool:
        """Whether the exercise is solved."""
        return self.kind == "right"


class Missing(Wrong, AttributeError):
    """A name that the learner's file no longer has."""


class NotAllowed(Exception):
    """The learner's code tries what a check does not allow, such as to write a file."""


def judge(exercise: Exercise, file: Path) -> Verdict:
    """Load the file and check it, in this process."""
    try:
        exercise.module.check(load(file))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return explained(error, file)
    return Verdict("right")


def judge_names(exercise: Exercise, names: dict[str, Any]) -> Verdict:
    """Check the names of a notebook."""
    module = ModuleType("learner")
    module.__dict__.update(names, __getattr__=missing)
    try:
        exercise.module.check(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return explained(error, None)
    return Verdict("right")


def load(file: Path) -> ModuleType:
    """The learner's file as a module. A name that it lacks raises `Wrong` where it is asked for."""
    module = sys.modules["learner"] = ModuleType("learner")
    module.__file__ = str(file)
    exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    module.__dict__["__getattr__"] = missing
    return module


def missing(name: str) -> Any:
    """The `__getattr__` of a learner's module: raises `Missing`."""
    raise Missing(f"`{name}` is missing: the check needs it under this name")


def with_slip(verdict: Verdict, exercise: Exercise) -> Verdict:
    """The verdict with the slip that leads to its numbers, where they have no reason yet."""
    if not verdict.lacks_reason:
        return verdict
    line = slip_that_says(exercise, verdict.message, verdict.numbers)
    if line is None:
        return verdict
    return Verdict("wrong", f"{verdict.message}: this is what `{line}` gives")


def explained(error: BaseException, file: Path | None) -> Verdict:
    """The verdict on code that raised this."""
    if isinstance(error, WrongNumbers):
        return Verdict("wrong", " ".join(str(error).split()), True, error.numbers)
    if isinstance(error, Wrong):
        return Verdict("wrong", " ".join(str(error).split()))
    if isinstance(error, NotAllowed):
        return Verdict("error", one_line(error))
    if isinstance(error, SyntaxError) and error.filename == str(file):
        place = f"line {error.lineno}: " if error.lineno else ""
        return Verdict("error", f"{place}{type(error).__name__}: {one_line(error.msg)}")
    line = last_line(error, file)
    at = f" (line {line})" if line else ""
    if isinstance(error, NotImplementedError):
        function = last_function(error, file)
        return Verdict("gap", f"{function} is not written yet{at}")
    return Verdict("error", f"{sentence(error)}{at}")


def sentence(error: BaseException) -> str:
    """What happened, without the place."""
    if isinstance(error, SystemExit):
        return "your code calls exit(): a check has to come to its end"
    if isinstance(error, RecursionError):
        return "RecursionError: a function calls itself too often, or for ever"
    if isinstance(error, MemoryError):
        return "MemoryError: your code needs more memory than a check allows"
    if isinstance(error, ModuleNotFoundError):
        return f"your code imports {error.name}, which is not installed here: NumPy is enough"
    if isinstance(error, EOFError):
        return "your code asks for input: nobody answers during a check"
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return "your code prints or writes more than a check allows"
    if isinstance(error, ValueError) and "truth value of an array" in str(error):
        return (
            "ValueError: `if`, `and` and max() take one number, and this is an array: np.where "
            "and np.maximum work entry by entry"
        )
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")


def last_line(error: BaseException, file: Path | None) -> int | None:
    """The line of the learner's file that was reached last."""
    frames = [each for each in frames_of(error) if is_learners(each, file)]
    return frames[-1].lineno if frames else None


def last_function(error: BaseException, file: Path | None) -> str:
    """The function of the learner that was reached last."""
    frames = [each.name for each in frames_of(error) if is_learners(each, file)]
    return f"`{frames[-1]}`" if frames and frames[-1] != "<module>" else "this"


def frames_of(error: BaseException) -> list[traceback.FrameSummary]:
    """The last 50 frames that the error came through."""
    return list(traceback.extract_tb(error.__traceback__, limit=-50))


def is_learners(frame: traceback.FrameSummary, file: Path | None) -> bool:
    """Whether a frame is the learner's: of the file, or of a notebook's cell."""
    if file is not None:
        return frame.filename == str(file)
    name = frame.filename
    return "ipykernel" in name or name.startswith("<") and not name.startswith("<frozen")
