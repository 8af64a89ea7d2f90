"""`scratchnet tour`: ten screens, each a prediction, a run, and the lines that did it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from scratchnet.demos.results import print_json
from scratchnet.demos.screen import Screen as Output
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, parse, resolve
from scratchnet.demos.source_places import named, place
from scratchnet.demos.tour.screens import SCREENS, Screen

MOST_LINES = 24
LETTERS = "abc"


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet tour`."""

    without = ALL_BUT_JSON
    screen: int = option(1, "The first screen.", low=1, high=len(SCREENS))


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    output = Output()
    if {"-h", "--help"} & set(arguments):
        output.help("tour", Settings, "Ten screens: predict, run, and read the lines that did it.")
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    if settings.json:
        print_json([as_json(screen) for screen in SCREENS[settings.screen - 1 :]])
        return 0
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    right = 0
    for number, screen in enumerate(SCREENS[settings.screen - 1 :], settings.screen):
        output.text(f"\n{number} of {len(SCREENS)}: {screen.title}", "bold")
        right += show(screen, output, asks)
        if asks and number < len(SCREENS) and asked("\nEnter goes on, q ends. ") == "q":
            break
    if asks:
        output.text(f"\n{right} of your predictions held.")
    output.text(
        "\nNext: `scratchnet backprop`, `scratchnet learn`, the reading path of the README."
    )
    return 0


def as_json(screen: Screen) -> dict[str, object]:
    """The question, its choices, and what was found."""
    found, right = screen.run()
    return {
        "title": screen.title,
        "question": screen.question,
        "choices": screen.choices,
        "found": found,
        "right": LETTERS[right],
        "source": screen.source,
    }


def show(screen: Screen, output: Output, asks: bool) -> bool:
    """Tell, ask, run, and show the lines; whether the prediction held."""
    output.text(f"{screen.text}\n\n{screen.question}")
    for letter, choice in zip(LETTERS, screen.choices, strict=False):
        output.text(f"  {letter}) {choice}")
    predicted = prediction(len(screen.choices)) if asks else None
    found, right = screen.run()
    held = predicted == right
    if predicted is not None:
        output.text("You were right." if held else f"It is {LETTERS[right]}.", "bold")
    output.text(f"Found: {found}.\n")
    for line in lines_of(screen.source):
        output.whole(line)
    return held


def prediction(choices: int) -> int | None:
    """The choice of whoever sits there; None for Enter, which predicts nothing."""
    while True:
        answer = asked(f"Your prediction ({LETTERS[0]} to {LETTERS[choices - 1]}): ")
        if answer in ("", "q"):
            return None
        if answer in tuple(LETTERS[:choices]):
            return LETTERS.index(answer)


def asked(question: str) -> str:
    """What is typed, in lower case. The end of input ends the tour, as Ctrl-C does."""
    try:
        return input(question).strip().lower()
    except EOFError:
        raise KeyboardInterrupt from None


def lines_of(source: str) -> list[str]:
    """The file, and the lines of a function or class; long ones are cut and say so."""
    found = named(source)
    text = inspect.getsource(found).rstrip().splitlines()
    file, line = place(source)
    shown = [f"  {each}" for each in text[:MOST_LINES]]
    more = len(text) - MOST_LINES
    return [f"{file}, line {line}:", *shown, *([f"  … {more} more lines"] if more > 0 else [])]
