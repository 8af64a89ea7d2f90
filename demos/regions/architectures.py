"""Networks over the plane: how their hidden layers are written, and what theory says of them."""

import re
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import InputError
from scratchnet.depth.region_bounds import (
    arrangement_regions,
    expected_at_initialization,
    lower_bound,
    textbook_bound,
    upper_bound,
)
from scratchnet.depth.regions import Plane

MOST_NEURONS, MOST_LAYERS = 256, 32


@dataclass(frozen=True)
class Architecture:
    """The widths of the hidden layers of a network with two inputs and one output."""

    hidden: tuple[int, ...]

    def __str__(self) -> str:
        """`8` for one layer, `16x4` for four layers of 16, else widths such as `20-10`."""
        if len(set(self.hidden)) > 1:
            return "-".join(map(str, self.hidden))
        return f"{self.hidden[0]}x{len(self.hidden)}".removesuffix("x1")

    @property
    def words(self) -> str:
        """Such as `4 layers of 16`."""
        if len(set(self.hidden)) > 1:
            return f"layers of {self}"
        return f"{len(self.hidden)} layer{'s' * (len(self.hidden) > 1)} of {self.hidden[0]}"

    def bounds(self) -> dict[str, Any]:
        """What theory says of its regions in the plane; `at_least` is None where it says nothing.

        `at_start`: about so many at random weights (Hanin and Rolnick 2019). `at_least`: so many
        the best network has, or more (Montufar et al. 2014). `at_most`: none has more (Serra et al.
        2018). `textbook`: a larger bound, that of single layers multiplied. `one_layer`: no single
        layer of as many neurons has more (Zaslavsky 1975).
        """
        neurons = sum(self.hidden)
        return {
            "at_start": expected_at_initialization(neurons, 2),
            "at_least": lower_bound(self.hidden, 2) if min(self.hidden) >= 2 else None,
            "at_most": upper_bound(self.hidden, 2),
            "textbook": textbook_bound(self.hidden, 2),
            "one_layer": arrangement_regions(neurons, 2),
        }


def plane(window: tuple[float, ...]) -> Plane:
    """The inputs with left, right, bottom and top of a window."""
    left, right, bottom, top = window
    return Plane(window=((left, right), (bottom, top)))


def architecture(text: str) -> Architecture:
    """The hidden layers that a text such as `8`, `2x4` (four layers of 2) or `16x2-8` names.

    Raises `InputError` for another, and for networks too large to count in a reasonable time.
    """
    parts = [re.fullmatch("([1-9][0-9]{0,3})(?:x([1-9][0-9]{0,3}))?", p) for p in text.split("-")]
    hidden = [int(part[1]) for part in parts if part for _ in range(int(part[2] or 1))]
    if not all(parts) or len(hidden) > MOST_LAYERS or sum(hidden) > MOST_NEURONS:
        raise InputError(
            f"network {text!r}: must be hidden layers such as 8 (one of 8 neurons), 2x4 (four of "
            f"2) or 20-10, with at most {MOST_LAYERS} layers and {MOST_NEURONS} neurons"
        )
    return Architecture(tuple(hidden))


def spread(neurons: int, layers: int) -> Architecture:
    """So many neurons in so many layers, as evenly as can be; the first layers get the rest."""
    width, rest = divmod(neurons, layers)
    return Architecture(tuple(width + (number < rest) for number in range(layers)))
