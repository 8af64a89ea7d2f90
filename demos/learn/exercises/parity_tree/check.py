"""The tree on signals that know their level and which bits they hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Wrong, shown

MOST = 13


class Signal:
    """A signal: the level it stands on, and which bits went into it, an odd number of times."""

    def __init__(self, level: int, bits: frozenset[int]) -> None:
        self.level, self.bits = level, bits

    def __repr__(self) -> str:
        return " XOR ".join(f"x{each + 1}" for each in sorted(self.bits)) or "0"


class Gates:
    """XOR gates, counted."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, a: Any, b: Any) -> Signal:
        for each in (a, b):
            if not isinstance(each, Signal):
                raise Wrong(f"xor got {shown(each)}: must be two signals, bits or results of xor")
        self.count += 1
        return Signal(1 + max(a.level, b.level), a.bits ^ b.bits)


def check(learner: Any) -> None:
    """Raise `Wrong` unless `parity` builds a tree of n - 1 gates, ceil(log2 n) levels deep."""
    for n in (1, 2, 3, 8, *range(4, MOST + 1)):
        xor = Gates()
        bits = [Signal(0, frozenset([i])) for i in range(n)]
        found = learner.parity(list(bits), xor)
        if isinstance(found, list | tuple) and len(found) == 1:
            found = found[0]
        check_signal(found, xor.count, n)


def check_signal(found: Any, gates: int, n: int) -> None:
    """The result for n bits must be their parity, of n - 1 gates, and as shallow as can be."""
    if found is None:
        raise Wrong("what parity returns is None: is there a return?")
    if not isinstance(found, Signal):
        raise Wrong(f"parity of {n} bits is {shown(found)}: must be one signal made by xor")
    levels = int(np.ceil(np.log2(n)))
    lost = sorted(set(range(n)) - found.bits)
    if lost:
        twice = ", or has it twice, and x XOR x = 0" if gates >= n - 1 else ""
        odd = ", the odd one out of a level" if lost[-1] == n - 1 and n % 2 else ""
        raise Wrong(f"the parity of {n} bits lacks x{lost[-1] + 1}{odd}{twice}: it is {found}")
    if gates != n - 1:
        raise Wrong(f"{gates} gates for {n} bits: must be {n - 1}, one less than bits")
    if found.level == n - 1 > levels:
        raise Wrong(
            f"this is a chain, {found.level} levels deep for {n} bits: must be {levels} levels; "
            "pair the signals of a level before going on to the next"
        )
    if found.level != levels:
        raise Wrong(
            f"{found.level} levels for {n} bits: must be {levels}; the odd one of a level waits, "
            "and all others are paired"
        )
