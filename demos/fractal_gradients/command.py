"""The command `scratchnet fractal-gradients`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.fractal.settings import curve_names
from scratchnet.demos.fractal_gradients.experiment import (
    INITIALISERS,
    Result,
    Settings,
    run,
    steps,
)
from scratchnet.demos.fractal_gradients.figures import plot
from scratchnet.demos.fractal_gradients.report import report, sentences, share
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.terminal import console_for, name_device, progress
from scratchnet.depth.cantor_gradient import DEEPEST

__all__ = ["command", "plot", "record", "report", "run"]

QUICK_SEEDS, QUICK_LEVELS = 60, (5, 15, 30)


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; a row for each initialiser, level, curve."""
    s = result.settings
    rows = []
    kinds = []
    for each in result.rows:
        own = result.own_bounds(each)
        kinds.append(
            {
                "initialiser": each.initialiser,
                "description": INITIALISERS[each.initialiser].description,
                "own_level": each.own_level,
                "largest_output": each.output,
                "above_theorem": share(each.violations(result.bounds)),
                "above_own": share(each.violations(own)),
                "above_own_linear_loss": share(each.violations(own, linear=True)),
            }
        )
        for i, level in enumerate(s.levels):
            for c, curve in enumerate(s.curves):
                quantiles = np.quantile(each.largest[i, c], [0.1, 0.5, 0.9])
                rows.append(
                    {
                        "initialiser": each.initialiser,
                        "level": level,
                        "curve": curve,
                        "bound": result.bounds[i, c, 0],
                        "largest_entry": dict(
                            zip(("10 %", "median", "90 %"), quantiles, strict=True)
                        ),
                    }
                )
    return {
        "settings": {**vars(s), "theorem_level": s.theorem_level, "loss": "hinge"},
        "environment": environment(s.backend),
        "rows": rows,
        "initialisers": kinds,
        "summary": {"sentences": sentences(result), "interrupted": result.interrupted},
    }


def command(
    levels: Annotated[
        str | None,
        typer.Option(
            "--level",
            metavar="LIST",
            show_default="2,5,10,15,20,25,30",
            help=f"Levels of the distributions, up to {DEEPEST}.",
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            metavar="LIST",
            show_default="coarse,linear,fine,extreme",
            help="Levels of the negatives: these names, or beta in p_j ~ beta^j.",
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, max=16, help="Hidden layers.")
    ] = 2,
    width: Annotated[
        int, typer.Option("--width", metavar="N", min=1, max=128, help="Neurons per layer.")
    ] = 8,
    delta: Annotated[
        float,
        typer.Option(
            "--delta", metavar="X", help="The theorem may fail with this probability: 0 to 1."
        ),
    ] = 0.1,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            max=10_000,
            show_default="400, quick 60",
            help="Networks of each kind.",
        ),
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/fractal-gradients"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Gradients before training, over whole Cantor distributions: fine curves leave little."""
    chosen = QUICK_LEVELS if quick else Settings().levels
    if levels is not None:
        chosen = tuple(sorted(options.positive_integers("--level", levels)))
        if chosen[-1] > DEEPEST:
            raise InputError(
                f"--level {chosen[-1]}: expected at most {DEEPEST}; float64 cannot tell points in "
                "smaller cells apart"
            )
    settings = Settings(
        levels=chosen,
        curves=Settings().curves if curve is None else curve_names(curve),
        depth=depth,
        width=width,
        delta=delta,
        seed=seed,
        seeds=seeds or (QUICK_SEEDS if quick else Settings().seeds),
        quick=quick,
        backend=backend,
    )
    _ = settings.theorem_level  # refuses a delta out of range before anything is computed
    check_writable(out)
    console = console_for(json)
    name_device(console, backend)
    with progress("measuring", steps(settings)) as advance:
        result = run(settings, advance)
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
