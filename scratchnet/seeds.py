"""Seeds: one for each network, and from each a stream of its own for each use."""

from __future__ import annotations

from collections.abc import Sequence

from scratchnet.backends import InputError
from scratchnet.backends.errors import whole_number

INITIALIZATION, DROPOUT, SHUFFLING = 0, 1, 2
"""Each use of a network's seed draws from the stream of this number."""


def network_seeds(seed: int | Sequence[int], ensemble: int | None) -> tuple[int, ...]:
    """The seed of each network, counted from `seed` on, or as given.

    Raises `InputError` for a seed below 0 and where there is not one for each network.
    """
    if not isinstance(seed, Sequence):
        first = whole_number("seed", seed)
        return tuple(range(first, first + (ensemble or 1)))
    if len(seed) != (ensemble or 1):
        raise InputError(f"seed has {len(seed)} entries: must be {ensemble or 1}, one per network")
    return tuple(whole_number("seed", each) for each in seed)
