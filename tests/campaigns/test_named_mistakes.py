"""How many of the planted mistakes are named: three sets, with and without a reference."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest
from fresh_mistakes import FRESH
from ledger import enter
from likely_mistakes import LIKELY, Likely
from planted_gradients import PLANTED, Planted

from scratchnet.gradcheck import explain_gradient

SETS: dict[str, Sequence[Planted | Likely]] = {
    "first": PLANTED,
    "second": LIKELY,
    "third": FRESH,
}
LEAST = {"first": 0.9, "second": 0.9, "third": 0.85}
"""The share that must be named among at most two answers."""


def answers(name: str, number: int, has_reference: bool) -> int:
    """How many answers there are to one mistake if its name is among them, else 0."""
    planted = SETS[name][number]
    reference = planted.reference if has_reference else None
    found = explain_gradient(planted.function, *planted.tensors, reference=reference)
    words = getattr(planted, "words", "")
    is_named = any(e.mistake == planted.mistake and words in e.sentence for e in found)
    return len(found) if is_named else 0


def counted() -> Iterator[tuple[str, int, int, int]]:
    """Of each set and way: the mistakes, those named among at most two answers, those in none."""
    with ProcessPoolExecutor() as pool:
        for name, planted in SETS.items():
            for has_reference in (False, True):
                one = partial(answers, name, has_reference=has_reference)
                counts = list(pool.map(one, range(len(planted)), chunksize=10))
                way = f"{name} set, {'with' if has_reference else 'without'} a reference"
                yield way, len(planted), sum(0 < n <= 2 for n in counts), counts.count(0)


@pytest.mark.campaign
def test_the_planted_mistakes_are_named() -> None:
    """Of both sets that the diagnosis was written for, 3 % at most are named in no answer."""
    lines = []
    for way, count, among_two, in_none in counted():
        least = LEAST[way.split()[0]]
        assert among_two >= least * count, way
        assert in_none <= (0.03 if least == 0.9 else 1 - least) * count, way
        lines.append(f"{way}: {among_two} of {count} named in two answers, {in_none} in none")
    enter("named_mistakes", "; ".join(lines))
