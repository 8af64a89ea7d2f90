"""What `scratchnet sawtooth` tells: functions drawn as text, two tables, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.sawtooth.experiment import DEEPEST, DEEPEST_SHALLOW, Fold, Result, Square
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.depth.sawtooth import MOST_COUNTED_DEPTH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = 64
BLOCKS, CHARACTERS = "▁▂▃▄▅▆▇█", "_.-=+*%#"


def report(result: Result, console: Console) -> None:
    """Print the functions, the depths that were finished, and the sentences."""
    marks = BLOCKS if console.encoding.lower().startswith("utf") else CHARACTERS
    console.print("\n[bold]1. Folding: each layer of width 2 folds the interval in two[/]\n")
    for depth in range(1, min(len(result.folds), 5) + 1):
        console.print(f"depth {depth}  {drawn(depth, marks)}", markup=False)
    console.print()
    console.print(fold_table(result))
    console.print(bullets(list(fold_sentences(result))))
    if result.squares:
        console.print("\n[bold]2. What folds are good for: x² from sums of tents[/]\n")
        console.print(square_table(result))
        console.print(bullets(list(square_sentences(result))))
    console.print("\n[bold]Limits[/]\n")
    console.print(bullets(list(limits(result))))
    console.print()


def drawn(depth: int, marks: str) -> str:
    """The sawtooth over 64 characters, each the height in the middle of a 64th of [0, 1]."""
    x = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2**depth
    height = 1 - abs(x % 2 - 1)
    return "".join(marks[int(each)] for each in np.minimum(height * len(marks), len(marks) - 1))


def fold_table(result: Result) -> Table:
    table = new_table(
        "depth",
        "hidden\nunits",
        "linear\npieces",
        "one layer,\nat most",
        "one layer\nneeds",
        "random\nas deep",
        "random\none layer",
    )
    for each in result.folds:
        table.add_row(
            str(each.depth),
            str(each.units),
            piece_count(each),
            f"{each.units + 1:,}",
            magnitude(each.shallow_units),
            random_pieces(each.random_deep),
            random_pieces(each.random_wide),
        )
    return table


def piece_count(fold: Fold) -> str:
    """The pieces counted, or their power of two where they were not counted."""
    return f"2^{fold.depth}" if fold.counted is None else f"{fold.counted:,}"


def magnitude(value: float) -> str:
    """Such as 1.3, 24, 4,096 or 1.1e+12."""
    if value >= 10**8:
        return f"{value:.1e}"
    return f"{value:.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def random_pieces(pieces: Any) -> str:
    return "" if pieces is None else f"{mean_interval(pieces):.1f}"


def square_table(result: Result) -> Table:
    table = new_table(
        "depth",
        "hidden\nunits",
        "error\nof x²",
        "2^(-2m-2)",
        "one layer\nneeds",
        "error of\none more",
        "error\nof xy",
    )
    for each in result.squares:
        table.add_row(
            str(each.depth),
            str(each.units),
            f"{each.error:.2e}",
            f"{each.bound:.2e}",
            f"{each.at_least:,}",
            "" if each.shallow_error is None else f"{each.shallow_error:.2e}",
            "" if each.product_error is None else f"{each.product_error:.2e}",
        )
    return table


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    return [*fold_sentences(result), *square_sentences(result), *limits(result)]


def fold_sentences(result: Result) -> Iterator[str]:
    """The pieces of the deepest network that was counted, and the units that one layer needs.

    Beyond that depth, at how many points the function is right. Then whether both agree where both
    were built, and what random weights give instead.
    """
    deepest = result.folds[-1]
    counted = [each for each in result.folds if each.counted is not None][-1]
    doubled = all(each.counted in (None, each.pieces) for each in result.folds)
    yield (
        f"At depth {counted.depth}, {counted.units} hidden units and {counted.parameters:,} "
        f"parameters give {counted.counted:,} linear pieces"
        + (": 2^depth, at every depth that was counted." if doubled else ".")
    )
    if deepest.counted is None:
        right = sum(each.ends_right for each in result.folds if each.counted is None)
        looked_at = sum(each.ends_looked_at for each in result.folds if each.counted is None)
        yield (
            f"Beyond depth {MOST_COUNTED_DEPTH} pieces were not counted. At {right:,} of "
            f"{looked_at:,} multiples of 2^-depth that were looked at the function is 0 or 1 as "
            "it should be."
        )
    times = deepest.shallow_units / deepest.units
    ratio = "as many" if times == 1 else f"{magnitude(times)} times as many"
    yield (
        f"One hidden layer of n units has at most n + 1 pieces. With {deepest.units} units that is "
        f"{deepest.units + 1}; for the function of depth {deepest.depth} it needs "
        f"{magnitude(deepest.shallow_units)} units, {ratio}"
        + (f", and {deepest.shallow_parameters:,} parameters." if times < 1e6 else ".")
    )
    built = [each for each in result.folds if each.difference is not None]
    if built:
        difference = max(each.difference or 0.0 for each in built)
        agree = "agree exactly" if difference == 0 else f"differ by at most {difference:.1e}"
        yield (
            f"That layer was built up to depth {built[-1].depth}: wherever both were computed, "
            f"the two networks {agree}."
        )
    yield from random_sentences(result)


def random_sentences(result: Result) -> Iterator[str]:
    """The pieces of random networks of the deepest shape that was tried, deep and in one layer."""
    fold = [each for each in result.folds if each.random_deep is not None][-1]
    deep, wide = mean_interval(fold.random_deep), mean_interval(fold.random_wide)
    said = (
        f"With random weights the shape of depth {fold.depth} has {deep:.1f} pieces (n = {deep.n}, "
        f"at most {fold.random_deep.max()}), one layer of {fold.units} units {wide:.1f}."
    )
    if fold.random_deep.max() < fold.pieces:
        said += f" Depth makes {fold.pieces:,} possible; none of these random networks has them."
    yield said


def square_sentences(result: Result) -> Iterator[str]:
    """By what a layer divides the error of x², and what one hidden layer needs for the last error.

    Then up to which depth that layer was built and is no worse, and the error of the last product.
    """
    if not result.squares:
        return
    first, last = result.squares[0], result.squares[-1]
    if len(result.squares) > 1:
        factors = [
            a.error / b.error for a, b in zip(result.squares, result.squares[1:], strict=False)
        ]
        low, high = min(factors), max(factors)
        factor = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
        yield (
            f"Each layer of 3 units divides the error of x² by {factor}: it is {first.error:.3g} "
            f"at depth {first.depth} and {last.error:.3g} at depth {last.depth}."
        )
    worst = max(abs(each.error / each.bound - 1) for each in result.squares)
    yield (
        "The measured errors are 2^(-2m-2) exactly, with m the depth."
        if worst == 0
        else f"The measured errors differ from 2^(-2m-2), with m the depth, by at most {worst:.1e} "
        "of it."
    )
    yield comparison(last)
    no_worse = list(
        takewhile(
            lambda each: each.shallow_error is not None and each.shallow_error <= each.error,
            result.squares,
        )
    )
    if no_worse:
        yield (
            f"One layer of one unit more than that was built: up to depth {no_worse[-1].depth} its "
            "error is no larger than that of the deep network."
        )
    products = [each for each in result.squares if each.product_error is not None]
    if products:
        each = products[-1]
        yield (
            f"Three squares make a product: {each.product_units} units at depth {each.depth} give "
            f"xy within {each.product_error:.3g} (bound: {each.product_bound:.3g})."
        )


def comparison(square: Square) -> str:
    times = square.at_least / square.units
    ratio = f"{magnitude(times)} times those of the deep network"
    return (
        f"For the error of depth {square.depth}, which has {square.units} hidden units, one hidden "
        f"layer needs at least {square.at_least:,} unit{'s' * (square.at_least != 1)}, "
        f"{'fewer than the deep network' if times < 1 else ratio}."
    )


def limits(result: Result) -> Iterator[str]:
    """Up to which depth what is computed, what random means, and where the run was interrupted."""
    settings = result.settings
    yield (
        f"float64 computes the sawtooth exactly up to depth {DEEPEST}; pieces are counted up to "
        f"depth {MOST_COUNTED_DEPTH}, and one layer is built up to depth {DEEPEST_SHALLOW}, which "
        "is a million units."
    )
    seeds = settings["seeds"]
    sample = f"means are over {seeds} networks" if seeds > 1 else "of one network of each shape"
    yield (
        "Random weights are those of He's initialisation, biases are normal with standard "
        f"deviation {settings['bias_deviation']:g}; pieces on [0, 1] are counted exactly, {sample}."
    )
    if result.interrupted:
        done = f"depth {len(result.folds)}"
        if len(result.folds) == settings["depth"]:
            done = f"all folds and {len(result.squares)} squares"
        yield f"The run was interrupted after {done}."
