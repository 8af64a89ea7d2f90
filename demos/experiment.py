"""The run of an experiment, from the command line to the last line of its report.

An `Experiment` says what is asked, what is computed, which claims follow, and how it is drawn; this
module does the rest, in an order that loses nothing: check the settings and the places to write,
say what is asked, compute arm by arm, save the numbers, draw, and only then print the answer.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.backends.errors import InputError
from scratchnet.demos.compiling import Mode, decide, keep
from scratchnet.demos.results import RECORD_NAME, environment, print_json, to_json
from scratchnet.demos.running import Result, Row, Run, check_memory
from scratchnet.demos.settings import Common, help_rows, options_of, parse, resolve, usage
from scratchnet.demos.verdicts import Claim, Verdict, judge
from scratchnet.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTERRUPTED = 130
QUICK_REASON = "a quick run gives no verdicts"


@dataclass(frozen=True)
class Table:
    """Numbers for people: a heading for each column, and rows of texts.

    Without headings the rows are the lines of a drawing, which is left out on a narrower screen.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    words: Sequence[int] = (0,)
    """The columns that are justified to the left; the others hold numbers."""

    @classmethod
    def of(cls, rows: Iterable[Row], headings: str, cells: str, title: str = "") -> Table:
        """A line for each row, with its name, facts and the means of its measures.

        `cells` has a format for each column, with bars between them as in `headings`, such as
        `{arm} | {learning_rate:g} | {test_accuracy:.1%}` below `network | rate | test`.
        """
        lines = []
        for row in rows:
            known = {"arm": row.arm, **row.facts}
            for name, values in row.measures.items():
                finite = np.asarray(values, float)[np.isfinite(values)]
                known[name] = finite.mean() if len(finite) else math.nan
            lines.append([cell.strip(" ") for cell in cells.format_map(known).split("|")])
        return cls([heading.strip(" ") for heading in headings.split("|")], lines, title)


@dataclass(frozen=True)
class Experiment:
    """A question, and everything that is needed to ask it of networks."""

    name: str
    question: str
    source: str
    """Whose claim is tested: paper or kind of text, with its year."""
    look_for: str
    settings: type[Common]
    run: Callable[[Run], None]
    """Adds rows to `run.result`, arm by arm."""
    claims: Callable[[Result], Sequence[Claim]]
    """Of whatever arms were finished. The first decides the answer."""
    tables: Callable[[Result], Sequence[Table]]
    figures: Callable[[Result], Mapping[str, Callable[[], Figure]]]
    """Functions by name, each of which draws a figure; the first is shown as the main one."""
    seconds: Callable[[Any], float]
    """About how long it takes on one core."""
    next: Sequence[str] = ()
    """Commands to try next."""
    definitions: Sequence[str] = ()
    """Words that the question needs, such as `A linear region is ...`; said before all else."""
    work: Callable[[Any], float] = lambda settings: 1.0
    """How many units of work `run` will advance."""
    memory: Callable[[Any], float] = lambda settings: 0.0
    """An upper estimate of the bytes that are needed."""
    check: Callable[[Any], None] = lambda settings: None
    """Raises `InputError` for settings that do not fit together."""
    answer: Callable[[Result, Sequence[Verdict]], str] | None = None
    """Instead of the sentence of the first claims."""
    notes: Callable[[Result], Sequence[str]] = lambda result: ()
    """What a reader must know besides, such as networks that diverged."""
    files: Callable[[Result], Mapping[str, Callable[[Path], None]]] = lambda result: {}
    """Other files, such as models: a function that writes each, by path or by name in --out."""

    def main(self, arguments: Sequence[str]) -> int:
        """Run the command with these arguments; the exit status."""
        if {"-h", "--help"} & set(arguments):
            print_help(self)
            return 0
        given = parse(self.settings, arguments)
        given.setdefault("out", Path("runs") / self.name)
        settings = resolve(self.settings, given)
        self.check(settings)
        return execute(self, settings)


