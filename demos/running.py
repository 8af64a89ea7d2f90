"""What an experiment computes, arm by arm: rows of numbers, kept on disk as they are finished.

A `Row` holds an arm's numbers over its seeds. `Run.row` computes one, or takes it from the folder
where `--resume` finds it finished. When a run is interrupted, the rows that it has are a `Result`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

import scratchnet
from scratchnet.backends.errors import InputError
from scratchnet.demos.results import to_plain
from scratchnet.demos.settings import PRESENTATION, Common, options_of
from scratchnet.demos.verdicts import Claim, Contrast
from scratchnet.files import write_atomically

Numbers = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Measures and arrays of a row, by name."""


class ArmFailed(Exception):
    """Chunks of an arm raised an error on a worker; its argument is a list of lines, one each."""


Advance = Callable[..., None]
"""`advance(steps, note="", value=None)`: so many units of work are done; what is done now, and its
current loss or accuracy."""


def no_progress(steps: float = 1, note: str = "", value: float | None = None) -> None:
    """An `Advance` that shows nothing."""


@dataclass(frozen=True, eq=False)
class Row:
    """An arm's numbers, at one learning rate where it has one.

    A measure that is NaN belongs to a network that diverged.
    """

    arm: str
    facts: Mapping[str, Any]
    """What it was, such as `{"depth": 4, "learning_rate": 0.1}`: a column of the table each."""
    seeds: tuple[int, ...]
    measures: Mapping[str, Any]
    """Arrays (seeds,) by name; times have names that end in `seconds`."""
    arrays: Mapping[str, Any] = field(default_factory=dict)
    """What figures need besides, such as loss curves or the first seed's boundary."""
    part: str = "verdict"
    """`tuning` for the seeds on which a learning rate was chosen."""

    def __getitem__(self, measure: str) -> Any:
        return self.measures[measure]

    def record(self) -> dict[str, Any]:
        """As `result.json` holds it."""
        return {
            "arm": self.arm,
            "part": self.part,
            **self.facts,
            "seeds": list(self.seeds),
            **{name: np.asarray(values).tolist() for name, values in self.measures.items()},
        }


@dataclass(eq=False)
class Result:
    """The settings and rows of a run, finished or not."""

    settings: Any
    rows: list[Row] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    """Whatever else an experiment found; what is not an array goes to `result.json`."""
    tuned: dict[str, Any] = field(default_factory=dict)
    """By arm, how its learning rate was chosen: see `tuning.Tuned`."""
    interrupted: bool = False
    failures: list[str] = field(default_factory=list)
    """Lines about arms that raised an error on a worker, and have no row."""

    def __contains__(self, arm: str) -> bool:
        return any(row.arm == arm for row in self.verdict_rows())

    def __getitem__(self, arm: str) -> Row:
        """The verdict row of the arm. Raises `KeyError` where it was not finished."""
        for row in self.verdict_rows():
            if row.arm == arm:
                return row
        raise KeyError(arm)

    def verdict_rows(self) -> Iterator[Row]:
        """All rows but those on which learning rates were chosen."""
        return (row for row in self.rows if row.part == "verdict")

    def untested(self, *arms: str) -> str:
        """Why these arms cannot be compared at their best, or nothing: `Claim(untested=...)`."""
        for arm in arms:
            if arm not in self:
                return f"{arm} was not finished"
            if arm in self.tuned and not self.tuned[arm].bracketed:
                return f"the best learning rate of {arm} lies at an edge of those tried"
        return ""

    def claim(
        self,
        sentence: str,
        source: str,
        contrast: Callable[..., Contrast],
        *arms: str,
        measure: str | Callable[[Row], Any] = "test_accuracy",
        **more: Any,
    ) -> list[Claim]:
        """The claim about these arms; none where one was not finished, or stands for two.

        `contrast` gets the measure of each arm, or what a function makes of each arm's row.
        """
        if not all(arm in self for arm in arms) or len(set(arms)) < len(arms):
            return []
        read = measure if callable(measure) else itemgetter(measure)
        found = contrast(*(read(self[arm]) for arm in arms))
        return [Claim(sentence, source, found, **{"untested": self.untested(*arms), **more})]


