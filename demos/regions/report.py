"""What `scratchnet regions` tells: tables, decision boundaries, and what they say in words.

Every sentence follows by rule from the numbers of the run. A difference is claimed where the 95 %
interval of the paired difference over seeds excludes 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.regions.compare import Comparison, Reached
from scratchnet.demos.regions.experiment import Result, Row
from scratchnet.demos.regions.settings import DIMENSIONS, Architecture, Window
from scratchnet.demos.statistics import Estimate, mean_interval, paired_difference
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.terminal import draw_boundaries

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


MORE, FEWER, SAME = "more regions", "fewer regions", "no clear difference"


def report(result: Result, console: Console) -> None:
    """Print what was counted, before, during and after training, and the bounds."""
    s, shown = result.settings, result.shown
    console.print(
        f"\nLinear regions of ReLU networks in the window {in_words(s.extent)}, counted exactly.\n"
        f"Two spirals of {s.turns:g} turns, {s.points} points; Adam at {s.learning_rate:g}, "
        f"{s.epochs:,} steps; {seeds_in_words(s.seed, s.seeds)}.",
        markup=False,
    )
    console.print(f"\n[bold]1. {shown.architecture} while it learns[/]\n")
    console.print(course_table(shown))
    drawn = [each for each in shown.checkpoints if each.epochs in s.drawn_checkpoints()]
    panels = [
        (f"step {each.epochs}: {each.mosaic.linear_count:,} regions", each.probabilities)
        for each in (drawn[0], drawn[-1])
    ]
    draw_boundaries(console, panels, s.extent, result.X, result.y)
    console.print()
    console.print(bullets(list(course_sentences(result))))
    if len(result.rows) > 1:
        console.print("\n[bold]2. Neurons in few layers or in many[/]\n")
        console.print(depth_table(result))
        console.print(bullets(list(depth_sentences(result))))
    console.print("\n[bold]3. What bounds allow[/]\n")
    console.print(bounds_table([(row.architecture, most(row)) for row in result.rows]))
    console.print(bullets(list(bound_sentences(result))))
    console.print("\n[bold]Limits[/]\n")
    console.print(bullets(list(limits(result))))
    console.print()


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    said = [*course_sentences(result)]
    if len(result.rows) > 1:
        said += depth_sentences(result)
    return [*said, *bound_sentences(result), *limits(result)]


def in_words(extent: Window) -> str:
    left, right, bottom, top = extent
    return f"[{left:g}, {right:g}] x [{bottom:g}, {top:g}]"


def seeds_in_words(seed: int, seeds: int) -> str:
    return f"seed {seed}" if seeds == 1 else f"seeds {seed} to {seed + seeds - 1}"


def most(row: Row) -> int:
    """The most regions that a network of the row had at a checkpoint."""
    return max(int(each.count.max()) for each in row.checkpoints)


def magnitude(value: float | None) -> str:
    """A count in full, or as a power of ten where it is very large."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value < 10**8 else f"{value:.1e}"


def course_table(row: Row) -> Table:
    table = new_table(
        "steps", "activation\nregions", "linear\nregions", "test\naccuracy", "crossed by\nboundary"
    )
    for each in row.checkpoints:
        table.add_row(
            f"{each.epochs:,}",
            f"{mean_interval(each.count):,.0f}",
            f"{mean_interval(each.linear_count):,.0f}",
            f"{mean_interval(each.test_accuracy):.1%}",
            f"{mean_interval(each.crossed):,.0f}",
        )
    return table


def growth(row: Row) -> Estimate:
    """Linear regions after training over those before, seed by seed."""
    return mean_interval(row.after.linear_count / row.before.linear_count)


def changed(row: Row) -> str:
    return compared(row.after.linear_count, row.before.linear_count)


def compared(first: Any, second: Any) -> str:
    """Whether `first` has more than `second`, pair by pair; nothing where one pair cannot tell."""
    interval = paired_difference(first, second).interval
    if interval is None:
        return ""
    low, high = interval
    return MORE if low > 0 else FEWER if high < 0 else SAME


def course_sentences(result: Result) -> Iterator[str]:
    """The shown network before and after training, and the fewest on the way, if those are fewer.

    Then its decision boundary, regions with equal affine maps, and what a grid of points sees.
    """
    row = result.shown
    before, after = mean_interval(row.before.linear_count), mean_interval(row.after.linear_count)
    yield (
        f"{row.architecture}, {row.architecture.neurons} neurons: {before:,.0f} linear regions "
        f"before training, {after:,.0f} after it, {growth(row):.2f} times as many "
        f"(n = {before.n})."
    )
    fewest = min(row.checkpoints, key=lambda each: float(each.linear_count.mean()))
    on_the_way = fewest is not row.before and fewest is not row.after
    if on_the_way and compared(fewest.linear_count, row.before.linear_count) == FEWER:
        yield (
            "On the way there are fewer than at the start: "
            f"{mean_interval(fewest.linear_count):,.0f} after {fewest.epochs:,} steps."
        )
    crossed = mean_interval(row.after.crossed / row.after.count)
    yield (
        f"After training the decision boundary passes through {crossed:.1%} of the activation "
        f"regions. That of seed {result.settings.seed} is made of "
        f"{len(row.after.mosaic.boundary)} straight segments."
    )
    yield from merging_sentences(result)
    checks = [each.grid for each in result.rows]
    unknown = sum(each.unknown for each in checks)
    yield (
        f"Cross-check: a grid of {checks[0].points:,} points sees {row.grid.seen:,} of the "
        f"{row.grid.exact:,} activation regions of {row.architecture}. "
        + ("None" if unknown == 0 else f"{unknown:,}")
        + " of those that are seen are missing from the exact ones"
        + (f", of all {len(checks)} architectures together." if len(checks) > 1 else ".")
    )


