"""The figures that the ledger's remarks quote are those of the recorded runs."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pytest

from scratchnet.demos.claims.ledger import ledger
from scratchnet.demos.verdicts import successes


@cache
def record(name: str) -> Any:
    """What `scratchnet NAME` recorded."""
    return json.loads(
        (resources.files("scratchnet.demos") / "results" / f"{name}.json").read_text()
    )


def values(name: str, arm: str, measure: str) -> Any:
    """(seeds,) a measure of an arm, NaN where a network diverged."""
    (row,) = (row for row in record(name)["rows"] if (row["arm"], row["part"]) == (arm, "verdict"))
    return np.array(row[measure], float)


def listed(texts: Sequence[str]) -> str:
    """Such as `1, 2 and 3`."""
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if texts[1:] else texts[0]


def percent(name: str, *arms: str, measure: str = "test_accuracy", of: Any = np.mean) -> str:
    """The means of these arms."""
    return listed([f"{100 * of(values(name, arm, measure)):.1f}" for arm in arms]) + " %"


def means(name: str, measure: str, *arms: str) -> str:
    """The means of counts, rounded to whole numbers."""
    return listed([f"{np.mean(values(name, arm, measure)):,.0f}" for arm in arms])


def claim(name: str, start: str) -> Any:
    """The recorded claim whose sentence begins so."""
    (found,) = (each for each in record(name)["claims"] if each["claim"].startswith(start))
    return found


def explored(data: str, *depths: int) -> str:
    """Mean test accuracy of `explore`."""
    arms = (f"plain, {data}, {depth} layer{'s' * (depth > 1)}" for depth in depths)
    return percent("explore", *arms)


def fold(estimate: float) -> str:
    """How many times, in two digits."""
    digits = 2 - len(f"{1 / estimate:.0f}")
    return f"{round(1 / estimate, digits):,.0f}-fold"


def points(found: Any) -> str:
    """The size of a difference in whole points."""
    return f"{abs(100 * found['estimate']):.0f}"


def tenths(found: Any) -> list[float]:
    """The ends of a difference's interval, in points."""
    return [100 * end for end in found["interval"]]


def solved_xor(hidden: int) -> str:
    """How many of the networks with ReLUs find XOR."""
    return f"{successes(values('xor', f'relu, {hidden} hidden', 'train_accuracy'), 1)} of 100"


def sigmoids() -> list[str]:
    """In how many sigmoid networks each rule learns, without those where none does."""
    arms = [x["arm"] for x in record("init")["rows"] if x["part"] == "verdict"]
    rules = [arm for arm in arms if arm.startswith("sigmoid: ") and "rate" not in arm]
    counts = sorted(successes(values("init", arm, "test_accuracy"), 0.9) for arm in rules)
    learned = [str(each) for each in counts if each]
    words = {5: "five", 6: "six", 8: "eight"}
    none = f"none learns under {words[len(counts) - len(learned)]} of {words[len(counts)]}"
    return [none, f"{listed(learned)} under the others"]


def spread(name: str, measure: str) -> str:
    """From the lowest to the highest mean of a layer of the trained network."""
    found = [np.mean(values(name, "trained", f"{measure} {layer}")) for layer in range(1, 9)]
    return f"{100 * min(found):.0f} to {100 * max(found):.0f} %"


def halves_of_n(moment: str) -> str:
    """Regions as shares of N^2 / 2, of the shallowest and the deepest network."""
    found = [np.mean(values("regions", arm, moment)) / (64**2 / 2) for arm in (NETS[0], NETS[-1])]
    return f"{found[0]:.2f} to {found[1]:.2f}"


def falls(name: str) -> tuple[int, float]:
    """In how many networks a probe falls from one layer to the next, and by how much at most."""
    probes = np.array([values(name, "trained", f"test {layer}") for layer in range(1, 9)])
    steps = np.diff(probes, axis=0)
    return int((steps < 0).any(axis=0).sum()), float(-steps.min())


PYTORCH, FEW = "PyTorch's", "With 4.0% of the weights, tickets are as accurate as"
NETS = ("1 layer of 64", "2 layers of 32", "4 layers of 16", "8 layers of 8")
ONE, FOUR, SECTION = "1 layer", "4 layers", "nested_sine: section"