def execute(experiment: Experiment, settings: Any) -> int:
    """Run with these settings and report; the exit status. Raises `InputError` before any work."""
    check_memory(experiment.memory(settings), "this run")
    backend = get_backend(settings.backend, settings.precision)
    check_place(settings.out)
    mode = decide(settings, backend, experiment.seconds(settings))
    settings = replace(settings, compile="on" if mode.compile else "off")
    screen = Screen(settings.json)
    announce(experiment, settings, mode, screen)
    keep(settings.out, mode)
    with stopping():
        with mode.opened():
            result = compute(experiment, settings)
        if not result.rows and result.interrupted:
            raise KeyboardInterrupt
        verdicts = judge(experiment.claims(result), QUICK_REASON if settings.quick else "")
        record = record_of(result, verdicts, environment(backend) | mode.environment)
        written = save_numbers(settings, record, result)
        try:
            written += save_files(experiment, settings, result)
        except KeyboardInterrupt:
            result.interrupted = True
        report(experiment, result, verdicts, written, screen)
    if settings.json:
        with suppress(BrokenPipeError):
            print_json(record)
    if settings.show and not result.interrupted:
        show_figures(experiment.figures(result), screen)
    return INTERRUPTED if result.interrupted else 0


def compute(experiment: Experiment, settings: Any) -> Result:
    """The rows of the experiment; those that were finished when it was interrupted."""
    from scratchnet.demos.progress import progress

    with progress(experiment.name, experiment.work(settings)) as advance:
        run = Run(settings, experiment.name, advance, settings.out / "arms")
        try:
            experiment.run(run)
        except KeyboardInterrupt:
            run.result.interrupted = True
    return run.result


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, with what is finished saved."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread, which alone takes signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_place(folder: Path) -> None:
    """Raise `InputError` where the folder cannot be written; it is made and tried at once."""
    for place in (folder, *folder.parents):
        if place.is_symlink() and not place.exists():
            raise InputError(f"--out {folder}: {place} is a link to nothing; must be a folder")
        if place.exists() and not place.is_dir():
            raise InputError(f"--out {folder}: {place} is a file; must be a folder")
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"--out {folder}: cannot write in {existing}; must be writable")
    from scratchnet.demos.results import check_writable

    check_writable(folder)


class Screen:
    """Where a report goes: stdout, or stderr where stdout is kept for JSON.

    A reader that went away, as `| head -1` does, ends the printing and not the run.
    """

    def __init__(self, json: bool) -> None:
        from rich.console import Console

        self.stream = sys.stderr if json else sys.stdout
        width = os.environ.get("COLUMNS", "")
        narrow = width.isdigit() and int(width) < 20
        self.console = Console(stderr=json, highlight=False, width=80 if narrow else None)

    def print(self, *content: Any, **how: Any) -> None:
        try:
            self.console.print(*content, **how)
            self.stream.flush()
        except (BrokenPipeError, SystemExit):  # rich leaves the program for a broken pipe
            self.close()

    def close(self) -> None:
        """Let everything that is printed from here on go nowhere."""
        from rich.console import Console

        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        self.console = Console(file=open(os.devnull, "w"))  # noqa: SIM115

    def text(self, content: str, style: str = "") -> None:
        self.print(content, style=style or None, markup=False)

    def whole(self, content: str) -> None:
        """A line that is not wrapped, such as a command or a path, which people copy."""
        self.print(content, markup=False, soft_wrap=True)

    def items(self, lines: Sequence[str]) -> None:
        from scratchnet.demos.tables import bullets

        if lines:
            self.print(bullets(lines))

    def options(self, kind: type[Common], name: str) -> None:
        """Each option of a command with its sentence and default."""
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid.grid(padding=(0, 2))
        grid.add_column(no_wrap=self.console.width >= 60)
        for left, sentence in help_rows(kind, name):
            grid.add_row(Text(left), Text(sentence))
        self.print(grid)


def announce(experiment: Experiment, settings: Any, mode: Mode, screen: Screen) -> None:
    """What is asked, on which setting, what to look for, and how long it takes."""
    device = get_backend(settings.backend, settings.precision).device_info()
    screen.text(experiment.question, "bold")
    screen.items(experiment.definitions)
    screen.text(f"Claimed by: {experiment.source}")
    where = f"{device['backend']} on {device['device']}"
    screen.text(f"Setting: {'; '.join(filter(None, (setting_line(settings), where)))}")
    if "compile" in options_of(experiment.settings):
        screen.text(mode.line)
    screen.text(f"Look for: {experiment.look_for}")
    screen.text(f"Takes about {duration(experiment.seconds(settings))} on one core.\n", "dim")


