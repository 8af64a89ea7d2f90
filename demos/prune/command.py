"""The command `scratchnet prune`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.demos import options
from scratchnet.demos.prune.experiment import Result, run
from scratchnet.demos.prune.figures import plot
from scratchnet.demos.prune.report import report, summary
from scratchnet.demos.prune.settings import (
    FULL_DRAWS,
    FULL_STEPS,
    QUICK_DRAWS,
    QUICK_SPARSITIES,
    QUICK_STEPS,
    SPARSITIES,
    Settings,
    shares,
)
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.terminal import console_for, name_device, progress


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each draw."""
    return {
        "settings": {**vars(result.settings), "task": vars(result.task), "optimizer": "adam"},
        "environment": environment(result.settings.backend),
        "rows": [
            {
                "method": row.method,
                "sparsity": row.sparsity,
                "weights": row.weights,
                "test_accuracy_as_pruned": row.pruned.mean(axis=1),
                "test_accuracy_retrained": row.retrained.mean(axis=1),
                "hidden_neurons": row.neurons,
                "compacted_parameters": row.parameters,
            }
            for row in result.rows
        ],
        "summary": summary(result),
    }


def command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A model that scratchnet spiral --save FILE wrote."),
    ],
    sparsities: Annotated[
        str | None,
        typer.Option(
            "--sparsities",
            metavar="LIST",
            show_default=",".join(f"{each:g}" for each in SPARSITIES),
            help="Shares of weights, or of neurons, to take out.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=0,
            show_default=str(FULL_STEPS),
            help="Training steps after pruning.",
        ),
    ] = None,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", metavar="X", min=0.0, help="Of these steps (Adam).")
    ] = 1e-3,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            metavar="N",
            min=1,
            max=1000,
            show_default=str(FULL_DRAWS),
            help="How many random masks for each sparsity.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    quick: options.Quick = False,
    out: options.Out = Path("runs/prune"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Take weights or neurons out of a saved network: how accurate, and how large, is the rest?"""
    default_steps, default_draws = (QUICK_STEPS, QUICK_DRAWS) if quick else (FULL_STEPS, FULL_DRAWS)
    default_sparsities = QUICK_SPARSITIES if quick else SPARSITIES
    settings = Settings(
        file,
        default_sparsities if sparsities is None else shares("--sparsities", sparsities),
        default_steps if steps is None else steps,
        learning_rate,
        default_draws if draws is None else draws,
        seed,
        quick,
        backend,
    )
    check_writable(out)
    console = console_for(json)
    with progress("training", settings.steps) as advance:
        result = run(settings, advance)
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