FIGURES: dict[str, Callable[[], list[str]]] = {
    "000-012": lambda: [explored("spirals", 8)],
    "000-016": lambda: [
        f"plain {percent('depth-limits', 'plain, 64 layers', measure='train_accuracy')}"
    ],
    "000-017": lambda: [percent("spiral", f"{ONE}, Adam", of=np.median)],
    "000-020": lambda: [solved_xor(2), solved_xor(8)],
    "000-022": lambda: [explored("spirals", 4, 8, 16), explored("digits", 4, 8, 16)],
    "000-023": lambda: [
        percent("spiral", f"{ONE}, gradient descent").replace(" %", " to"),
        percent("spiral", f"{ONE}, Adam"),
    ],
    "000-024": lambda: [
        fold(claim("depth-limits", "First gradients (batch norm)")["estimate"]),
        fold(claim("depth-limits", "First gradients (plain)")["estimate"]),
    ],
    "000-035": lambda: [percent("spiral-chapter", "no hidden layer, gradient descent")],
    "001-009": lambda: [solved_xor(4)],
    "001-013": lambda: [halves_of_n("linear_0"), halves_of_n("linear_600")],
    "001-029": sigmoids,
    "001-032": lambda: [
        f"up to {spread('probes', 'dead_share').rpartition('to ')[2]} dead units",
    ],
    "001-040": lambda: [
        f"{np.median(values('width-section', f'{SECTION}, {shape}, uniform biases', 'pieces')):.0f}"
        for shape in (FOUR, ONE)
    ],
    "001-046": lambda: [
        f"{means('regions', 'linear_0', *NETS)} regions before training",
        f"{means('regions', 'linear_600', *NETS)} after it",
    ],
    "002-028": lambda: [
        percent("probes", "trained", measure="test 1"),
        percent("probes", "trained", measure="test 8"),
        f"raw inputs {percent('probes', 'raw inputs', measure='test 1')}",
        f"untrained {percent('probes', 'untrained', measure='test 8')}",
    ],
    "002-033": lambda: [percent("probes-digits", "trained", measure="test 1")],
    "002-049": lambda: [
        f"{100 * claim('explore', 'On spirals, 16 plain')['estimate']:.1f} points",
        "{:.1f} to {:.1f}".format(*tenths(claim("explore", "On spirals, 16 plain"))),
    ],
    "002-055": lambda: [
        f"{points(claim('parity', 'Networks of log2 n layers that fit'))} points below chance",
        f"{points(claim('parity', 'Networks of one layer that fit'))} to "
        f"{points(claim('parity', 'Networks of one wide layer that fit'))} points above",
    ],
    "002-058": lambda: [explored("spirals", 1, 8, 16)],
    "002-071": lambda: [
        f"{50 * claim('prune', f'Without {share} % of its weights, a network')['estimate']:.0f} %"
        for share in (80, 90)
    ],
    "002-072": lambda: [
        f"{-100 * claim('lottery', FEW)['estimate']:.1f} points",
    ],
    "002-074": lambda: [
        percent("lottery", "snip, 11.8 %").removesuffix(" %"),
        percent("lottery", "ticket, 11.8 %"),
    ],
    "002-092": lambda: [
        f"{100 * np.mean(values('regions-compare', '1 layer of 8, random', 'linear') == 37):.0f} %"
    ],
    "002-108": lambda: [percent("spiral-chapter", f"{ONE}, gradient descent")],
    "002-115": lambda: [percent("depth-limits", "batch norm, 64 layers", measure="train_accuracy")],
    "002-148": lambda: [
        f"{means('regions', 'grid', *NETS)} patterns of {means('regions', 'patterns_600', *NETS)}"
    ],
    "002-150": lambda: [
        f"{percent('probes-digits', 'trained', measure='test 1')} after layer 1",
        f"{percent('probes-digits', 'trained', measure='test 8')} after layer 8",
        f"raw inputs {percent('probes-digits', 'raw inputs', measure='test 1')}",
    ],
    "003-011": lambda: [
        f"{spread('probes', 'zero_share')} zeros and {spread('probes', 'dead_share')} dead units",
        f"{spread('probes-digits', 'zero_share')} and {spread('probes-digits', 'dead_share')}",
    ],
    "003-019": lambda: [explored("digits", 1)],
    "004-017": lambda: [
        f"{100 * np.mean(values('fractal-gradients', PYTORCH, 'bends gone at') > 8):.0f} %"
    ],
    "004-019": lambda: [
        f"{curve} {percent('fractal', f'{curve}, depth 5')}" for curve in ("coarse", "extreme")
    ],
    "004-021": lambda: [f"{100 * claim('fractal', 'On coarse, depth 5')['estimate']:.1f} points"],
}
"""By the row, what its remark has to say."""


@pytest.mark.parametrize("number", sorted(FIGURES))
def test_figures_of_a_remark_are_those_of_the_record(number: str) -> None:
    remark = ledger()[number].evidence
    for words in FIGURES[number]():
        assert words in remark, (words, remark)


def test_errors_that_count_as_solved_are_below_a_thousandth() -> None:
    """Said of nested_sine (001-045), linear (001-043) and the sum (001-018)."""
    for target in ("nested_sine", "linear", "sin_plus_cos"):
        for shape in (ONE, FOUR):
            assert values("width", f"{target}: {shape}", "test_loss").max() < 1e-3


def test_how_often_probes_fall() -> None:
    """Said in 002-035 and 002-154: in three of ten by at most 2 of 400 points, on digits in ten."""
    networks, most = falls("probes")
    assert networks == 3 and round(400 * most) == 2
    assert falls("probes-digits")[0] == 10


def test_unscaled_relu_networks_diverge_at_seven_rates() -> None:
    """Said in 000-025."""
    rows = [row for row in record("init")["rows"] if row["arm"] == "relu: unscaled"]
    assert len({row["learning_rate"] for row in rows}) == 7
    assert all(loss is None for row in rows for loss in row["loss"])