def merging_sentences(result: Result) -> Iterator[str]:
    """In how many counts neighbours share an affine map, which makes them one linear region."""
    every = [each for row in result.rows for each in row.checkpoints]
    networks = sum(each.count.size for each in every)
    merged = sum(int((each.count > each.linear_count).sum()) for each in every)
    said = (
        "Activation regions are linear regions as long as neighbours have different affine maps: "
        f"in {networks - merged} of {networks} counts the two numbers are the same"
    )
    if not merged:
        yield said + "."
        return
    share = max(float((each.count / each.linear_count).max()) for each in every)
    yield f"{said}; at most there are {share:.2f} activation regions for each linear one."


def depth_table(result: Result) -> Table:
    table = new_table(
        "hidden\nlayers",
        "before\ntraining",
        "after\ntraining",
        "times",
        "before,\nof N²/2",
        "test\naccuracy",
    )
    for row in result.rows:
        at_start = row.architecture.bounds()["at_start"]
        table.add_row(
            str(row.architecture),
            f"{mean_interval(row.before.linear_count):,.0f}",
            f"{mean_interval(row.after.linear_count):,.0f}",
            f"{growth(row):.2f}",
            f"{mean_interval(row.before.count / at_start):.2f}",
            f"{mean_interval(row.after.test_accuracy):.1%}",
        )
    return table


def depth_sentences(result: Result) -> Iterator[str]:
    """The last architecture beside the first, before and after training, and what training changed.

    One seed has no interval, and then nothing is claimed.
    """
    first, last = result.rows[0], result.rows[-1]
    for name, when in (("before", "Before"), ("after", "After")):
        a, b = (getattr(row, name).linear_count for row in (first, last))
        word = compared(b, a)
        if word:
            yield (
                f"{when} training, {last.architecture} against {first.architecture}: {word}, "
                f"{b.mean() / a.mean():.2f} times as many in the mean."
            )
    changes = [(changed(row), str(row.architecture)) for row in result.rows]
    groups = [
        f"{word} for {' and '.join(name for change, name in changes if change == word)}"
        for word in (FEWER, SAME, MORE)
        if any(change == word for change, _ in changes)
    ]
    if groups:
        yield f"After training there are, compared with before: {'; '.join(groups)}."
    if result.settings.seeds == 1:
        yield "One seed gives no interval, so no difference is claimed: ask for more with --seeds."


def bounds_table(found: list[tuple[Architecture, int]]) -> Table:
    table = new_table(
        "hidden\nlayers",
        "most\ncounted",
        "N²/2",
        "best has\nat least",
        "none has\nmore than",
        "textbook:\nat most",
        "one layer\nat most",
    )
    for architecture, count in found:
        bounds = architecture.bounds()
        table.add_row(
            str(architecture),
            f"{count:,}",
            *(
                magnitude(bounds[name])
                for name in ("at_start", "at_least", "at_most", "textbook", "one_layer")
            ),
        )
    return table


BOUND_SOURCES = (
    "N²/2: Hanin and Rolnick 2019, for random weights. Best has at least: Montúfar et al. 2014. "
    "None has more than: Serra et al. 2018. Textbook: what single layers allow, multiplied. "
    "One layer of as many neurons: Zaslavsky 1975. The bounds are for the whole plane; the counts "
    "are the window's, where parts of one region that meet only outside of it count as several."
)


def bound_sentences(result: Result) -> Iterator[str]:
    """The sources, and how many times N²/2 there are before training.

    Where no architecture of several layers reached what its best network has at least, the one
    farthest from it.
    """
    yield BOUND_SOURCES
    shares = [
        mean_interval(row.before.count / row.architecture.bounds()["at_start"]).mean
        for row in result.rows
    ]
    low, high = min(shares), max(shares)
    share = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
    yield f"Before training there are {share} times N²/2 activation regions in this window."
    below = [
        (row, row.architecture.bounds()["at_least"])
        for row in result.rows
        if len(row.architecture.hidden) > 1 and row.architecture.bounds()["at_least"]
    ]
    if below and all(most(row) < bound for row, bound in below):
        row, bound = max(below, key=lambda each: each[1] / most(each[0]))
        yield (
            "No network of several layers had what the best of its kind has at least. The "
            f"farthest from it are those of {row.architecture}: the most counted is {most(row):,}, "
            f"where {magnitude(bound)} are possible. What depth allows is not what training makes."
        )


