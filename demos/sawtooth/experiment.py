"""Folding: pieces of a function against depth and width, and what they are good for."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.sawtooth.figures import pieces_figure, sawtooth_figure, square_figure
from scratchnet.demos.settings import Common, option
from scratchnet.demos.verdicts import Claim, fact, ratio
from scratchnet.depth import sawtooth as folding
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.regions import Line, line_regions
from scratchnet.model import Model

DEEPEST = folding.SIGNIFICANT_BITS["float64"]
DEEPEST_SHALLOW = folding.MOST_SHALLOW_UNITS.bit_length() - 1
DEEPEST_SHALLOW_COUNTED = 12  # counting takes 2^(2L + 1) steps
DEEPEST_SQUARE, DEEPEST_PRODUCT, DEEPEST_RANDOM = 25, 24, 16
ENTRIES = 2**24  # of points times units, where two networks are compared
MOST_POINTS = 2**16

COLUMNS, MARKS, ASCII, MOST_PRINTED = 64, "▁▂▃▄▅▆▇█", "_.-=+*%#", 5


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet sawtooth`."""

    depth: int = option(12, "Hidden layers: all depths up to it.", quick=8, low=1, high=DEEPEST)
    seeds: int = option(100, "Random networks of each shape.", quick=20, low=1, high=1000)


def run(run: Run) -> None:
    """At each depth the sawtooth, random networks, and x²."""
    s = run.settings
    seeds = range(s.seed, s.seed + s.seeds)
    for depth in range(1, s.depth + 1):
        add(run, "sawtooth", depth, (s.seed,), partial(fold, s, depth))
        if depth <= DEEPEST_RANDOM:
            add(run, "random weights", depth, seeds, partial(random_pieces, s, depth))
        if depth <= DEEPEST_SQUARE:
            add(run, "x²", depth, (s.seed,), partial(square, s, depth))


