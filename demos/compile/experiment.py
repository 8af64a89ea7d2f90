"""What a compiler makes of a training step: calls, phases, loops, C++, and the time of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scratchnet.backends.compile import (
    NotCompiled,
    Program,
    compiler_available,
    find_compiler,
    with_plain_biases,
    write_program,
)
from scratchnet.backends.compile.cuda_source import KERNEL_BEGINS
from scratchnet.backends.errors import InputError
from scratchnet.backends.interface import Backend
from scratchnet.batches import Batches, checked_data
from scratchnet.buffer_reuse import elide_copies
from scratchnet.compiled_step import CompiledTraining
from scratchnet.demos.compile import kernel
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import OPTIMIZERS
from scratchnet.files import write_atomically
from scratchnet.layers import ACTIVATIONS
from scratchnet.losses import LOSSES
from scratchnet.model import Model, mlp
from scratchnet.optim import Optimizer
from scratchnet.program import RecordedStep, Recording
from scratchnet.training import TrainingStep, fit

PARTS = ("listing", "phases", "source")
SECONDS = 0.25
"""Of each measurement, of which there are `ROUNDS`."""
ROUNDS = 3
LANGUAGES = {
    "cpu": ("C++", "vectors.h", "\nusing "),
    "cuda": ("CUDA", "kernel.cuh", f"\n{KERNEL_BEGINS}"),
}
"""What each target is written in, what that is built on, and the first line after it."""
STAGES = ("as Python", "recorded", "compiled", "many steps in a call")


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet compile`."""

    without = (
        *("seeds", "precision", "record", "resume", "compile", "backend", "quick", "csv"),
        *("vector", "show", "workers", "scheduler"),
    )

    sizes: tuple[int, ...] = option(
        (2, 16, 16, 1), "Inputs, hidden neurons, outputs.", low=1, high=4096, repeats=True
    )
    points: int = option(400, "Samples.", low=1, high=100_000)
    batch_size: int | None = option(None, "Of mini-batches; full batch without it.", low=1)
    networks: int = option(1, "Networks side by side.", low=1, high=1000)
    activation: str = option("relu", f"One of {', '.join(ACTIVATIONS)}.")
    optimizer: Literal["sgd", "adam", "adamw"] = option("sgd", "What makes the step.")
    batch_norm: bool = option(False, "With batch normalisation, which needs further phases.")
    dropout: float = option(0.0, "Share of the hidden neurons left out.", low=0, high=0.9)
    target: Literal["cpu", "cuda"] = option("cpu", "C++ for this processor, or a CUDA kernel.")
    parts: tuple[Literal["listing", "phases", "source"], ...] = option(PARTS, "What is printed.")


def check(s: Settings) -> None:
    """Raises `InputError` for an unknown activation, no output, or no compiler."""
    if s.activation not in ACTIVATIONS:
        raise InputError(f"--activation {s.activation}: must be one of {', '.join(ACTIVATIONS)}")
    if len(s.sizes) < 2:
        raise InputError("--sizes: must be at least two numbers, such as 2,1")
    if s.target == "cpu" and (reason := compiler_available()):
        raise InputError(f"scratchnet compile: {reason}")


def trainee(s: Settings) -> tuple[Optimizer, Any, Any]:
    """The network with its optimizer, and its data."""
    rng = np.random.default_rng(s.seed)
    X = rng.normal(size=(s.points, s.sizes[0]))
    y = (rng.random((s.points, s.sizes[-1])) < 0.5).astype(float)
    model = mlp(
        list(s.sizes),
        activation=s.activation,
        batch_norm=s.batch_norm,
        dropout=s.dropout,
        ensemble=s.networks if s.networks > 1 else None,
        seed=s.seed,
        backend="numpy",
    )
    return OPTIMIZERS[s.optimizer](model, 0.01), X, y


