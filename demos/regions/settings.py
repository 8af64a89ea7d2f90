"""What a run of `scratchnet regions` is asked for: architectures, and the window to count in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.random_networks import BIAS_DEVIATION
from scratchnet.depth.region_bounds import (
    arrangement_regions,
    expected_at_initialization,
    lower_bound,
    textbook_bound,
    upper_bound,
)
from scratchnet.depth.slices import Plane

MOST_NEURONS, MOST_LAYERS = 256, 32
DIMENSIONS = 2

Window = tuple[float, float, float, float]
"""left, right, bottom, top"""


@dataclass(frozen=True)
class Architecture:
    """The widths of the hidden layers of a network with two inputs and one output."""

    hidden: tuple[int, ...]

    @property
    def neurons(self) -> int:
        return sum(self.hidden)

    @property
    def widths(self) -> list[int]:
        return [DIMENSIONS, *self.hidden, 1]

    def __str__(self) -> str:
        """`8` for one layer, `16x4` for four layers of 16, else a list such as `20,10`."""
        width, layers = self.hidden[0], len(self.hidden)
        if self.hidden == (width,) * layers:
            return f"{width}x{layers}" if layers > 1 else str(width)
        return ",".join(map(str, self.hidden))

    def bounds(self) -> dict[str, Any]:
        """What theory says of its regions in the plane; `at_least` is None where it says nothing.

        `at_least`: so many the best network of this architecture has, or more (Montufar et al.).
        `at_most`: no network has more (Serra et al.). `textbook`: a larger bound, that of single
        layers multiplied. `one_layer`: no single layer of as many neurons has more (Zaslavsky).
        `at_start`: about so many at random weights (Hanin and Rolnick).
        """
        wide = min(self.hidden) >= DIMENSIONS
        return {
            "at_least": lower_bound(self.hidden, DIMENSIONS) if wide else None,
            "at_most": upper_bound(self.hidden, DIMENSIONS),
            "textbook": textbook_bound(self.hidden, DIMENSIONS),
            "one_layer": arrangement_regions(self.neurons, DIMENSIONS),
            "at_start": expected_at_initialization(self.neurons, DIMENSIONS),
        }


def architecture(option: str, text: str) -> Architecture:
    """The hidden layers that a text such as `8`, `2x4` (four layers of 2) or `16x2,8` names.

    Raises `InputError`, which names the option, for anything else and for more neurons or layers
    than can be counted in a reasonable time.
    """
    hidden: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?", part.strip())
        if match is None:
            raise InputError(
                f"{option} {text!r}: expected widths of hidden layers, separated by commas, such "
                "as 8 (one layer of 8), 2x4 (four layers of 2) or 16x2,8"
            )
        layers = int(match[2] or 1)
        if len(hidden) + layers > MOST_LAYERS:
            raise InputError(f"{option} {text!r}: expected at most {MOST_LAYERS} hidden layers")
        hidden += [int(match[1])] * layers
    if sum(hidden) > MOST_NEURONS:
        raise InputError(
            f"{option} {text!r}: expected at most {MOST_NEURONS} neurons, these are {sum(hidden):,}"
        )
    return Architecture(tuple(hidden))


def spread(neurons: int, layers: int) -> Architecture:
    """So many neurons in so many layers, as evenly as can be; the first layers get the rest."""
    width, rest = divmod(neurons, layers)
    return Architecture(tuple(width + (number < rest) for number in range(layers)))


def window(option: str, text: str) -> Window:
    """The four numbers left,right,bottom,top of a window; raises `InputError` for others."""
    try:
        numbers = [float(part) for part in text.split(",")]
        left, right, bottom, top = numbers
    except ValueError:
        numbers = []
    if not (numbers and all(map(math.isfinite, numbers)) and left < right and bottom < top):
        raise InputError(
            f"{option} {text!r}: expected four numbers left,right,bottom,top with left < right and "
            "bottom < top, such as -1,1,-1,1"
        )
    return left, right, bottom, top


def plane(extent: Window) -> Plane:
    left, right, bottom, top = extent
    return Plane(window=((left, right), (bottom, top)))


@dataclass(frozen=True)
class Settings:
    """Networks to train on two spirals, and where their regions are counted."""

    shown: Architecture = Architecture((16, 16, 16, 16))
    """The one that is drawn during training."""
    depths: tuple[int, ...] = (1, 2, 4, 8)
    """As many neurons as `shown` has, in so many layers."""
    extent: Window = (-1.2, 1.2, -1.2, 1.2)
    epochs: int = 600
    learning_rate: float = 0.01
    bias_deviation: float = BIAS_DEVIATION
    points: int = 400
    turns: float = 2.0
    noise: float = 0.02
    seed: int = 0
    seeds: int = 10
    backend: str = "auto"

    def architectures(self) -> list[Architecture]:
        """Those of `depths` in their order, and `shown` where it is none of them."""
        same_neurons = [spread(self.shown.neurons, depth) for depth in self.depths]
        return same_neurons if self.shown in same_neurons else [*same_neurons, self.shown]

    def checkpoints(self) -> list[int]:
        """After how many epochs regions are counted; 0 is before training."""
        shares = (0, 1 / 60, 1 / 20, 1 / 10, 1 / 3, 1)
        return sorted({round(self.epochs * share) for share in shares})

    def drawn_checkpoints(self) -> list[int]:
        """Up to four of the checkpoints: the first, the last, and two between."""
        at = self.checkpoints()
        return at if len(at) <= 4 else [at[0], at[-4], at[-3], at[-1]]


@dataclass(frozen=True)
class CompareSettings:
    """Two architectures to compare: random networks, and the best that a search finds."""

    architectures: tuple[Architecture, ...]
    extent: Window = (-100.0, 100.0, -100.0, 100.0)
    networks: int = 300
    search_steps: int = 5000
    bias_deviation: float = BIAS_DEVIATION
    seed: int = 0
    backend: str = "auto"
