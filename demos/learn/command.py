"""`scratchnet learn`: small files with gaps, a check of each, hints, and the engine's own lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from scratchnet.backends.errors import InputError
from scratchnet.demos.learn import showing
from scratchnet.demos.learn.catalogue import Exercise, exercises, find
from scratchnet.demos.learn.folder import USUAL, Folder, Progress, solve
from scratchnet.demos.learn.judge import Verdict
from scratchnet.demos.learn.running import Checked, check
from scratchnet.demos.results import print_json
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, flag, option, parse, resolve

SECONDS_BETWEEN_LOOKS = 0.3
ABOUT = (
    "Write the engine yourself, in small files with gaps. A checker names the mistake, and the "
    "engine's own lines follow what you have solved.",
    "Begin with `scratchnet learn --start learn`. Then `scratchnet learn` shows the next exercise "
    "and checks it. Your code runs in a process of its own, with at most 10 seconds and 2 GB "
    "(macOS does not hold it to the 2 GB).",
)


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet learn`."""

    without = ALL_BUT_JSON
    folder: Path | None = option(
        None, "Your folder of exercises; without it the one here, or learn in it.",
        metavar="DIR", positional=True,
    )  # fmt: skip
    start: Path | None = option(
        None, "Make this folder of exercises. What is there already stays as it is."
    )
    watch: bool = option(False, "Check on every save, until Ctrl-C.")
    hint: bool = option(False, "The next hint for the exercise.")
    list: bool = option(False, "All exercises, and which are solved.")
    open: str | None = option(None, "Go to this exercise.", metavar="NAME")
    reset: str | None = option(
        None, "Begin this exercise anew; your file is copied.", metavar="NAME"
    )
    skip: str | None = option(None, "Leave this exercise out.", metavar="NAME")
    notebook: bool = option(False, "Write the exercises as notebooks, in DIR/notebooks.")


