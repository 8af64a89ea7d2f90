"""The terms of the glossary, which stand in `terms.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources

from scratchnet.backends.errors import InputError
from scratchnet.demos.source_places import place


@dataclass(frozen=True)
class Term:
    """A term with three sentences, its formula, where it is computed, and a command."""

    name: str
    text: str
    formula: str
    where: str
    command: str
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name and all others."""
        return (self.name, *self.also)

    def place(self) -> tuple[str, int]:
        """The file in which the term is computed, and the line."""
        return place(self.where)


@cache
def terms() -> Mapping[str, Term]:
    """Every term by its name, in alphabetical order."""
    text = resources.files(__package__).joinpath("terms.toml").read_text("utf-8")
    entries = sorted(tomllib.loads(text).items())
    return {
        name: Term(name, **{**entry, "also": tuple(entry.get("also", ()))})
        for name, entry in entries
    }


def find(words: str) -> Term:
    """The term of that name, or that is also called so. Raises `InputError` with near names."""
    by_name = {name: term for term in terms().values() for name in term.names}
    wanted = " ".join(words.lower().replace("-", " ").replace("_", " ").split())
    plain = {name.replace("-", " ").replace("_", " "): term for name, term in by_name.items()}
    for spelling in (wanted, wanted.removesuffix("s"), wanted.replace("ization", "isation")):
        if spelling in plain:
            return plain[spelling]
    near = get_close_matches(wanted, plain, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "must be one that it knows;"
    raise InputError(f"unknown term {words!r}: {hint} `scratchnet explain` lists all")


def used_in(text: str) -> list[Term]:
    """The terms that a text uses, by any of their names, or a plural of one."""
    found = []
    for term in terms().values():
        words = "|".join(re.escape(name) for name in term.names)
        if re.search(rf"\b({words})s?\b", text, re.IGNORECASE):
            found.append(term)
    return found