def recorded_step(s: Settings) -> tuple[RecordedStep, Recording, Backend]:
    """A step of the training, and what was recorded of it."""
    optimizer, X, y = trainee(s)
    model, loss = optimizer.model, LOSSES["binary_cross_entropy"]
    batches = Batches(model, *checked_data(model, X, y, loss), s.batch_size)
    step = TrainingStep(batches, loss, optimizer, None, record=True, compile=True)
    assert isinstance(step.ahead, CompiledTraining)
    recorded = step.ahead.recorded
    model.train()
    rows, _ = next(iter(batches))
    optimizer.prepare()
    return recorded, recorded.record(rows), model.backend


def compiled(s: Settings) -> tuple[list[str], Program, dict[str, tuple[int, int]]]:
    """The calls as lines, the program, and for each stage its calls or loops and bytes."""
    recorded, recording, backend = recorded_step(s)
    calls = elide_copies(recording.raw, recording.outcome, backend)
    try:
        program = write_program(calls, recording.outcome, find_compiler().target)
    except NotCompiled as refusal:
        raise InputError(f"must be a step whose calls have a C++ form: {refusal}") from None
    lines = recorded.lines(recording, with_plain_biases(calls))
    made = [call.out for call in recording.raw if call.is_new]
    reused = {id(_owner(call.out)): _owner(call.out).nbytes for call in recording.calls}
    outside = {id(_owner(call.out)) for call in recording.raw if not call.is_new}
    loops = sum(map(len, [*program.loops, *program.between]))
    between = sum(size for name, size in reused.items() if name not in outside)
    sizes = [
        (len(recording.raw), sum(each.nbytes for each in made)),
        (len(recording.calls), between),
        *[(loops, program.scratch_bytes)] * 2,
    ]
    return lines, program, dict(zip(STAGES, sizes, strict=True))


