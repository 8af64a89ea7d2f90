"""The run of an experiment, from the command line to the last line of its report.

An `Experiment` says what is asked, what is computed, which claims follow, and how it is drawn; this
module does the rest, in an order that loses nothing: check the settings and the places to write,
say what is asked, compute arm by arm, save the numbers, draw, and only then print the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends import InputError, get_backend
from scratchnet.demos.cluster.starting import library, opened
from scratchnet.demos.cluster.training import Cluster
from scratchnet.demos.compiling import Mode, decide, keep
from scratchnet.demos.figures import Figure, drawn, png, show, svg
from scratchnet.demos.results import RECORD_NAME, check_writable, environment, print_json, to_json
from scratchnet.demos.running import ArmFailed, Result, Row, Run, check_memory
from scratchnet.demos.screen import Screen, Table, print_table
from scratchnet.demos.settings import (
    PRESENTATION,
    Common,
    help_rows,
    joined,
    options_of,
    parse,
    resolve,
)
from scratchnet.demos.verdicts import Claim, Verdict, judge
from scratchnet.files import write_atomically
from scratchnet.interruption import INTERRUPTED

QUICK_REASON = "a quick run gives no verdicts"


@dataclass(frozen=True)
class Experiment:
    """A question, and everything that is needed to ask it of networks: see `of`."""

    name: str
    question: str
    source: str
    """Whose claim is tested: paper or kind of text, with its year."""
    look_for: str
    settings: type[Common]
    run: Callable[[Run], None]
    """Adds rows to `run.result`, arm by arm."""
    tables: Callable[[Result], Sequence[Table]]
    seconds: Callable[[Any], float]
    """About how long it takes on one core."""
    claims: Callable[[Result], Sequence[Claim]] = lambda result: ()
    """Of whatever arms were finished. The first decides the answer."""
    figures: Callable[[Result], Mapping[str, Callable[[], Figure]]] = lambda result: {}
    """Functions by name, each of which draws a figure; the first is shown as the main one."""
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

    @classmethod
    def of(cls, module: str, **stated: Any) -> Experiment:
        """The experiment of a module (`__name__`): its parts are what has their names there.

        These are `Settings`, `run`, `claims`, `tables`, `figures` and whatever else is a function.
        Where `arms(settings)` stands instead of `run`, each arm is tuned; `figures` may be the
        function `drawings` of the module `figures` beside it. `claims`, `tables` and `notes` may be
        generators. What is stated goes before what is found.
        """
        from scratchnet.demos.tuning import each_tuned, work_of

        def listed(part: Callable[[Result], Iterable[Any]]) -> Callable[[Result], list[Any]]:
            return lambda result: list(part(result))

        there = vars(sys.modules[module])
        beside = f"{module.rpartition('.')[0]}.figures"
        parts: dict[str, Any] = {}
        if "arms" in there:
            parts = {"run": each_tuned(there["arms"]), "work": work_of(there["arms"])}
        if module.endswith(".experiment") and find_spec(beside):
            parts["figures"] = lambda result: import_module(beside).drawings(result)
        parts |= {name: each for name, each in there.items() if callable(each)}
        name = module.removesuffix(".experiment").rpartition(".")[2].replace("_", "-")
        parts |= {"name": name, "settings": there["Settings"], **stated}
        for name in {"claims", "tables", "notes"} & set(parts):
            parts[name] = listed(parts[name])
        return cls(**{each.name: parts[each.name] for each in fields(cls) if each.name in parts})

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
    check_memory(experiment.memory(settings))
    backend = get_backend(settings.backend, settings.precision)
    library(settings)
    check_writable(settings.out)
    mode = decide(settings, backend, experiment.seconds(settings))
    settings = replace(settings, compile="on" if mode.compile else "off")
    screen = Screen(settings.json)
    announce(experiment, settings, mode, screen)
    if "resume" in options_of(experiment.settings):
        keep(settings.out, mode)
    # The estimate is of the largest ensemble: of all seeds, or the 25 of a sweep.
    size = experiment.memory(settings) / max(settings.seeds, 25)
    with mode.opened(), opened(settings, mode, size, screen.text) as workers:
        result = compute(experiment, settings, workers)
        where = environment(backend) | mode.environment  # BLAS has one thread here, as of workers
    if all(row.part == "tuning" for row in result.rows):
        if result.interrupted:
            raise KeyboardInterrupt
        if result.failures:
            raise InputError("; ".join(dict.fromkeys(result.failures)))
    verdicts = judge(experiment.claims(result), QUICK_REASON if settings.quick else "")
    record = record_of(result, verdicts, where)
    written: list[Path] = []
    unwritten: list[str] = []
    try:
        for path, write in writers(experiment, settings, record, result):
            try:
                write(path)
                written.append(path)
            except OSError as error:
                unwritten.append(f"{error.strerror or error}: {path}")
    except KeyboardInterrupt:
        result.interrupted = True
    report(experiment, result, verdicts, written, screen)
    if settings.json:
        print_json(record)
    if settings.show and not result.interrupted:
        show([drawn(draw) for draw in experiment.figures(result).values()], screen.text)
    if unwritten:
        raise OSError("; ".join(unwritten))
    return INTERRUPTED if result.interrupted else int(bool(result.failures))


def compute(experiment: Experiment, settings: Any, workers: Cluster | None) -> Result:
    """The rows of the experiment; those that were finished when it was interrupted."""
    from scratchnet.demos.progress import progress

    with progress(experiment.name, experiment.work(settings)) as advance:
        shown = workers.one_at_a_time(advance) if workers else advance
        run = Run(settings, experiment.name, shown, settings.out / "arms", workers)
        try:
            experiment.run(run)
        except KeyboardInterrupt:
            run.result.interrupted = True
        except ArmFailed as failed:
            run.result.failures += failed.args[0]
    return run.result


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
    hidden = (*PRESENTATION, "backend", "precision", "compile", "seed")
    shown = {
        name.replace("_", " "): getattr(settings, name)
        for name in options_of(type(settings))
        if name not in hidden
    }
    switches = [name for name, value in shown.items() if isinstance(value, bool | None)]
    parts = [f"{name} {joined(value)}" for name, value in shown.items() if name not in switches]
    parts += [name for name in switches if shown[name]]
    return (", ".join(parts) + (" (quick)" if settings.quick else "")).strip()


def duration(seconds: float) -> str:
    """Such as `12 s`, `3 minutes` or `1.5 hours`."""
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
        "failures": list(dict.fromkeys(result.failures)),
    }


def is_plain(value: Any) -> bool:
    """Whether the value has a JSON form."""
    try:
        to_json(value)
    except TypeError:
        return False
    return True


def writers(
    experiment: Experiment, settings: Any, record: Mapping[str, Any], result: Result
) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Each file of a run and what writes it: numbers first, then other files, then figures."""
    folder, numbers = settings.out, to_json(record).encode() + b"\n"
    yield folder / RECORD_NAME, lambda path: write_atomically(path, numbers)
    if settings.csv:
        yield folder / "rows.csv", lambda path: write_atomically(path, csv_of(result).encode())
    for name, write in experiment.files(result).items():
        yield folder / name, write  # a name that is an absolute path stays one
    for name, draw in experiment.figures(result).items():
        figure = lru_cache(partial(drawn, draw))
        for ending, convert in {"png": png, **({"svg": svg} if settings.vector else {})}.items():
            yield folder / f"{name}.{ending}", partial(write_figure, figure, convert)