@dataclass(eq=False)
class Run:
    """What `Experiment.run` gets: the settings, and how to compute, keep and report rows."""

    settings: Any
    name: str = ""
    advance: Advance = no_progress
    folder: Path | None = None
    """Where finished rows are kept; None keeps none."""
    cluster: Any = None
    """The workers (`cluster.Cluster`) that train the networks, or None: this process does."""
    result: Result = field(init=False)

    def __post_init__(self) -> None:
        self.result = Result(self.settings)

    def row(
        self,
        arm: str,
        facts: Mapping[str, Any],
        seeds: Sequence[int],
        compute: Callable[[Advance], Numbers],
        work: float = 1.0,
        part: str = "verdict",
    ) -> Row:
        """Compute a row, or take it from disk, and add it to the result.

        `compute(advance)` returns measures and arrays. It advances `work` units in all; a row from
        disk does so at once. Raises `KeyboardInterrupt` where Ctrl-C ended it early.
        """
        self.advance(0, note=f"{arm}, learning rates" if part == "tuning" else arm)
        path = self.path(arm, self.key(arm, facts, seeds, part))
        kept = read(path) if path and self.settings.resume else None
        if kept:
            self.advance(work)
        numbers: Numbers = kept or compute(self.advance)
        if path and not kept:
            write(path, *numbers)
        row = Row(arm, dict(facts), tuple(seeds), *numbers, part)
        self.result.rows.append(row)
        return row

    def networks(
        self,
        arm: str,
        facts: Mapping[str, Any],
        seeds: Sequence[int],
        train: Callable[[Sequence[int]], Callable[[Advance], Numbers]],
        work: float,
        part: str = "verdict",
        axes: Mapping[str, int] | None = None,
    ) -> Row:
        """As `row`, of networks that a cluster may train in chunks: there is one for each seed.

        `train(places)` returns what trains the networks of these places of `seeds`, as the
        `compute` of a row does; it travels to a worker with all that it refers to. `axes` names the
        arrays that have an axis of networks, and says which; other arrays belong to the first
        network.
        """

        if self.cluster is None:
            return self.row(arm, facts, seeds, train(range(len(seeds))), work, part)
        from scratchnet.demos.cluster.chunks import chunks_of, together

        chunks = chunks_of(self, arm, facts, seeds, train, work, part)

        def compute(advance: Advance) -> Numbers:
            found = self.cluster.numbers(chunks, self.settings.resume, advance)
            return together(found, axes or {})

        row = self.row(arm, facts, seeds, compute, work, part)
        kept = self.path(arm, self.key(arm, facts, seeds, part))
        for chunk in chunks if kept and kept.exists() else ():
            if chunk.path:
                chunk.path.unlink(missing_ok=True)
        return row

    def path(self, arm: str, key: str) -> Path | None:
        """Where the numbers of a row, or of some of its networks, are kept."""
        name = re.sub("[^a-z0-9]+", "-", arm.lower())
        return self.folder / f"{name}-{key}.npz" if self.folder else None

    def key(self, arm: str, facts: Mapping[str, Any], seeds: Sequence[int], part: str) -> str:
        """A digest of everything that the row's numbers depend on, the source code included."""
        content = [self.name, arm, to_plain(facts), list(seeds), part, shared(self.settings)]
        text = json.dumps([*content, source_digest()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def shared(settings: Common) -> dict[str, Any]:
    """The settings that every arm depends on: not those that only choose arms, seeds or files."""
    options = options_of(type(settings))
    return {
        name: to_plain(getattr(settings, name))
        for name, details in options.items()
        if name not in (*PRESENTATION, "seed", "seeds") and not details.chooses_arms
    }


@cache
def source_digest() -> str:
    """Of the package's source, so that a changed program resumes nothing."""
    digest = hashlib.sha256()
    for folder in sorted(set(scratchnet.__path__)):
        for path in sorted(Path(folder).rglob("*.py")):
            if "tests" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()


def write(path: Path, measures: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Keep a row's numbers; a disk that is full does not end a run."""
    named = {f"m:{name}": np.asarray(each) for name, each in measures.items()}
    named |= {f"a:{name}": np.asarray(each) for name, each in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **named)  # type: ignore[arg-type]
    with suppress(OSError):
        write_atomically(path, buffer.getvalue())


def read(path: Path) -> Numbers | None:
    """A row's numbers, or None where there is no such file or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except Exception:
        # A damaged archive can fail in any way.
        return None
    # What is no array in its archive comes out as bytes.
    if not all(isinstance(each, np.ndarray) for each in content.values()):
        return None
    measures, arrays = (
        {name[2:]: each for name, each in content.items() if name.startswith(kind)}
        for kind in ("m:", "a:")
    )
    return (measures, arrays) if len(measures) + len(arrays) == len(content) else None


def available_memory() -> int:
    """Bytes that this machine can give now, or 4 GiB where it does not say."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4 << 30


def check_memory(needed: float) -> None:
    """Raise `InputError` where a run would need more than 80 % of the memory that is free."""
    limit = 0.8 * available_memory()
    if not needed <= limit:
        raise InputError(
            f"this run would need about {needed / 2**30:,.1f} GiB of memory: must be at most "
            f"{limit / 2**30:,.1f} GiB, 80% of what is free"
        )