def _owner(array: Any) -> Any:
    """The NumPy array that owns the memory of this view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def seconds_per_step(s: Settings) -> dict[str, float]:
    """Of each stage the fastest of some trainings, which take turns."""
    ways: dict[str, dict[str, Any]] = {
        STAGES[0]: {"record": False},
        STAGES[1]: {},
        STAGES[2]: {"compile": True, "callbacks": [lambda *_: None]},
        STAGES[3]: {"compile": True},
    }
    per_epoch = -(-s.points // (s.batch_size or s.points))
    runs = {name: partial(trained, *trainee(s), s.batch_size, how) for name, how in ways.items()}
    epochs = {name: max(3, int(SECONDS / max(run(3) / 3, 1e-6))) for name, run in runs.items()}
    best = dict.fromkeys(runs, np.inf)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            best[name] = min(best[name], run(epochs[name]) / epochs[name] / per_epoch)
    return best


def trained(
    optimizer: Optimizer, X: Any, y: Any, batch_size: int | None, how: Mapping[str, Any],
    epochs: int,
) -> float:  # fmt: skip
    """The seconds of so many epochs, without the first ones, in which the step is prepared."""
    model: Model = optimizer.model
    fit(model, X, y, optimizer=optimizer, batch_size=batch_size, epochs=2, **how)
    start = time.perf_counter()
    fit(model, X, y, optimizer=optimizer, batch_size=batch_size, epochs=epochs, **how)
    return time.perf_counter() - start


def run(run: Run) -> None:
    """Record and compile the step, and time its stages."""
    s = run.settings
    if s.target == "cuda":
        made = kernel.run(run, *recorded_step(s))
        run.result.extra |= {
            "phases": phases_of(made),
            "source": made.source,
            "tile": made.tile,
        }
        return
    lines, program, sizes = compiled(s)
    seconds = seconds_per_step(s)
    for stage in STAGES:
        facts = dict(zip(("calls", "bytes"), sizes[stage], strict=True))
        measures = {"step_seconds": np.array([seconds[stage]])}
        run.result.rows.append(Row(stage, facts, (s.seed,), measures))
        run.advance(1, note=stage)
    run.result.extra |= {
        "listing": lines,
        "phases": phases_of(program),
        "source": program.source,
        "tile": program.tile,
        "compiler": str(find_compiler()),
    }


def phases_of(program: Program | kernel.Kernel) -> list[tuple[str, str, str]]:
    """For each loop: its phase, where it stands, and its calls by number and name."""
    found = []
    for number, (before, inside) in enumerate(zip(program.between, program.loops, strict=True), 1):
        places = [("once", before), (f"each {program.tile} points", inside)]
        for place, loops in places:
            for loop in loops:
                calls = ", ".join(f"{node.number} {node.name}" for node in loop.nodes)
                found.append((str(number), place, calls))
    return found


def tables(result: Result) -> list[Table]:
    """The calls, loops and source that were asked for, and what each stage saved."""
    s, extra = result.settings, result.extra
    found = []
    if "listing" in s.parts:
        lines = [[f"{number:4}  {line}"] for number, line in enumerate(extra["listing"], 1)]
        found.append(Table(["call"], lines, "The calls of a step, as they were recorded"))
    if "phases" in s.parts:
        title = "The loops: what stands in one is done while its numbers are in registers"
        lines = [[f"phase {phase}, {runs}: {calls}"] for phase, runs, calls in extra["phases"]]
        found.append(Table(["loop"], lines, title))
    if "source" in s.parts:
        language, library, begins = LANGUAGES[s.target]
        own = extra["source"].partition(begins)
        lines = [[line] for line in (own[1] + own[2]).strip().splitlines()]
        title = f"The source, after {library}, on which it is built"
        found.append(Table([language], lines, title))
    return [*found, kernel.taken(result) if s.target == "cuda" else saved(result)]


def saved(result: Result) -> Table:
    """Calls, memory between them and time of each stage, beside the slowest."""
    rows = list(result.verdict_rows())
    slowest = float(rows[0]["step_seconds"][0])
    headings = ["stage", "calls\nor loops", "kB in\nbetween", "µs per\nstep", "times\nas fast"]
    return Table(
        headings,
        [
            [
                row.arm,
                str(row.facts["calls"]),
                f"{row.facts['bytes'] / 1e3:,.0f}",
                f"{row['step_seconds'][0] * 1e6:.1f}",
                f"{slowest / row['step_seconds'][0]:.1f}",
            ]
            for row in rows
        ],
        "What each stage saved",
    )


def answer(result: Result, _: Sequence[Any]) -> str:
    """How much faster the compiled step is."""
    if result.settings.target == "cuda":
        return kernel.answer(result)
    rows: list[Row] = list(result.verdict_rows())
    first, last = rows[0], rows[-1]
    times = first["step_seconds"][0] / last["step_seconds"][0]
    phases = len({phase for phase, *_ in result.extra["phases"]})
    return (
        f"{first.facts['calls']} calls became {last.facts['calls']} loops in {phases} "
        f"{'phase' if phases == 1 else 'phases'}, and a step is {times:.1f} times as fast as in "
        "Python."
    )


def files(result: Result) -> Mapping[str, Callable[[Path], None]]:
    """The generated source."""

    def write(path: Path) -> None:
        write_atomically(path, result.extra["source"].encode())

    name = "step.cu" if result.settings.target == "cuda" else "step.cpp"
    return {name: write} if "source" in result.extra else {}


experiment = Experiment.of(
    __name__,
    question="What does a compiler make of a training step?",
    source="compilers of neural networks, such as XLA (2017) and TVM (Chen et al., 2018)",
    look_for="calls that share a loop, so that what one makes the next still finds in registers or "
    "in cache; sums over all points, which begin a new phase.",
    seconds=lambda s: 20 if s.target == "cuda" else 2 + len(STAGES) * (ROUNDS + 1) * SECONDS,
    definitions=(
        "A call is one operation on whole arrays, as NumPy does them.",
        "A tile is some points that go through all loops of a phase before the next ones do.",
    ),
    work=lambda s: float(len(kernel.GPUS) if s.target == "cuda" else len(STAGES)),
    next=(
        "scratchnet compile --batch-norm --parts phases",
        "scratchnet compile --sizes 2,32,32,32,32,1 --optimizer adam --parts phases",
        "scratchnet compile --target cuda --parts source",
        "scratchnet bench --peers jax --compiled",
    ),
)
