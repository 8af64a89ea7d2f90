"""Linear regions: how many pieces a ReLU network makes of the plane, counted and drawn exactly.

Networks with the same number of neurons in 1, 2, 4 and 8 layers are counted before, during and
after they learn two spirals, beside the bounds from theory.

`--compare 8 2x4` asks instead what two architectures can reach: one layer of 8 neurons and four
layers of 2, of which a textbook says 37 regions against 256.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.random_networks import BIAS_DEVIATION
from scratchnet.demos.regions import compare, experiment
from scratchnet.demos.regions.compare import Comparison
from scratchnet.demos.regions.experiment import Result, Row, run
from scratchnet.demos.regions.figures import plot, plot_comparison
from scratchnet.demos.regions.report import (
    comparison_sentences,
    report,
    report_comparison,
    sentences,
)
from scratchnet.demos.regions.settings import (
    MOST_LAYERS,
    CompareSettings,
    Settings,
    architecture,
    window,
)
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress

__all__ = ["command", "plot", "record", "report", "run"]

QUICK: dict[str, Any] = {"seeds": 3, "epochs": 300, "depths": (1, 2, 4)}
QUICK_COMPARE: dict[str, Any] = {"networks": 60, "search_steps": 600}


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it: a row for each architecture, a number for each seed."""
    s = result.settings

    def row(row: Row) -> dict[str, Any]:
        return {
            "architecture": str(row.architecture),
            "hidden": row.architecture.hidden,
            "parameters": row.parameters,
            "bounds": row.architecture.bounds(),
            "checkpoints": [
                {
                    "epochs": each.epochs,
                    "activation_regions": each.count,
                    "linear_regions": each.linear_count,
                    "linear_regions_estimate": mean_interval(each.linear_count),
                    "test_accuracy": each.test_accuracy,
                    "regions_crossed_by_boundary": each.crossed,
                    "boundary_segments_of_first_seed": len(each.mosaic.boundary),
                }
                for each in row.checkpoints
            ],
            "grid": row.grid,
            "seconds": row.seconds,
        }

    return {
        "settings": {
            **vars(s),
            "architectures": [str(each) for each in s.architectures()],
            "optimizer": "adam",
            "loss": "binary_cross_entropy",
            "initializer": "he_normal",
            "dtype": "float64",
        },
        "environment": result.environment,
        "rows": [row(each) for each in result.rows],
        "summary": {"sentences": sentences(result), "interrupted": result.interrupted},
    }


def record_comparison(comparison: Comparison) -> dict[str, Any]:
    """The comparison as `result.json` holds it; a row for each architecture."""
    return {
        "settings": {**vars(comparison.settings), "initializer": "he_normal", "dtype": "float64"},
        "environment": comparison.environment,
        "rows": [
            {
                "architecture": str(row.architecture),
                "hidden": row.architecture.hidden,
                "bounds": row.architecture.bounds(),
                "activation_regions": row.count,
                "linear_regions": row.linear_count,
                "linear_regions_estimate": mean_interval(row.linear_count),
                "best": {
                    "activation_regions": row.best.count,
                    "linear_regions": row.best.linear_count,
                    "weights": row.best_weights,
                },
                "networks_searched": row.search_steps,
                "seconds": row.seconds,
            }
            for row in comparison.rows
        ],
        "summary": {
            "sentences": comparison_sentences(comparison),
            "interrupted": comparison.interrupted,
        },
    }


def command(
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="WIDTHS",
            show_default="16x4",
            help="Hidden layers of the network to draw: 16x4 is four layers of 16; or 20,10,5.",
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths",
            metavar="LIST",
            show_default="1,2,4,8, quick 1,2,4",
            help="Numbers of layers over which as many neurons are spread.",
        ),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="WIDTHS WIDTHS",
            help="Two architectures, such as 8 2x4: what they can reach, and what bounds say.",
        ),
    ] = None,
    extent: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="LEFT,RIGHT,BOTTOM,TOP",
            show_default="-1.2,1.2,-1.2,1.2, --compare 100 each way",
            help="Where regions are counted.",
        ),
    ] = None,
    bias: Annotated[
        float,
        typer.Option(
            "--bias",
            metavar="X",
            min=0.0,
            max=1000.0,
            help="Standard deviation of the biases before training.",
        ),
    ] = BIAS_DEVIATION,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", metavar="N", min=1, show_default="600, quick 300", help="Training steps."
        ),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(
            "--search",
            metavar="N",
            min=1,
            show_default="5000, quick 600",
            help="With --compare: networks to look at in search of the best one.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            max=10_000,
            show_default="10, --compare 300, quick 3 and 60",
            help="How many seeds; results are means over them.",
        ),
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/regions"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Count and draw the linear regions of ReLU networks, before and after training."""
    common: dict[str, Any] = {"bias_deviation": bias, "seed": seed, "backend": backend}
    if extent is not None:
        common["extent"] = window("--window", extent)
    if compare is not None:
        refuse("--compare", {"--network": network, "--depths": depths, "--epochs": epochs})
        both = tuple(architecture("--compare", each) for each in compare)
        given: dict[str, Any] = {"networks": seeds, "search_steps": search}
        wanted = chosen(QUICK_COMPARE if quick else {}, given)
        settings = CompareSettings(both, **common, **wanted)
        compare_architectures(settings, out, json, show)
        return
    refuse("a run without --compare", {"--search": search})
    given = {
        "shown": None if network is None else architecture("--network", network),
        "depths": None if depths is None else numbers_of_layers(depths),
        "epochs": epochs,
        "seeds": seeds,
    }
    train_networks(Settings(**common, **chosen(QUICK if quick else {}, given)), out, json, show)


def chosen(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What was given, and the usual where nothing was."""
    return {**usual, **{name: value for name, value in given.items() if value is not None}}


def refuse(where: str, given: dict[str, Any]) -> None:
    """Raise `InputError` for options that have no meaning there."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise InputError(f"{', '.join(names)}: has no meaning with {where}; leave it out")


def numbers_of_layers(text: str) -> tuple[int, ...]:
    depths = options.positive_integers("--depths", text)
    if max(depths) > MOST_LAYERS:
        raise InputError(f"--depths {max(depths)}: expected at most {MOST_LAYERS} hidden layers")
    return depths


def train_networks(settings: Settings, out: Path, json: bool, show: bool) -> None:
    """Train, count, print and write the files; status 130 after Ctrl-C.

    Raises `InputError` for more layers than neurons.
    """
    neurons = settings.shown.neurons
    if max(settings.depths) > neurons:
        raise InputError(
            f"--depths {max(settings.depths)}: expected at most as many layers as the {neurons} "
            f"neurons of {settings.shown}"
        )
    check_writable(out)
    console = console_for(json)
    with progress("training", experiment.steps(settings)) as advance:
        result = run(settings, advance)
    name_device(console, settings.backend)
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


def compare_architectures(settings: CompareSettings, out: Path, json: bool, show: bool) -> None:
    """Count what two architectures reach, print and write the files; status 130 after Ctrl-C."""
    check_writable(out)
    console = console_for(json)
    with progress("counting", compare.steps(settings)) as advance:
        comparison = compare.run(settings, advance)
    name_device(console, settings.backend)
    deliver(
        out,
        record_comparison(comparison),
        lambda: plot_comparison(comparison),
        lambda: report_comparison(comparison, console),
        console,
        json,
        show,
    )
    if comparison.interrupted:
        raise typer.Exit(INTERRUPTED)
