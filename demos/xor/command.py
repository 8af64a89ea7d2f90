"""XOR: what one threshold neuron cannot compute, three can, and training often finds.

1. All labelings of the four points that one threshold neuron gives, and the best of them.
2. The circuit AND(OR, NAND), a model with hand-set weights.
3. Networks with one hidden layer learn XOR by backpropagation, a network per seed: how many
   solve it, and where the others end.
4. Networks of threshold neurons learn it with a surrogate for the derivative, which is zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.backends import InputError, choose
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.terminal import console_for, name_device, progress
from scratchnet.demos.xor.experiment import Result, kinds, run
from scratchnet.demos.xor.figures import plot
from scratchnet.demos.xor.report import report, sentences
from scratchnet.layers import ACTIVATIONS

__all__ = ["command", "plot", "record", "report", "run"]

WIDEST = 1000
MOST_SEEDS = 10_000
SMOOTH = {name: kind for name, kind in ACTIVATIONS.items() if kind.is_differentiable}


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each kind of network."""
    rows = [
        {
            "activation": each.activation,
            "hidden": each.hidden,
            "parameters": each.parameters,
            "networks": each.networks,
            "solved": each.solved,
            "fraction": each.solved / each.networks,
            "interval": each.interval,
            "outcomes": each.outcomes,
            "points_right": each.points_right,
            "final_loss": each.final_loss,
            "steps_to_solve": each.steps_to_solve,
            "hidden_change": each.hidden_change,
            "seconds": each.seconds,
        }
        for each in result.trainings
    ]
    given = [each for each in result.labelings if each.neuron is not None]
    summary = {
        "labelings": result.labelings,
        "labelings_of_one_neuron": len(given),
        "best_of_all_thresholds": max(each.right for each in given),
        "gates": result.gates,
        "interrupted": result.interrupted,
        "words": sentences(result),
    }
    return {
        "settings": result.settings,
        "environment": result.environment,
        "rows": rows,
        "summary": summary,
    }


def smooth_activations(text: str) -> tuple[str, ...]:
    """The names of a list such as `relu,tanh`; raises `InputError` for one that is not known."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        choose("value for --activation", name, SMOOTH)
    if len(set(names)) < len(names):
        raise InputError(f"--activation {text!r}: each name can stand in the list once only")
    return names


def command(
    activation: Annotated[
        str,
        typer.Option(
            "--activation",
            metavar="LIST",
            help=f"Of the hidden layer in step 3, one or several of {', '.join(SMOOTH)}.",
        ),
    ] = "relu,tanh",
    hidden: Annotated[
        str | None,
        typer.Option(
            "--hidden",
            metavar="LIST",
            show_default="2,3,4,8, quick 2,8",
            help="Hidden neurons, one or several numbers.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=1,
            show_default="1000, quick 400",
            help="Training steps.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: options.Seeds = 200,
    quick: options.Quick = False,
    out: options.Out = Path("runs/xor"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """What one threshold neuron cannot compute, three can, and training often finds."""
    check_writable(out)
    activations = smooth_activations(activation)
    default = "2,8" if quick else "2,3,4,8"
    widths = options.positive_integers("--hidden", default if hidden is None else hidden)
    if max(widths) > WIDEST:
        raise InputError(f"--hidden {max(widths)}: expected at most {WIDEST} hidden neurons")
    if seeds > MOST_SEEDS:
        raise InputError(f"--seeds {seeds}: expected at most {MOST_SEEDS} networks side by side")
    epochs = epochs or (400 if quick else 1000)
    console = console_for(json)
    with progress("training", total=len(kinds(activations, widths)) * epochs) as advance:
        result = run(activations, widths, epochs, seed, seeds, backend, advance)
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