def setting_line(settings: Any) -> str:
    """Every setting that changes numbers, in a line."""
    from scratchnet.demos.settings import PRESENTATION, flag, joined

    hidden = (*PRESENTATION, "backend", "precision", "compile", "seed")
    parts = [
        f"{flag(name)[2:].replace('-', ' ')} {joined(getattr(settings, name))}"
        for name in options_of(type(settings))
        if name not in hidden and not isinstance(getattr(settings, name), bool | None)
    ]
    parts += [
        flag(name)[2:].replace("-", " ")
        for name in options_of(type(settings))
        if name not in hidden and getattr(settings, name) is True
    ]
    return (", ".join(parts) + (" (quick)" if settings.quick else "")).strip()


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def record_of(result: Result, verdicts: Sequence[Verdict], where: Any) -> dict[str, Any]:
    """What `result.json` and `--json` hold."""
    return {
        "settings": vars(result.settings),
        "environment": where,
        "rows": [row.record() for row in result.rows],
        "claims": [verdict.record() for verdict in verdicts],
        "learning_rates": {
            name: {"best": each.best, "bracketed": each.bracketed, "tried": each.rates}
            for name, each in result.tuned.items()
        },
        "extra": {name: each for name, each in result.extra.items() if is_plain(each)},
        "interrupted": result.interrupted,
    }


def is_plain(value: Any) -> bool:
    try:
        to_json(value)
    except TypeError:
        return False
    return True


def save_numbers(settings: Any, record: Mapping[str, Any], result: Result) -> list[Path]:
    """Write `result.json`, and `rows.csv` where it is asked for; their paths."""
    paths = [settings.out / RECORD_NAME]
    write_atomically(paths[0], to_json(record).encode() + b"\n")
    if settings.csv:
        paths.append(settings.out / "rows.csv")
        write_atomically(paths[1], csv_of(result).encode())
    return paths


def csv_of(result: Result) -> str:
    """A line for each arm, rate and seed, with every fact and measure as a column."""
    import csv
    import io

    lines = [
        {"arm": row.arm, "part": row.part, **row.facts, "seed": seed}
        | {name: float(values[i]) for name, values in row.measures.items()}
        for row in result.rows
        for i, seed in enumerate(row.seeds)
    ]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()


def save_files(experiment: Experiment, settings: Any, result: Result) -> list[Path]:
    """Write the other files and draw the figures, one after the other; their paths."""
    from scratchnet.demos.drawing import plain_matplotlib

    paths = []
    for name, write in experiment.files(result).items():
        paths.append(settings.out / name)  # a name that is an absolute path stays one
        with plain_matplotlib():
            write(paths[-1])
    return paths + save_figures(experiment.figures(result), settings.out, settings.vector)


def save_figures(
    figures: Mapping[str, Callable[[], Figure]], folder: Path, vector: bool = False
) -> list[Path]:
    """Draw each figure, and write it as PNG and, if asked for, as SVG; their paths."""
    from scratchnet.demos.drawing import plain_matplotlib, svg
    from scratchnet.demos.figures import png

    paths = []
    for name, draw in figures.items():
        with plain_matplotlib():
            figure = draw()
            for ending, convert in {"png": png, **({"svg": svg} if vector else {})}.items():
                paths.append(folder / f"{name}.{ending}")
                write_atomically(paths[-1], convert(figure))
    return paths


def report(
    experiment: Experiment,
    result: Result,
    verdicts: Sequence[Verdict],
    written: Sequence[Path],
    screen: Screen,
) -> None:
    """Answer, tables, pictures, claims, and what to try next."""
    if result.interrupted:
        screen.text("Interrupted: what follows is of the arms that were finished.", "bold")
    answer = experiment.answer(result, verdicts) if experiment.answer else ""
    screen.text(f"Answer: {answer or headline(verdicts)}\n", "bold")
    for table in experiment.tables(result):
        print_table(table, screen)
    screen.items([*experiment.notes(result), *rate_notes(result)])
    if verdicts:
        screen.text("\nClaims", "bold")
        screen.items([f"{each.name}: {claim_line(each)}" for each in verdicts])
    screen.text("\nWritten", "bold")
    for path in written:
        screen.whole(f"  {path}")
    if experiment.next:
        screen.text("\nNext", "bold")
        for command in experiment.next:
            screen.whole(f"  {command}")


def headline(verdicts: Sequence[Verdict]) -> str:
    """The first claim's sentence, and the second's where both were decided."""
    decided = [each for each in verdicts if each.name not in ("undecided", "not tested")]
    if not verdicts:
        return "no arm was compared."
    return " ".join(each.sentence for each in (decided[:2] or verdicts[:1]))


