"""`scratchnet claims`: the ledger as a list, a row with its evidence, or its commands run."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos.claims.ledger import MEASURED, SOURCES, TRUTHS, Row, combined, ledger
from scratchnet.demos.experiment import duration
from scratchnet.demos.registry import entries
from scratchnet.demos.results import RECORD_NAME, print_json
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, options_of, parse, resolve
from scratchnet.interruption import INTERRUPTED

Source = Literal["interview", "course", "textbook", "lesson", "slides"]


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet claims`."""

    without = tuple(each for each in ALL_BUT_JSON if each != "resume")
    rows: tuple[str, ...] | None = option(
        None, "Rows to show with their evidence, such as 002-045.", metavar="ID", positional=True
    )
    source: Source | None = option(None, "Only claims of this text.")
    kind: str | None = option(None, "Only claims of this kind, such as theorem.")
    verdict: Literal["true", "conditional", "false", "undecided", "not-checked"] | None = option(
        None, "Only claims that were found so."
    )
    run: Source | None = option(
        None,
        "Run the experiments of this text's claims, in runs/claims, and compare with what is "
        "recorded.",
    )
    resume: bool = option(False, "Of --run: take arms that an earlier run finished from there.")


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    if {"-h", "--help"} & set(arguments):
        about = "What five texts claim about depth, and what was found of it."
        Screen().help("claims", Settings, about)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    screen = Screen(settings.json)
    if settings.run:
        return run(settings.run, settings, screen)
    chosen = rows_of(settings)
    if settings.resume:
        raise InputError("--resume: must stand beside --run")
    if settings.json:
        print_json([as_json(row) for row in chosen])
    elif settings.rows and chosen:
        for row in chosen:
            show(row, screen)
    elif settings.source or settings.kind or settings.verdict:
        screen.text(answer(chosen))
        rows = [(row.id, row.verdict, row.claim) for row in chosen]
        print_table(screen, ("id", "verdict", "claim"), rows)
    else:
        overview(chosen, screen)
    return 0


def rows_of(settings: Settings) -> list[Row]:
    """The rows that the settings choose. Raises `InputError` for an unknown id or kind."""
    rows = ledger()
    for number in settings.rows or ():
        if number not in rows:
            first, *_, last = rows
            raise InputError(f"claim {number!r}: must be one of {first} to {last}")
    if settings.kind:
        choose("kind of claim", settings.kind, {row.kind: row for row in rows.values()})
    wanted = {
        "source": settings.source,
        "kind": settings.kind,
        "verdict": settings.verdict and settings.verdict.replace("-", " "),
    }
    return [
        row
        for row in map(rows.__getitem__, settings.rows or rows)
        if all(value is None or getattr(row, name) == value for name, value in wanted.items())
    ]


def answer(rows: Sequence[Row]) -> str:
    """Such as `Of 303 claims 98 are true, …`."""
    counts = Counter(row.verdict for row in rows)
    parts = [f"{counts[truth]} {'are ' * (truth != 'not checked')}{truth}" for truth in TRUTHS]
    return f"Of {len(rows)} claims " + ", ".join(parts[:-1]) + f" and {parts[-1]}."


def overview(rows: Sequence[Row], screen: Screen) -> None:
    """The verdicts by source, and three commands to go on with."""
    screen.text(answer(rows))
    table = []
    for source, sentence in SOURCES.items():
        counts = Counter(row.verdict for row in rows if row.source == source)
        table.append((source, sentence, *(str(counts[truth]) for truth in TRUTHS)))
    print_table(screen, ("source", "which is", *TRUTHS), table)
    screen.text(
        "A verdict follows from recorded experiments, from arithmetic that is done on the spot, "
        "or from a cited source; each claim says which. An experiment speaks of its own settings. "
        "Conditional: it depends on them, or the claim says more than was found. Undecided: it was "
        "measured, and the intervals allow both.\n"
    )
    for example in ("--source textbook --verdict false", "002-109", "--run slides"):
        screen.whole(f"  scratchnet claims {example}")


def show(row: Row, screen: Screen) -> None:
    """The claim, its verdict, the evidence, and the command that reproduces it."""
    screen.text(f"\n{row.id}  “{row.claim}”")
    screen.text(f"{row.kind}, from {SOURCES[row.source]}")
    here = ", of its settings" * (row.check == "experiment")
    screen.text(f"Verdict: {row.verdict} ({row.check}{here}).")
    if row.computed:
        screen.text(f"Computed: {row.computed}.")
    for each in row.recorded:
        seeds = each.settings.get("seeds")
        with_seeds = f", {seeds} seeds" if seeds else ""
        screen.text(f"Recorded {each.date}, {each.experiment}{with_seeds}: {each.sentence}.")
    if row.evidence:
        screen.text(f"Remark: {row.evidence}" if row.recorded or row.computed else row.evidence)
    for command in row.commands:
        screen.whole(f"  scratchnet {command}")


