"""The command `scratchnet spiral`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.backends import InputError, get_backend
from scratchnet.checkpoint import save_model
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.spiral.experiment import Result, Row, run, step_cost
from scratchnet.demos.spiral.figures import animate as animated
from scratchnet.demos.spiral.figures import plot
from scratchnet.demos.spiral.report import differences, report, sentences
from scratchnet.demos.spiral.settings import TASK, choose_settings, task, trainings
from scratchnet.demos.terminal import console_for, name_device, progress

DEEPEST = 1000
FRAMES = 60


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s = result.settings
    settings = {
        **vars(s),
        "dtype": s.dtype,
        "test_points": s.test_points,
        "test_noise": s.test_noise,
        "loss": "binary_cross_entropy",
        "initializer": "he_normal",
        "activation": "relu",
    }
    first = s.seed

    def row(row: Row) -> dict[str, Any]:
        return {
            **vars(row.training),
            "seeds": list(range(first, first + row.training.seeds)),
            "parameters": row.parameters,
            "train_accuracy": row.train_accuracy,
            "test_accuracy": row.test_accuracy,
            "final_loss": row.final_loss,
            "seconds": row.seconds,
            "diverged": {first + network: when for network, when in row.diverged.items()},
        }

    return {
        "settings": settings,
        "environment": environment(get_backend(s.backend, s.precision)),
        "rows": [row(each) for each in result.rows],
        "summary": {
            "sentences": sentences(result),
            "differences": [
                {
                    "from": each.shallow.training.depth,
                    "to": each.deep.training.depth,
                    "test_accuracy": each.estimate,
                }
                for each in differences(result)
            ],
            "controls": [row(each) for each in result.controls],
            "interrupted": bool(result.unfinished),
            "unfinished": [str(each) for each in result.unfinished],
        },
    }


def command(
    protocol: Annotated[
        Literal["standard", "chapter"],
        typer.Option(
            "--protocol", help="chapter repeats a textbook's experiment: its data, its weights."
        ),
    ] = "standard",
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths",
            metavar="LIST",
            show_default="1,2,4,8",
            help="Numbers of hidden layers to compare.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", metavar="N", min=1, show_default="32", help="Neurons per layer."),
    ] = None,
    equal_parameters: Annotated[
        bool,
        typer.Option(
            "--equal-parameters",
            help="Give every depth the width that makes it as large as four layers of --width.",
        ),
    ] = False,
    optimizer: Annotated[
        Literal["sgd", "adam"],
        typer.Option("--optimizer", help="sgd is gradient descent on the whole set."),
    ] = "sgd",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="X",
            min=0.0,
            show_default="0.05, Adam 0.005",
            help="Length of a step.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", metavar="N", min=1, show_default="3000, Adam 600", help="Training steps."
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            "--points", metavar="N", min=2, show_default="400", help="To train, and to test, on."
        ),
    ] = None,
    turns: Annotated[
        float | None,
        typer.Option(
            "--turns",
            metavar="X",
            min=0.0,
            max=1000.0,
            show_default="2",
            help="How often each arm winds.",
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise",
            metavar="X",
            min=0.0,
            max=1000.0,
            show_default="0.02",
            help="Standard deviation added to the coordinates.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    precision: options.Precision = "fp32",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            show_default="0",
            help="First seed; the same seed gives the same run.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            show_default="10",
            help="How many seeds; results are means over them.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Save the first seed's network with the most layers, for scratchnet prune.",
        ),
    ] = None,
    animate: Annotated[
        bool, typer.Option("--animate", help="Also write a GIF of the boundary during training.")
    ] = False,
    quick: options.Quick = False,
    out: options.Out = Path("runs/spiral"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Train networks of several depths on two spirals: does depth help, and why?"""
    given = {
        "depths": None if depths is None else numbers_of_layers(depths),
        "width": width,
        "equal_parameters": equal_parameters or None,
        "optimizer": optimizer if optimizer != "sgd" else None,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "points": points,
        "turns": turns,
        "noise": noise,
        "seed": seed,
        "seeds": seeds,
        "quick": quick or None,
        "precision": precision if precision != "fp32" else None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    settings = choose_settings(protocol, given, backend)
    check_writable(out)
    if save is not None:
        check_file(save)
    console = console_for(json)
    total = sum(each.epochs * step_cost(each) for plan in trainings(settings) for each in plan)
    with progress("training", total) as advance:
        result = run(settings, advance, FRAMES if animate else 0)
    name_device(console, get_backend(backend, precision))
    report(result, console)
    others = {"training.gif": animated(result)} if animate else {}
    deliver(out, record(result), plot(result), console, json=json, show=show, others=others)
    if save is not None:
        console.print(save_deepest(save, result), markup=False, soft_wrap=True)
    if result.unfinished:
        raise typer.Exit(INTERRUPTED)


def check_file(path: Path) -> None:
    """Raise `InputError` where the file cannot be written; called before long work."""
    if path.is_dir():
        raise InputError(f"--save {path}: is a folder; give a file, such as {path / 'model'}")
    check_writable(path.absolute().parent, "--save")


def save_deepest(path: Path, result: Result) -> str:
    """Save the first seed's network with the most layers, and its task; returns what was done."""
    deepest = max(result.rows, key=lambda row: row.training.depth)
    save_model(path, deepest.network, task={TASK: task(result.settings)})
    return f"Saved seed {result.settings.seed} of {deepest.training} to {path}"


def numbers_of_layers(text: str) -> tuple[int, ...]:
    depths = options.positive_integers("--depths", text)
    if max(depths) > DEEPEST:
        raise InputError(f"--depths {max(depths)}: expected at most {DEEPEST:,} hidden layers")
    return depths