def claim_line(verdict: Verdict) -> str:
    """The claim, whose it is, and what was measured or why nothing was."""
    reason = f"; {verdict.reason}" if verdict.reason else f": {verdict.measured}"
    return f"{verdict.claim.sentence} [{verdict.claim.source}]{reason}"


def rate_notes(result: Result) -> list[str]:
    """What must be said of learning rates."""
    if not result.tuned:
        return []
    if all(each.scores is None for each in result.tuned.values()):
        rates = sorted({each.best for each in result.tuned.values()})
        shown = ", ".join(f"{rate:g}" for rate in rates)
        return [f"The arms are compared at one learning rate each ({shown}), not at their best."]
    open_ended = [name for name, each in result.tuned.items() if not each.bracketed]
    notes = ["Each arm is at its best learning rate, chosen on five tuning seeds of their own."]
    if open_ended:
        notes.append(
            f"Not bracketed, so without a verdict (the best rate lies at an edge of those tried): "
            f"{', '.join(open_ended)}."
        )
    return notes


def print_table(table: Table, screen: Screen) -> None:
    """A table as wide as its numbers; where the screen is too narrow, an arm below the other."""
    from rich.text import Text

    from scratchnet.demos.tables import new_table

    if table.title:
        screen.text(table.title, "bold")
    if not table.headings:
        print_drawing([row[0] for row in table.rows], screen)
        return
    if width_of(table) <= screen.console.width:
        drawn = new_table(*table.headings)
        for column in table.words:
            drawn.columns[column].justify = "left"
        for row in table.rows:
            drawn.add_row(*map(Text, row))
        screen.print(drawn)
        return
    for row in table.rows:
        screen.whole(row[0])
        for heading, cell in list(zip(table.headings, row, strict=True))[1:]:
            screen.whole(f"  {' '.join(heading.split())}: {cell.strip()}")


def print_drawing(lines: Sequence[str], screen: Screen) -> None:
    """Lines of text with box characters, which become + - | where the screen has none."""
    width = max(map(len, lines))
    if width > screen.console.width:
        screen.text(f"(a drawing of {width} columns: this screen has {screen.console.width})\n")
        return
    if not screen.console.encoding.lower().startswith("utf"):
        plain = str.maketrans("─│╵╶└╷┌├╴┘┴┐┤┬┼", "-|+++++++++++++")
        lines = [line.translate(plain) for line in lines]
    screen.whole("\n".join(("", *lines, "")))


def width_of(table: Table) -> int:
    """Characters that the table takes."""
    columns = zip(table.headings, *table.rows, strict=True)
    longest = (
        max(len(line) for cell in column for line in cell.splitlines() or [""])
        for column in columns
    )
    return sum(each + 3 for each in longest) - 1


def show_figures(figures: Mapping[str, Callable[[], Figure]], screen: Screen) -> None:
    from scratchnet.demos.drawing import plain_matplotlib
    from scratchnet.demos.figures import show

    with plain_matplotlib():
        drawn = [draw() for draw in figures.values()]
    show(drawn, screen.console)


def print_help(experiment: Experiment) -> None:
    """The question, the options, and examples."""
    from scratchnet.demos.explain.terms import used_in

    screen = Screen(json=False)
    screen.whole(f"Usage: scratchnet {experiment.name} {usage(experiment.settings)}\n")
    screen.text(f"{experiment.question}\n")
    screen.items(experiment.definitions)
    screen.text(f"Claimed by: {experiment.source}")
    screen.text(f"Look for: {experiment.look_for}\n")
    screen.options(experiment.settings, experiment.name)
    if experiment.next:
        screen.text("\nExamples")
        for command in experiment.next:
            screen.whole(f"  {command}")
    sentences = (each for _, each in help_rows(experiment.settings, experiment.name))
    said = (experiment.question, *experiment.definitions, experiment.look_for, *sentences)
    if used := used_in(" ".join(said)):
        screen.text(f"\nExplained by `scratchnet explain TERM`: {', '.join(t.name for t in used)}")


def quick_settings(experiment: Experiment, **given: Any) -> Any:
    """The settings of `--quick` with these fields, for tests."""
    return resolve(experiment.settings, {"quick": True, "out": Path("runs"), **given})


def run_small(experiment: Experiment, **given: Any) -> Result:
    """Run with `quick_settings`, keep nothing on disk; the result."""
    settings = quick_settings(experiment, **given)
    experiment.check(settings)
    run = Run(settings, experiment.name)
    experiment.run(run)
    return run.result
