"""A row's networks in chunks, and the numbers of a row from those of its chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.demos.results import to_plain
from scratchnet.demos.running import Advance, Numbers, Run


@dataclass(frozen=True)
class Chunk:
    """Some networks of a row."""

    key: str
    """A digest of all that its numbers depend on."""
    about: str
    """Arm and seeds, for people."""
    train: Callable[[Advance], Numbers]
    work: float
    path: Path | None = None
    """Where its numbers are kept."""


def chunks_of(
    run: Run,
    arm: str,
    facts: Mapping[str, Any],
    seeds: Sequence[int],
    train: Callable[[Sequence[int]], Callable[[Advance], Numbers]],
    work: float,
    part: str,
) -> list[Chunk]:
    """The networks of a row, in chunks: see `Run.networks`."""
    chunks = []
    for places in parts_of(seeds, run.cluster.networks):
        some = [seeds[place] for place in places]
        key = run.key(arm, {**facts, "places": [places.start, places.stop]}, some, part)
        about = f"{arm}, {part}, seeds {some[0]} to {some[-1]}, {to_plain(facts)}"
        share = work * len(places) / len(seeds)
        chunks.append(Chunk(key, about, train(places), share, run.path(arm, key)))
    return chunks


def parts_of(seeds: Sequence[int], most: int) -> list[range]:
    """Places of `seeds` for each chunk, at most so many.

    The seeds may stand several times, once for each rate, all of them each time; then a chunk
    holds all seeds of some rates, or some seeds of one rate.
    """
    different = len(dict.fromkeys(seeds))
    if most >= different:
        size = most // different * different
        return [range(at, min(at + size, len(seeds))) for at in range(0, len(seeds), size)]
    return [
        range(at, min(at + most, start + different))
        for start in range(0, len(seeds), different)
        for at in range(start, start + different, most)
    ]


def together(found: Sequence[Numbers], axes: Mapping[str, int]) -> Numbers:
    """The numbers of all networks from those of chunks, in order.

    Arrays without an axis of networks are the first chunk's. Where all networks of a chunk diverged
    its curves ended early; what they lack is NaN.
    """
    measures = {
        name: np.concatenate([np.asarray(each[name]) for each, _ in found]) for name in found[0][0]
    }
    arrays = {
        name: joined([arrays[name] for _, arrays in found], axes[name]) if name in axes else first
        for name, first in found[0][1].items()
    }
    return measures, arrays


def joined(parts: Sequence[Any], axis: int) -> Any:
    """Arrays concatenated along the axis, the shorter ones filled up with NaN along the others."""
    parts = [np.asarray(each) for each in parts]
    longest = np.max([each.shape for each in parts], axis=0)
    filled = []
    for each in parts:
        missing = [(0, 0 if at == axis else longest[at] - n) for at, n in enumerate(each.shape)]
        lacks = any(after for _, after in missing)
        filled.append(np.pad(each, missing, constant_values=np.nan) if lacks else each)
    return np.concatenate(filled, axis)