def add(run: Run, kind: str, depth: int, seeds: Any, compute: Callable[[], Any]) -> None:
    """A row of what `compute` finds."""

    def computed(advance: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The numbers that `compute` finds, as arrays; no other arrays."""
        found = {name: np.atleast_1d(np.array(each, float)) for name, each in compute().items()}
        advance(1)
        return found, {}

    run.row(f"{kind}, depth {depth}", {"kind": kind, "depth": depth}, seeds, computed)


def fold(s: Settings, depth: int) -> dict[str, float]:
    """The sawtooth, deep and in one layer; what is too large to be built or counted is NaN.

    At multiples of 2^-depth it is 0 and 1 in turn.
    """
    deep, numbers = folding.sawtooth(depth, backend=s.backend), some_of(2**depth + 1, MOST_POINTS)
    values = predict_in_blocks(deep, numbers[:, None] / 2.0**depth)[:, 0]
    wrong = float(np.count_nonzero(values != numbers % 2))
    found = {"ends wrong": wrong, "ends looked at": len(numbers)}
    found |= {"units": folding.hidden_units(deep), "parameters": deep.parameter_count}
    found |= dict.fromkeys(("pieces counted", "one layer counted", "difference"), np.nan)
    if depth <= folding.MOST_COUNTED_DEPTH:
        found["pieces counted"] = folding.count_pieces(deep, depth)
    if depth <= DEEPEST_SHALLOW:
        shallow = folding.shallow_sawtooth(depth, backend=s.backend)
        found["difference"] = largest_difference(deep, shallow, depth)
        if depth <= DEEPEST_SHALLOW_COUNTED:
            found["one layer counted"] = folding.count_pieces(shallow, depth)
    return found


def largest_difference(deep: Model, shallow: Model, depth: int) -> float:
    """Between two sawtooths, at multiples of 2^-depth; they can bend nowhere else in (0, 1)."""
    points = some_of(2**depth + 1, max(2, ENTRIES // 2**depth))[:, None] / 2.0**depth
    return float(abs(predict_in_blocks(deep, points) - predict_in_blocks(shallow, points)).max())


def some_of(size: int, most: int) -> Any:
    """0, ..., size - 1, or up to `most` different ones drawn with a fixed seed, in order."""
    if size <= most:
        return np.arange(size)
    return np.unique(np.random.default_rng(0).integers(0, size, most))


def random_pieces(s: Settings, depth: int) -> dict[str, Any]:
    """The linear pieces on [0, 1] of random networks: of width 2, and of one layer, as many units.

    Counted exactly. Weights are He's, biases normal with standard deviation 0.3.
    """
    found = {}
    for name, widths in (("deep", [1, *[2] * depth, 1]), ("one layer", [1, 2 * depth, 1])):
        model = random_networks(widths, s.seed, s.seeds, s.backend)
        line = Line([0.0], [1.0])
        found[name] = [line_regions(model, line, each).linear_count for each in range(s.seeds)]
    return found


def square(s: Settings, depth: int) -> dict[str, float]:
    """x^2 by one depth of tents, xy by three of them, and one layer that is enough for x^2."""
    deep = folding.square_network(depth, backend=s.backend)
    error = folding.square_error(deep, 2**depth)
    at_least, enough = folding.units_for_square(error)
    found = {"units": folding.hidden_units(deep), "error": error, "one layer needs": at_least}
    found |= {"error of one unit more": np.nan, "error of xy": np.nan}
    if enough <= folding.MOST_SHALLOW_UNITS:
        shallow = folding.shallow_square(enough, backend=s.backend)
        points = max(2, ENTRIES // (3 * enough))
        found["error of one unit more"] = folding.square_error(shallow, enough, points)
    if depth <= DEEPEST_PRODUCT:
        product = folding.product_network(depth, backend=s.backend)
        found["error of xy"] = folding.product_error(product, depth, 2**12)
    return found


def of_kind(result: Result, kind: str) -> list[Row]:
    """The rows of a kind, by depth."""
    return [row for row in result.rows if row.facts["kind"] == kind]


def column(rows: list[Row], measure: str) -> Any:
    """A measure at each depth."""
    return np.array([row[measure][0] for row in rows])


def claims(result: Result) -> Iterator[Claim]:
    """Pieces, the error of x², and pieces of random networks."""
    if folds := of_kind(result, "sawtooth"):
        yield from fold_claims(folds)
    if squares := of_kind(result, "x²"):
        yield from square_claims(squares)
    for row in of_kind(result, "random weights")[-1:]:
        sentence = f"Random networks of {row.facts['depth']} layers of 2 have fewer pieces than 2^L"
        fewer = ratio(row["deep"], 2.0 ** row.facts["depth"])
        yield Claim(sentence, "Hanin and Rolnick 2019, on random networks", fewer)


def fold_claims(folds: list[Row]) -> Iterator[Claim]:
    """Pieces of the sawtooth, and of one layer that is the same function."""
    pieces, wrong = 2.0 ** np.arange(1, len(folds) + 1), column(folds, "ends wrong").sum()
    looked, counted = column(folds, "ends looked at").sum(), column(folds, "pieces counted")
    shown = f"{np.nanmax(counted):,.0f} counted; {wrong:.0f} of {looked:,.0f} ends are wrong"
    sentence, right = "L folds of 2 units each make 2^L linear pieces", known(counted, pieces)
    ledger = ["002-005", "002-019", "000-004", "002-147"]
    yield fact(sentence, "Telgarsky 2016", right and wrong == 0, shown, *ledger)
    difference, shallow = column(folds, "difference"), column(folds, "one layer counted")
    same = np.nanmax(difference) == 0 and known(shallow, pieces)
    units, parameters = folds[-1]["units"][0], folds[-1]["parameters"][0]
    shown = (
        f"2^{len(folds)} against {units:.0f} units, {parameters:.0f} parameters; the largest "
        f"difference between both is {np.nanmax(difference):.2g}"
    )
    ledger = ["000-002", "001-002", "001-010", "002-017", "004-002"]
    sentence = "One hidden layer needs 2^L units for the same function"
    yield fact(sentence, "Telgarsky 2016", same, shown, *ledger)


def square_claims(squares: list[Row]) -> Iterator[Claim]:
    """Errors of x² and xy, and the units that one layer needs for them."""
    depths, error = range(1, len(squares) + 1), column(squares, "error")
    product, shallow = column(squares, "error of xy"), column(squares, "error of one unit more")
    right = known(error, np.array([folding.square_error_bound(m) for m in depths]))
    right &= known(product, np.array([folding.product_error_bound(m) for m in depths]))
    shown = f"{error[-1]:.3g} at depth {len(depths)}, xy {np.nanmin(product):.3g}"
    sentence = "m layers of 3 units give x² within 2^(-2m-2), of 9 units xy within twice that"
    yield fact(sentence, "Yarotsky 2017", right, shown, "001-012")
    needs, units = (squares[-1][name][0] for name in ("one layer needs", "units"))
    shown = f"at least {needs:,.0f} against {units:.0f} units at depth {len(depths)}"
    sentence = "For the error of x² at depth m, one hidden layer needs about 2^m / √2 units"
    yield fact(sentence, "Yarotsky 2017", not (shallow > error).any(), shown)


def known(values: Any, right: Any) -> bool:
    """Whether all values that are known are right."""
    return bool(((values == right) | np.isnan(values)).all())


def drawn(depth: int) -> str:
    """The network's output at 65 multiples of 1/64, where at most 32 pieces have their ends."""
    x = np.arange(COLUMNS + 1) / COLUMNS
    height = predict_in_blocks(folding.sawtooth(depth, backend="numpy"), x[:, None])[:, 0]
    marks = MARKS if (sys.stdout.encoding or "").lower().startswith("utf") else ASCII
    return "".join(marks[int(each)] for each in np.minimum(height * len(marks), len(marks) - 1))


def tables(result: Result) -> Iterator[Table]:
    """The first sawtooths as drawings, pieces at each depth, and x² at each."""
    folds, squares = of_kind(result, "sawtooth"), of_kind(result, "x²")
    printed = [(str(depth), drawn(depth)) for depth in range(1, len(folds) + 1)][:MOST_PRINTED]
    yield Table(("depth", "output on [0, 1]"), printed, "Each layer of 2 units folds in two")
    random = {row.facts["depth"]: row for row in of_kind(result, "random weights")}
    counts = []
    for depth, row in enumerate(folds, start=1):
        pieces, cells = row["pieces counted"][0], ["", "", ""]
        if depth in random:
            deep, shallow = (random[depth][name] for name in ("deep", "one layer"))
            cells = [f"{deep.mean():.1f}", f"{shallow.mean():.1f}", f"{deep.max():.0f}"]
        counted = f"2^{depth}" if np.isnan(pieces) else f"{pieces:,.0f}"
        counts.append((f"{depth}", f"{row['units'][0]:.0f}", counted, *cells))
    names = "depth | units | pieces | random,\ndeep | random,\none layer | random,\ndeep, most"
    title = "Linear pieces on [0, 1], and as many units in one layer; random networks: means"
    yield Table(names.split(" | "), counts, title)
    names = "depth | units | one layer\nneeds | error\nof x² | one unit\nmore | error\nof xy"
    if squares:
        sizes = "{depth} | {units:.0f} | {one layer needs:,.0f} | {error:.2e} | "
        errors = "{error of one unit more:.2e} | {error of xy:.2e}"
        yield Table.of(squares, names, sizes + errors, "x² from sums of tents")


def notes(result: Result) -> list[str]:
    """How far networks are built and counted."""
    return [
        "One hidden layer of n units has at most n + 1 pieces. With 2^L - 1 units each would bend "
        "by twice the slope of the sawtooth, and no sum of such bends is its slope at 0: it needs "
        "2^L. It is built up to depth "
        f"{DEEPEST_SHALLOW}, and counted up to {DEEPEST_SHALLOW_COUNTED}; the sawtooth up to "
        f"{folding.MOST_COUNTED_DEPTH}. Random networks: He's weights, biases N(0, 0.3²).",
    ]


def figures(result: Result) -> dict[str, Callable[[], Any]]:
    """Every figure by name."""
    folds, squares = of_kind(result, "sawtooth"), of_kind(result, "x²")
    random = of_kind(result, "random weights")
    found: dict[str, Callable[[], Any]] = {"sawtooth": partial(sawtooth_figure, len(folds))}
    if random:
        found["pieces"] = partial(pieces_figure, folds, random)
    return found | ({"square": partial(square_figure, squares)} if squares else {})


experiment = Experiment.of(
    __name__,
    question="How many linear pieces can a deep network make that a shallow one cannot?",
    definitions=(
        "The tent map T(t) = relu(2t) - relu(4t - 2) rises from 0 to 1 on [0, 1/2] and falls back: "
        "it folds [0, 1] in two. What follows it happens twice, mirrored.",
        "A linear piece is an interval, as long as can be, on which the function is a straight "
        "line.",
    ),
    source="Telgarsky 2016: L layers of width 2 make 2^L pieces, and one layer needs 2^L units",
    look_for="pieces that double with every layer, and how few of them random weights have.",
    work=lambda s: s.depth + min(s.depth, DEEPEST_RANDOM) + min(s.depth, DEEPEST_SQUARE),
    memory=lambda s: 64.0 * ENTRIES * (s.depth > DEEPEST_SHALLOW_COUNTED) + 1e8,
    seconds=lambda s: 2 + s.depth * s.seeds * 0.004 + 2.0 ** min(s.depth, 20) * 4e-5,
    next=("scratchnet sawtooth --depth 53", "scratchnet regions", "scratchnet fractal"),
)
