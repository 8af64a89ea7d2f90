"""The options that all demos share, as annotations for the parameters of `command`.

def command(seed: options.Seed = 0, seeds: options.Seeds = 10, json: options.Json = False)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from scratchnet.backends.errors import InputError, choose

Backend: TypeAlias = Annotated[
    Literal["auto", "numpy", "cupy"],
    typer.Option("--backend", help="Array library: auto takes the fastest one that works here."),
]
Precision: TypeAlias = Annotated[
    Literal["fp32", "tf32", "bf16", "fp16"],
    typer.Option(
        "--precision", help="Of the operands of products; all else is float32. NumPy only rounds."
    ),
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", min=0, help="First seed; the same seed gives the same run."
    ),
]
Seeds: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seeds", metavar="N", min=1, help="How many seeds; results are means over them."
    ),
]
Quick: TypeAlias = Annotated[
    bool, typer.Option("--quick", help="A smaller run of a few seconds, for a first look.")
]
Out: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for the figures and result.json.",
        callback=lambda folder: users_path("--out", folder),
    ),
]
Record: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--record/--no-record", help="Replay recorded training steps; the same bits, faster."
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")
]
Show: TypeAlias = Annotated[
    bool, typer.Option("--show", help="Open the figures in a window as well.")
]


def users_path(option: str, path: Path) -> Path:
    """The path with `~` replaced; a shell leaves it alone in `--out=~/x`."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise InputError(f"{option} {path}: no user of that name has a home folder here") from None


def positive_integers(option: str, text: str) -> tuple[int, ...]:
    """The integers, each at least 1, of a list such as `1,2,4,8`, in the order given.

    Raises `InputError`, which names the option, for anything else and for a number given twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch("0*[1-9][0-9]{0,8}", part) for part in parts):
        raise InputError(
            f"{option} {text!r}: expected whole numbers of at least 1, separated by commas, "
            "such as 1,2,4,8"
        )
    numbers = tuple(int(part) for part in parts)
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{option} {text!r}: each number can stand in the list once only")
    return numbers


def names(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The words of a list such as `relu,tanh`, each of them `known`, in the order given.

    Raises `InputError`, which names the option, for a word that is unknown or given twice.
    """
    words = tuple(part.strip() for part in text.split(","))
    for word in words:
        choose(f"name in {option}", word, dict.fromkeys(known))
    if len(set(words)) < len(words):
        raise InputError(f"{option} {text!r}: each name can stand in the list once only")
    return words