def limits(result: Result) -> Iterator[str]:
    s = result.settings
    yield (
        "Counts are for the window, and for He's weights with biases of standard deviation "
        f"{s.bias_deviation:g}; in other windows and at other scales they are others. Test "
        f"accuracy is on {s.points} points of their own."
    )
    if result.interrupted:
        done = ", ".join(str(row.architecture) for row in result.rows)
        yield f"The run was interrupted; finished are {done}."


def report_comparison(comparison: Comparison, console: Console) -> None:
    """Print what bounds allow, what random networks have, and the best that was found."""
    s = comparison.settings
    console.print(
        f"\nLinear regions of ReLU networks in the window {in_words(s.extent)}, counted exactly.\n"
        f"{s.networks} random networks of each kind, then a search for more regions, which changes "
        "one neuron at a time.",
        markup=False,
    )
    console.print("\n[bold]What bounds allow[/]\n")
    console.print(
        bounds_table([(row.architecture, row.best.linear_count) for row in comparison.rows])
    )
    console.print("\n[bold]What is reached[/]\n")
    console.print(reached_table(comparison))
    console.print(bullets(comparison_sentences(comparison)))
    console.print()


def reached_table(comparison: Comparison) -> Table:
    table = new_table(
        "hidden\nlayers",
        "random:\nmean",
        "\n5 to 95 %",
        "\nmost",
        "activation\nregions, mean",
        "best\nfound",
        "networks\nsearched",
    )
    for row in comparison.rows:
        low, high = np.quantile(row.linear_count, [0.05, 0.95])
        table.add_row(
            str(row.architecture),
            f"{mean_interval(row.linear_count):.1f}",
            f"{low:.0f} to {high:.0f}",
            f"{row.linear_count.max():,}",
            f"{mean_interval(row.count):.1f}",
            f"{row.best.linear_count:,}",
            f"{row.search_steps:,}",
        )
    return table


def comparison_sentences(comparison: Comparison) -> list[str]:
    """The sources of the bounds, each architecture by itself, and the two beside each other."""
    said = [BOUND_SOURCES]
    for row in comparison.rows:
        said += row_sentences(row)
    if len(comparison.rows) == 2:
        said += pair_sentences(*comparison.rows)
    if comparison.interrupted:
        said.append("The run was interrupted before the other architecture was finished.")
    return said


def row_sentences(row: Reached) -> Iterator[str]:
    """The textbook's bound where it is too large, and how near the best network is to Serra's."""
    bounds = row.architecture.bounds()
    best, at_most, textbook = row.best.linear_count, bounds["at_most"], bounds["textbook"]
    name = str(row.architecture)
    if textbook > at_most:
        yield (
            f"{name}: the textbook's bound is {magnitude(textbook)}, but no such network has more "
            f"than {magnitude(at_most)}. Behind a layer narrower than {2 * DIMENSIONS} there are "
            f"pieces with fewer than {DIMENSIONS} active neurons, which what follows cannot cut in "
            f"{DIMENSIONS} dimensions."
        )
    if best == at_most:
        share = (row.linear_count == at_most).mean()
        yield f"{name}: {best:,} are reached, by {share:.0%} of the random networks in this window."
        return
    yield (
        f"{name}: the best network found has {best:,} linear regions, {best / at_most:.0%} of the "
        f"{magnitude(at_most)} that none exceeds; random ones have "
        f"{mean_interval(row.linear_count):.1f} (n = {row.linear_count.size}). A longer search may "
        "find more."
    )


def pair_sentences(first: Reached, second: Reached) -> Iterator[str]:
    """Whether random networks of the second have more regions, and which search found more.

    A layer narrower than 4 makes the textbook's bound too large: then a fairer pair is proposed.
    """
    a, b = first.architecture, second.architecture
    if len(first.linear_count) > 1 and a != b:
        word = compared(second.linear_count, first.linear_count)
        yield f"Random {b} against random {a}: {word}."
    if first.best.linear_count != second.best.linear_count:
        more, less = (first, second) if first.best.linear_count > second.best.linear_count else (
            second, first,
        )  # fmt: skip
        yield (
            f"The best {more.architecture} found has {more.best.linear_count:,}, the best "
            f"{less.architecture} {less.best.linear_count:,}."
        )
    narrow = [each for each in (a, b) if len(each.hidden) > 1 and min(each.hidden) < 2 * DIMENSIONS]
    if narrow:
        layers = max(2, len(narrow[0].hidden) - 1)
        fair = Architecture((2 * DIMENSIONS,) * layers)
        bounds = fair.bounds()
        yield (
            f"A fairer comparison has layers at least {2 * DIMENSIONS} wide, where the textbook's "
            f"bound and Serra's agree: {fair} has {magnitude(bounds['at_most'])} at most, and one "
            f"layer of {fair.neurons} {bounds['one_layer']:,}: --compare {fair.neurons} {fair}."
        )