ONE_OF = ("watch", "hint", "list", "open", "reset", "skip", "notebook")


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status, 1 where an exercise is not right."""
    if {"-h", "--help"} & set(arguments):
        Screen().help("learn", Settings, *ABOUT)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    given = [flag(name) for name in ONE_OF if getattr(settings, name) not in (None, False)]
    if settings.json and settings.watch:
        given.append("--json")
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: must be given one at a time")
    if settings.start and settings.folder:
        raise InputError(f"{settings.folder}: must be left out beside --start {settings.start}")
    screen = Screen(settings.json)
    folder = Folder.start(settings.start) if settings.start else Folder.found(settings.folder)
    if folder and (mended := folder.mended()):
        screen.text(mended)
    if settings.list:
        found: Any = show_list(folder, screen, settings.json)
    elif folder is None:
        screen.text(f"There is no folder of exercises here. Make one:\n\n  {START}\n")
        screen.text(f"{len(exercises())} exercises; `scratchnet learn --list` shows them.")
        found = {"folder": None}
    else:
        found = act(settings, folder, screen)
    if settings.json:
        print_json(found)
    return int(isinstance(found, dict) and found.get("verdict") in ("wrong", "error"))


START = f"scratchnet learn --start {USUAL}"


def act(settings: Settings, folder: Folder, screen: Screen) -> dict[str, Any]:
    """Do what the options say, in the folder; what `--json` prints of it."""
    if settings.hint:
        return show_hint(folder, screen)
    if settings.notebook:
        from scratchnet.demos.learn.notebooks import write_notebooks

        lines = list(write_notebooks(folder.path / "notebooks"))
        for line in lines:
            screen.whole(line)
        return {"notebooks": lines}
    if settings.skip is not None:
        name = find(settings.skip).name
        folder.change(lambda progress: skip(progress, name))
        screen.text(f"Skipped: {name}.")
    if settings.reset is not None:
        kept = folder.reset(find(settings.reset))
        screen.text("The file is as it was given." + (f" Yours is kept as {kept}." if kept else ""))
    chosen = settings.open if settings.reset is None else settings.reset
    if chosen is not None:
        name = find(chosen).name
        folder.change(lambda progress: go_to(progress, name))
    if not settings.watch:
        return step(folder, screen)
    try:
        watch(folder, screen)
    except KeyboardInterrupt:
        screen.text("\nEnded. `scratchnet learn` goes on from here.")
    return {}


def show_list(folder: Folder | None, screen: Screen, as_json: bool) -> list[dict[str, Any]]:
    """All exercises with their states; what `--json` prints of them."""
    progress = folder.progress() if folder else Progress()
    if not as_json:
        showing.show_list(progress, screen)
    return [
        {
            "name": name,
            "title": each.title,
            "state": showing.state(name, progress),
            "words_to_read": each.words_to_read,
            "lines_to_write": each.lines_to_write,
        }
        for name, each in exercises().items()
    ]


def show_hint(folder: Folder, screen: Screen) -> dict[str, Any]:
    """The next hint; where all were shown, all of them."""
    exercise = folder.current()
    if exercise is None:
        screen.text("All exercises are done: there is nothing to hint at.")
        return {"exercise": None, "hints": []}
    count = len(exercise.hints)
    seen = folder.progress().hints.get(exercise.name, 0)
    first, last = (seen, seen + 1) if 0 <= seen < count else (0, count)
    screen.text(f"{exercise.title}", "bold")
    for number in range(first, last):
        screen.text(f"Hint {number + 1} of {count}: {exercise.hints[number]}")
    folder.change(lambda progress: progress.hints.update({exercise.name: last}))
    return {"exercise": exercise.name, "hints": exercise.hints[first:last]}


def step(folder: Folder, screen: Screen, watching: bool = False) -> dict[str, Any]:
    """Show the current exercise and check it; where it is right, show the next."""
    exercise = folder.current()
    if exercise is None:
        showing.show_end(folder.progress(), screen)
        return {"exercise": None, **asdict(folder.progress())}
    present(exercise, folder, screen)
    kind, message = check_one(exercise, folder, screen, watching)
    if kind == "right":
        following = folder.current()
        if following:
            present(following, folder, screen)
        else:
            showing.show_end(folder.progress(), screen)
    progress = asdict(folder.progress())
    return {"exercise": exercise.name, "verdict": kind, "message": message, **progress}


def present(exercise: Exercise, folder: Folder, screen: Screen) -> None:
    """Show the exercise. Its prediction is asked for once, where somebody sits there."""
    if folder.restore(exercise):
        screen.whole(f"{folder.file(exercise)} was missing: here it is again, as it was given.")
    showing.show_exercise(exercise, folder, screen)
    if not exercise.predict or exercise.name in folder.progress().predicted:
        return
    showing.show_question(exercise, screen)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from scratchnet.demos.tour.command import prediction

        showing.show_outcome(exercise, screen, prediction(len(exercise.predict.choices)))
        folder.change(lambda progress: progress.predicted.append(exercise.name))


def check_one(
    exercise: Exercise, folder: Folder, screen: Screen, watching: bool = False
) -> tuple[str, str]:
    """Check the learner's file; a right one is counted, and the engine's lines are shown.

    One as it was given is not run: what is wrong with it is for the learner to find.
    """
    if folder.is_touched(exercise):
        checked = check(exercise, folder.file(exercise))
    else:
        checked = Checked(Verdict("gap", "the file is as it was given"))
    progress = folder.progress()
    seen = progress.hints.get(exercise.name, 0)
    showing.show_checked(checked, exercise, seen, screen, watching)
    if checked.verdict.is_right:
        folder.change(lambda progress: solve(progress, exercise.name))
        if exercise.predict and exercise.name not in progress.predicted:
            showing.show_outcome(exercise, screen)
        text = decode_source(folder.file(exercise).read_bytes())
        showing.show_engine(exercise, text, screen)
    return checked.verdict.kind, checked.verdict.message


def watch(folder: Folder, screen: Screen, wait: Callable[[], None] | None = None) -> None:
    """Check the file of every exercise when it is saved, until the last is solved or Ctrl-C.

    A file is read once two looks in a row find it the same: editors write in several steps. Where
    the current exercise's file is gone for two looks, that is said once.
    """
    wait = wait or (lambda: time.sleep(SECONDS_BETWEEN_LOOKS))
    step(folder, screen, watching=True)
    checked = looked = stamps(folder)
    screen.text("\nWaiting for a save; Ctrl-C ends this.")
    gone: str | None = None
    while current := folder.current():
        wait()
        before, looked = looked, stamps(folder)
        if looked[current.name] is not None:
            gone = None
        elif before[current.name] is None and gone != current.name:
            gone = current.name
            screen.whole(f"\n{folder.file(current)} is gone: save it under this name.")
        settled = [
            each
            for name, each in exercises().items()
            if looked[name] is not None and looked[name] == before[name] != checked[name]
        ]
        for exercise in settled:
            screen.text(f"\n{exercise.title}", "bold")
            kind, _ = check_one(exercise, folder, screen, watching=True)
            checked = {**checked, exercise.name: looked[exercise.name]}
            if kind == "right":
                following = folder.current()
                if following:
                    present(following, folder, screen)
    showing.show_end(folder.progress(), screen)


def stamps(folder: Folder) -> dict[str, Any]:
    """What changes of each learner's file when it is saved; None where there is none."""
    found: dict[str, Any] = {}
    for name, exercise in exercises().items():
        try:
            status = folder.file(exercise).stat()
            found[name] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            found[name] = None
    return found


def skip(progress: Progress, name: str) -> None:
    """Leave the exercise out, unless it is solved."""
    if name not in (*progress.skipped, *progress.solved):
        progress.skipped.append(name)
    if progress.opened == name:
        progress.opened = None


def go_to(progress: Progress, name: str) -> None:
    """Make the exercise the current one."""
    progress.opened = name
    if name in progress.skipped:
        progress.skipped.remove(name)
