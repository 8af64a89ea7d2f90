"""A learner's folder: a file for each exercise, and the progress, kept in `progress.json`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from scratchnet.backends.errors import InputError
from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.running import check

PROGRESS = "progress.json"
USUAL = Path("learn")


@dataclass
class Progress:
    """The exercises that are solved, skipped, predicted; the hints seen; the one that is open."""

    solved: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)
    hints: dict[str, int] = field(default_factory=dict)
    opened: str | None = None

    @classmethod
    def of(cls, values: Any) -> Progress:
        """From what JSON holds; raises `ValueError` where it is none. Other names are left out."""
        if not isinstance(values, dict):
            raise ValueError("no object")
        known, found = exercises(), cls()
        for name in ("solved", "skipped", "predicted"):
            if not isinstance(given := values.get(name, []), list):
                raise ValueError(name)
            setattr(found, name, [each for each in given if each in known])
        if not isinstance(hints := values.get("hints", {}), dict):
            raise ValueError("hints")
        found.hints = {
            each: seen for each, seen in hints.items() if each in known and isinstance(seen, int)
        }
        found.opened = values.get("opened") if values.get("opened") in known else None
        return found


class Folder:
    """A folder of exercises. Each method reads the progress anew: two commands may run at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def start(cls, path: Path) -> Folder:
        """Make the folder, or add what it lacks; a file that is there is never written."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(f"{path}: must be a folder") from None
        folder = cls(path)
        for exercise in exercises().values():
            folder.restore(exercise)
        if not (path / PROGRESS).exists():
            folder.write(Progress(solved=folder.right_ones()))
        return folder

    @classmethod
    def found(cls, path: Path | None) -> Folder | None:
        """That folder; without a path the one here, or `learn` in it, or None.

        Raises `InputError` where the path that is given holds no exercises.
        """
        for each in (Path("."), USUAL) if path is None else (path,):
            if (each / PROGRESS).exists():
                return cls(each)
        if path is not None and str(path) in exercises():
            raise InputError(
                f"{path}: must be a folder; `scratchnet learn --open {path}` goes to this exercise"
            )
        if path is not None and path.is_file():
            raise InputError(
                f"{path}: must be a folder; `scratchnet learn {path.parent} --open {path.name}` "
                "goes to this exercise"
            )
        if path is not None:
            raise InputError(
                f"{path}: must be a folder of exercises; `scratchnet learn --start {path}` makes it"
            )
        return None

    def file(self, exercise: Exercise) -> Path:
        """The learner's file."""
        return self.path / exercise.file_name

    def restore(self, exercise: Exercise) -> bool:
        """Write the learner's file where there is none; whether it was missing."""
        try:
            with open(self.file(exercise), "x", encoding="utf-8") as file:
                file.write(exercise.start)
        except FileExistsError:
            return False
        return True

    def reset(self, exercise: Exercise) -> Path | None:
        """Begin an exercise anew; the copy of the learner's file, None where there was none."""
        file, kept = self.file(exercise), None
        if self.is_touched(exercise):
            copies = (file.with_name(f"{file.stem}.kept-{number}.py") for number in count(1))
            kept = next(copy for copy in copies if not copy.exists())
            shutil.copy2(file, kept)
        self.replace(file, exercise.start)
        self.change(lambda progress: forget(progress, exercise.name))
        return kept

    def current(self) -> Exercise | None:
        """The exercise that is open, or else the first neither solved nor skipped."""
        progress = self.progress()
        if progress.opened:
            return exercises()[progress.opened]
        done = {*progress.solved, *progress.skipped}
        return next((each for name, each in exercises().items() if name not in done), None)

    def progress(self) -> Progress:
        """What is kept. Raises `ValueError` where the file is none of ours."""
        return Progress.of(json.loads((self.path / PROGRESS).read_text("utf-8")))

    def change(self, change: Callable[[Progress], None]) -> None:
        """Read, change and write the progress."""
        progress = self.progress()
        change(progress)
        self.write(progress)

    def write(self, progress: Progress) -> None:
        """Keep this progress in the folder."""
        self.replace(self.path / PROGRESS, json.dumps(asdict(progress), indent=1) + "\n")

    def replace(self, file: Path, text: str) -> None:
        """Write the file at once, or not at all."""
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            beside.write_text(text, "utf-8")
            os.replace(beside, file)
        except OSError as error:
            error.filename, error.filename2 = str(file), None
            raise
        finally:
            beside.unlink(missing_ok=True)

    def mended(self) -> str:
        """Mend a progress that cannot be read, and say so in a line; else an empty one.

        What was there is kept beside, and every file that was worked on is checked again.
        """
        try:
            self.progress()
            return ""
        except ValueError:
            pass
        copies = (self.path / f"progress.damaged-{number}.json" for number in count(1))
        kept = next(copy for copy in copies if not copy.exists())
        os.replace(self.path / PROGRESS, kept)
        solved = self.right_ones()
        self.write(Progress(solved=solved))
        return (
            f"{PROGRESS} could not be read and is kept as {kept.name}; all files were checked "
            f"again, {len(solved)} are right."
        )

    def right_ones(self) -> list[str]:
        """The exercises whose files are right; one that is as it was given is not run."""
        touched = [each for each in exercises().values() if self.is_touched(each)]
        return [each.name for each in touched if check(each, self.file(each)).verdict.is_right]

    def is_touched(self, exercise: Exercise) -> bool:
        """Whether the learner's file is there and other than it was given."""
        file = self.file(exercise)
        given = exercise.start.encode()
        return file.exists() and file.read_bytes().replace(b"\r\n", b"\n") != given


def forget(progress: Progress, name: str) -> None:
    """Take the exercise from the solved and the skipped, and its hints."""
    for names in (progress.solved, progress.skipped, progress.predicted):
        if name in names:
            names.remove(name)
    progress.hints.pop(name, None)


def solve(progress: Progress, name: str) -> None:
    """Count the exercise as solved; it is not open any longer."""
    if name not in progress.solved:
        progress.solved.append(name)
    if name in progress.skipped:
        progress.skipped.remove(name)
    if progress.opened == name:
        progress.opened = None
