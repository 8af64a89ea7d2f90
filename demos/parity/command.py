"""Parity, x_1 XOR ... XOR x_n: five circuits side by side, and which networks learn it.

1. Each circuit is built and run on all 2^n rows; what it costs is set beside the formulas.
2. With --learn, networks with one hidden layer, with log2 n layers, and with one wide layer of as
   many parameters are trained, a network per seed: on the full table, and on half of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.parity.experiment import Built, Result, run, total_cost
from scratchnet.demos.parity.figures import plot
from scratchnet.demos.parity.formulas import FORMULAS, QUANTITIES
from scratchnet.demos.parity.learning import LARGEST_TABLE, Training
from scratchnet.demos.parity.report import report, sentences
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.terminal import console_for, name_device, progress
from scratchnet.depth.circuits import MOST_INPUTS

__all__ = ["command", "plot", "record", "report", "run"]

FULL_SIZES, QUICK_SIZES = "4,6,8,10,11,12", "4,6,8,9"
FULL_STEPS, QUICK_STEPS = 3000, 1000
MOST_SEEDS = 100


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each circuit, then one for each training."""
    summary = {
        "formulas": {
            construction: {name: formulas[name].text for name in QUANTITIES}
            for construction, formulas in FORMULAS.items()
        },
        "interrupted": result.interrupted,
        "words": sentences(result),
    }
    return {
        "settings": result.settings,
        "environment": result.environment,
        "rows": [
            *(circuit_row(each) for each in result.circuits),
            *(training_row(each) for each in result.trainings),
        ],
        "summary": summary,
    }


def circuit_row(built: Built) -> dict[str, Any]:
    verified = built.verification
    return {
        "what": "circuit",
        "construction": built.construction,
        "inputs": built.inputs,
        **(built.counts or dict.fromkeys(QUANTITIES)),
        "rows_verified": verified.rows if verified else 0,
        "errors": verified.errors if verified else None,
        "not_built": built.reason or None,
        "seconds": built.seconds,
    }


def training_row(training: Training) -> dict[str, Any]:
    return {
        "what": "training",
        "network": training.kind,
        "inputs": training.inputs,
        "half_held_out": training.half,
        "hidden": training.hidden,
        "parameters": training.parameters,
        "networks": training.networks,
        "solved": training.solved,
        "fraction": training.solved / training.networks,
        "interval": training.interval,
        "steps_to_solve": training.steps_to_solve,
        "training_rows_right": training.right,
        "test_accuracy": training.test_accuracy,
        "test_accuracy_mean": training.accuracy if training.half else None,
        "seconds": training.seconds,
    }


def sizes_to_learn(text: str) -> tuple[int, ...]:
    """The numbers of inputs of a list such as `4,6,8`, each from 2 to 14, in rising order."""
    sizes = options.positive_integers("--learn-inputs", text)
    for n in sizes:
        if not 2 <= n <= LARGEST_TABLE:
            raise InputError(f"--learn-inputs {n}: expected numbers from 2 to {LARGEST_TABLE}")
    return tuple(sorted(sizes))


def command(
    inputs: Annotated[
        int,
        typer.Option(
            "--inputs", metavar="N", min=1, max=MOST_INPUTS, help="Inputs of the circuits."
        ),
    ] = 16,
    learn: Annotated[
        bool, typer.Option("--learn", help="Train networks as well (minutes).")
    ] = False,
    learn_inputs: Annotated[
        str | None,
        typer.Option(
            "--learn-inputs",
            metavar="LIST",
            show_default=f"{FULL_SIZES}, quick {QUICK_SIZES}",
            help="Numbers of inputs to learn; implies --learn.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            show_default=f"{FULL_STEPS}, quick {QUICK_STEPS}",
            help="Training steps at most.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: options.Seeds = 5,
    quick: options.Quick = False,
    out: options.Out = Path("runs/parity"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Five circuits for parity, side by side; with --learn, which networks learn it."""
    check_writable(out)
    chosen = QUICK_SIZES if quick else FULL_SIZES
    sizes = sizes_to_learn(chosen if learn_inputs is None else learn_inputs)
    sizes = sizes if learn or learn_inputs is not None else ()
    steps = steps or (QUICK_STEPS if quick else FULL_STEPS)
    if seeds > MOST_SEEDS:
        raise InputError(f"--seeds {seeds}: expected at most {MOST_SEEDS} networks side by side")
    console = console_for(json)
    with progress("working on", total=total_cost(inputs, quick, sizes, steps)) as advance:
        result = run(inputs, quick, sizes, steps, seed, seeds, backend, advance)
    name_device(console, backend)
    deliver(
        out,
        record(result),
        lambda: plot(result),
        lambda: report(result, console),
        console,
        json,
        show,
    )
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