def as_json(row: Row) -> dict[str, Any]:
    """The row, its evidence and its commands, as `--json` prints them."""
    recorded = [dataclasses.asdict(each) for each in row.recorded]
    return {
        **{name: getattr(row, name) for name in ("id", "source", "claim", "kind", "check")},
        "verdict": row.verdict,
        "computed": row.computed,
        "evidence": row.evidence,
        "commands": [f"scratchnet {command}" for command in row.commands],
        "recorded": recorded,
    }


def run(source: str, settings: Settings, screen: Screen) -> int:
    """Run each command of the text's measured rows once; the exit status of the first that fails.

    The claims of these runs decide the rows anew, each by the commands that it names: other runs
    of the same experiment have other settings. Then they are held against the recorded verdicts. A
    command that fails does not keep the others from running; Ctrl-C does.
    """
    rows = [row for row in rows_of(settings) if row.source == source and row.check in MEASURED]
    if not rows:
        raise InputError(f"--run {source}: none of its measured claims is among the chosen ones")
    commands = list(dict.fromkeys(command for row in rows for command in row.commands))
    total = sum(seconds_of(command) for command in commands)
    screen.text(
        f"{len(rows)} claims, {len(commands)} commands, about {duration(total)} on one core. "
        "Each says what it does:"
    )
    found: dict[str, list[str]] = {}
    named = {row.id: row.commands for row in rows}
    failed: dict[str, int] = {}
    for number, command in enumerate(commands, 1):
        screen.whole(f"\n[{number} of {len(commands)}] scratchnet {command}")
        folder = Path("runs") / "claims" / f"{source}-{number}"
        resume = ["--resume"] * (settings.resume and "resume" in options_of(kind_of(command)))
        status = finished([*command.split(), "--out", str(folder), *resume], settings.json)
        if status:
            failed[command] = status
        else:
            for each in json.loads((folder / RECORD_NAME).read_text())["claims"]:
                for identity in each["ledger"]:
                    if command in named.get(identity, ()):
                        found.setdefault(identity, []).append(each["verdict"])
        if status == INTERRUPTED:
            break
    compare(rows, found, settings, screen)
    screen.items(f"scratchnet {each}: exit status {status}" for each, status in failed.items())
    return next(iter(failed.values()), 0)


def kind_of(command: str) -> type[Common]:
    """The settings that the experiment of a command has."""
    return entries()[command.split()[0]].load().settings


def seconds_of(command: str) -> float:
    """About how long the command takes on one core."""
    name, *options = command.split()
    experiment = entries()[name].load()
    return experiment.seconds(resolve(experiment.settings, parse(experiment.settings, options)))


def finished(words: Sequence[str], json: bool) -> int:
    """The exit status of `scratchnet` with these words.

    It is in a process group of its own, so that Ctrl-C reaches it once, from here, and it can
    save what it has. Where stdout is kept for JSON it writes on stderr.
    """
    command = [sys.executable, "-m", "scratchnet", *words]
    output = sys.stderr if json else None
    with subprocess.Popen(command, stdout=output, process_group=0) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            return INTERRUPTED


def compare(
    rows: Sequence[Row], found: Mapping[str, list[str]], settings: Settings, screen: Screen
) -> None:
    """The verdict of each row as it is recorded, and as these runs' claims decide it."""
    now = {row.id: combined(found[row.id]) if row.id in found else "not run" for row in rows}
    if settings.json:
        return print_json([as_json(row) | {"this run": now[row.id]} for row in rows])
    same = sum(row.verdict == now[row.id] for row in rows)
    screen.text(f"\n{same} of {len(rows)} claims have the recorded verdict.\n", "bold")
    table = [(row.id, row.verdict, now[row.id], row.claim) for row in rows]
    print_table(screen, ("id", "recorded", "this run", "claim"), table)


def print_table(screen: Screen, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows of texts; only the last column, and what a text source is, are wrapped."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        is_long = heading in ("claim", "which is")
        table.add_column(heading, no_wrap=not is_long, overflow="fold")
    for row in rows:
        table.add_row(*(Text(each) for each in row))
    screen.print(table)