def write_figure(
    figure: Callable[[], Figure], convert: Callable[[Figure], bytes], path: Path
) -> None:
    """Write a figure, drawn once for all its formats, as PNG or SVG."""
    write_atomically(path, convert(figure()))


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
    if result.failures:
        screen.text("Failed, and not in what follows:", "bold")
        screen.items(list(dict.fromkeys(result.failures)))
    answer = experiment.answer(result, verdicts) if experiment.answer else ""
    screen.text(f"Answer: {answer or headline(verdicts)}\n", "bold")
    for table in experiment.tables(result):
        print_table(table, screen)
    screen.items([*experiment.notes(result), *diverged(result), *rate_notes(result)])
    if verdicts:
        screen.text("\nClaims", "bold")
        found = [f"; {each.reason}" if each.reason else f": {each.measured}" for each in verdicts]
        said = [f"{each.name}: {each.claim.sentence} [{each.claim.source}]" for each in verdicts]
        screen.items([one + other for one, other in zip(said, found, strict=True)])
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


def diverged(result: Result) -> Iterator[str]:
    """Trained arms of which some networks diverged; the medians are those of the others."""
    for row in result.verdict_rows():
        if lost := np.count_nonzero(np.isnan(trained_to(row))):
            yield f"{row.arm}: {lost} of {len(row.seeds)} networks diverged."


def trained_to(row: Row) -> Any:
    """The losses, or accuracies, of a row's networks: NaN where one diverged; none of a circuit."""
    return row.measures.get("loss", row.measures.get("test_accuracy", ()))


def rate_notes(result: Result) -> list[str]:
    """What must be said of learning rates."""
    if not result.tuned:
        return []
    from scratchnet.demos.tuning import is_flat

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
    swept = {name: each for name, each in result.tuned.items() if each.scores is not None}
    flat = [name for name, each in swept.items() if each.bracketed and is_flat(each.scores)]
    if flat:
        notes.append(f"Within a point at every rate that was tried: {', '.join(flat)}.")
    return notes


def print_help(experiment: Experiment) -> None:
    """The question, the options, and examples."""
    from scratchnet.demos.explain.terms import used_in

    screen = Screen()
    source, look_for = f"Claimed by: {experiment.source}", f"Look for: {experiment.look_for}"
    about = (experiment.question, *experiment.definitions, f"{source}\n{look_for}")
    screen.help(experiment.name, experiment.settings, *about)
    if experiment.next:
        screen.text("\nExamples")
        for command in experiment.next:
            screen.whole(f"  {command}")
    sentences = [each for _, each in help_rows(experiment.settings, experiment.name)]
    if used := used_in(" ".join([*about, *sentences])):
        screen.text(f"\nExplained by `scratchnet explain TERM`: {', '.join(t.name for t in used)}")


def quick_settings(experiment: Experiment, **given: Any) -> Any:
    """The settings of `--quick` with these fields, for tests."""
    return resolve(experiment.settings, {"quick": True, "out": Path("runs"), **given})


def run_small(experiment: Experiment, **given: Any) -> Result:
    """Run with `quick_settings`, keep nothing on disk; the result."""
    run = Run(quick_settings(experiment, **given), experiment.name)
    experiment.check(run.settings)
    experiment.run(run)
    return run.result
