"""`scratchnet learn`: small files with gaps, a check of each, hints, and the engine's own lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scratchnet.demos.learn.catalogue import exercises
from scratchnet.demos.results import print_json
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, parse, resolve

ABOUT = "Write the engine yourself: exercises with a checker that names the mistake."


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet learn`."""

    without = ALL_BUT_JSON


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    screen = Screen()
    if {"-h", "--help"} & set(arguments):
        screen.help("learn", Settings, ABOUT)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    if settings.json:
        print_json([each.name for each in exercises().values()])
        return 0
    screen.pairs([(each.name, each.teaches) for each in exercises().values()])
    return 0
