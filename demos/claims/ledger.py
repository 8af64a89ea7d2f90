"""The rows of the ledger: what texts claim, how it is checked, and what was found.

`claims.tsv` holds them: id, source, claim (in our words), kind, check, verdict, evidence, command.
How a row is checked:

- `experiment` and `exact`: by claims of experiments, whose last recorded verdicts stand in
  `demos/results`; the row's verdict follows from them (`VERDICTS`).
- `arithmetic`: computed on the spot, in `arithmetic.py` and `laws.py`.
- `separate measurement`: by hand, once; the evidence says what was found.
- `citation`, `argument`, `open`: by a source, by reasoning, or not at all.

Where an experiment bears on a row of another kind, such as a claim about every network, its claims
are shown with the row and do not decide it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

SOURCES = {
    "interview": "an interview page on depth",
    "course": "a section of a course",
    "textbook": "a chapter of a textbook",
    "lesson": "a lesson on layers and widths",
    "slides": "lecture slides on depth separation",
}
TRUTHS = ("true", "conditional", "false", "undecided", "not checked")
"""`conditional`: it depends on the settings, or the claim says more than was found. `undecided`: it
was measured, and the intervals allow both."""
MEASURED = ("experiment", "exact")

VERDICTS = {
    "supported": "true",
    "holds": "true",
    "contradicted": "false",
    "fails": "false",
    "equivalent": "conditional",
    "undecided": "undecided",
    "not tested": "not checked",
}
"""What a claim's verdict makes of a row. Claims that differ make it conditional."""


@dataclass(frozen=True)
class Recorded:
    """A claim of an experiment, as its last recorded run decided it."""

    experiment: str
    date: str
    claim: str
    verdict: str
    measured: str
    reason: str
    settings: dict[str, Any]

    @property
    def sentence(self) -> str:
        """The verdict, the claim, and what was measured."""
        found = self.measured or self.reason
        return f"{self.verdict}: {self.claim}" + (f" ({found})" if found else "")


@dataclass(frozen=True)
class Row:
    """A claim of a text."""

    id: str
    source: str
    claim: str
    kind: str
    check: str
    stated: str
    """The verdict of the file."""
    evidence: str
    commands: tuple[str, ...]
    """What reproduces or shows it, without `scratchnet`."""
    recorded: tuple[Recorded, ...] = ()

    @property
    def verdict(self) -> str:
        """One of `TRUTHS`: by recorded runs where these decide, else as the file states it."""
        if self.check not in MEASURED or not self.recorded:
            return self.stated
        return combined([each.verdict for each in self.recorded])

    @property
    def computed(self) -> str:
        """What arithmetic found, in words."""
        if self.check != "arithmetic":
            return ""
        from scratchnet.demos.claims import arithmetic, laws

        return (arithmetic.COMPUTED | laws.COMPUTED)[self.id]()[1]


def combined(verdicts: list[str]) -> str:
    """One of `TRUTHS` for the verdicts of a row's claims; those not tested say nothing."""
    found = {VERDICTS[each] for each in verdicts} - {"not checked"}
    if not found:
        return "not checked"
    return found.pop() if len(found) == 1 else "conditional"


@cache
def ledger() -> dict[str, Row]:
    """Every row by its id, in the order of the ids."""
    text = (resources.files(__package__) / "claims.tsv").read_text(encoding="utf-8")
    decided = recorded_claims()
    rows = {}
    for line in text.splitlines()[1:]:
        number, source, claim, kind, check, verdict, evidence, commands = line.split("\t")
        parts = tuple(part.strip() for part in commands.split(";") if part.strip())
        claims = tuple(decided.get(number, ()))
        rows[number] = Row(number, source, claim, kind, check, verdict, evidence, parts, claims)
    return rows


@cache
def recorded_claims() -> dict[str, list[Recorded]]:
    """The claims of all recorded runs, by the rows of the ledger that they decide."""
    found: dict[str, list[Recorded]] = {}
    for file in sorted(
        (each for each in (resources.files("scratchnet.demos") / "results").iterdir()),
        key=lambda each: each.name,
    ):
        if not file.name.endswith(".json"):
            continue
        run = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(run, dict):
            continue
        for each in run.get("claims", ()):
            claim = Recorded(
                experiment=file.name.removesuffix(".json"),
                date=run["environment"]["date"][:10],
                claim=each["claim"],
                verdict=each["verdict"],
                measured=each["measured"],
                reason=each["reason"],
                settings=run["settings"],
            )
            for number in each["ledger"]:
                found.setdefault(number, []).append(claim)
    return found
