"""`scratchnet explain TERM`: a term of the field in three sentences, and where it is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from scratchnet.demos.explain.terms import Term, find, terms
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, parse, resolve


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet explain`."""

    without = ALL_BUT_JSON
    term: tuple[str, ...] | None = option(
        None, "The term, such as relu or learning rate; without one, all are listed.",
        metavar="TERM", positional=True,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    if {"-h", "--help"} & set(arguments):
        about = "Explains a term of the field, and says where the engine computes it."
        Screen().help("explain", Settings, about)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    screen = Screen(settings.json)
    chosen = [find(" ".join(settings.term))] if settings.term else list(terms().values())
    if settings.json:
        from scratchnet.demos.results import print_json

        print_json([as_json(term) for term in chosen])
    elif settings.term:
        show(chosen[0], screen)
    else:
        screen.text(f"{len(chosen)} terms. One of them: scratchnet explain relu\n")
        screen.text(", ".join(term.name for term in chosen))
    return 0


def show(term: Term, screen: Screen) -> None:
    """The term's sentences, its formula, its place in the source, and the command that shows it."""
    screen.text(term.name, "bold")
    screen.text(f"{term.text}\n")
    screen.whole(f"  {term.formula}\n")
    file, line = term.place()
    screen.whole(f"Computed in {file}, line {line}")
    screen.whole(f"Shown by    scratchnet {term.command}")
    if term.also:
        screen.text(f"Also called {', '.join(term.also)}")


def as_json(term: Term) -> dict[str, object]:
    """The term as it is printed by --json, with `file` and `line` for its place."""
    file, line = term.place()
    return {**dataclasses.asdict(term), "file": file, "line": line}
