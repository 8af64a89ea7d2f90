"""What a run of `scratchnet fractal` is asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from scratchnet.backends.errors import InputError
from scratchnet.demos.settings import Common, option, options_of
from scratchnet.depth.convex import Points
from scratchnet.depth.fractal_distributions import CURVES, check_room, named_curve
from scratchnet.depth.fractals import Fractal, get_fractal


class Training(NamedTuple):
    """How the networks of a protocol are trained."""

    batch_size: int
    points: int
    within: float
    """The share of a cell, about its middle, that negatives lie in."""
    rates: tuple[float, ...]
    """Of Adam, at the start; they fall to 0 along half a cosine."""


RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
PROTOCOLS = {
    "standard": Training(200, 20_000, 1.0, RATES),
    "paper": Training(256, 51_200, 1 / 3, (0.003,)),
}


def by_protocol(standard: Any, paper: Any, help: str, **more: Any) -> Any:
    """An option whose default depends on `--protocol`."""
    return option({"standard": standard, "paper": paper}, help, by="protocol", **more)


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet fractal`."""

    protocol: Literal["standard", "paper"] = option(
        "standard", "paper: level 5, wide, long, negatives from the middle; 40 minutes."
    )
    fractal: Literal["cantor", "dust", "vicsek", "sierpinski", "pentaflake"] = option(
        "dust", "cantor is the only one on a line."
    )
    level: int = by_protocol(4, 5, "How deep it goes.", low=1, high=10)
    ratio: float | None = option(
        None, "A copy's size, of cantor and dust; by default 1/3.", low=0, above=True, high=0.999
    )
    curve: tuple[str, ...] = option(
        tuple(CURVES),
        f"Of the negatives: {', '.join(CURVES)}, or beta in p_j ~ beta^j.",
        quick=("coarse", "extreme"),
        chooses_arms=True,
    )
    depths: tuple[int, ...] = option(
        (1, 3, 5), "Hidden layers.", quick=(1, 5), low=1, high=50, chooses_arms=True
    )
    width: int = by_protocol(32, 100, "Neurons per layer.", low=1, high=10_000)
    steps: int = by_protocol(2000, 20_000, "Training steps.", quick=400, low=1, high=10**8)
    margin: float = by_protocol(0.1, 0.0, "Distance from borders, of a cell.", low=0, high=0.99)
    seeds: int = by_protocol(10, 5, "Networks of each arm.", quick=3, low=1, high=10_000)
    curriculum: bool = option(
        False, "Also learn the curves in turn, from coarse to fine.", chooses_arms=True
    )

    @cached_property
    def geometry(self) -> Fractal:
        """The fractal itself."""
        return get_fractal(self.fractal, self.ratio)

    @property
    def training(self) -> Training:
        """Batches, points and learning rates of the protocol."""
        found = PROTOCOLS[self.protocol]
        one = self.quick and self.protocol == "standard"
        return found._replace(rates=(0.01,)) if one else found

    @property
    def steps_per_epoch(self) -> int:
        """How many batches the training points make."""
        return -(-self.training.points // self.training.batch_size)

    @property
    def epochs(self) -> int:
        """Passes over the training points that make about so many steps."""
        return max(1, round(self.steps / self.steps_per_epoch))

    @property
    def from_coarse_to_fine(self) -> tuple[str, ...]:
        """The curves in the order of their P(1)."""
        return tuple(sorted(self.curve, key=lambda name: CURVES.get(name) or float(name)))

    def p(self, name: str) -> Points:
        """(P(1), ..., P(level)) of one of the curves."""
        return named_curve(name, self.level)


def check(s: Settings) -> None:
    """Raise `InputError` for what cannot be sampled, and for what the paper's protocol fixes."""
    for name in ("fractal", "level", "ratio", "width", "margin"):
        fixed = options_of(Settings)[name].value({"protocol": "paper"}, quick=s.quick)
        if s.protocol == "paper" and getattr(s, name) != fixed:
            raise InputError(f"--{name} with --protocol paper: must be left out, it is fixed")
    for name in s.curve:
        named_curve(name, s.level)
    s.geometry.check_level(s.level, "float32")
    check_room(s.geometry, s.margin, s.training.within)
    if s.curriculum and len(s.curve) < 2:
        raise InputError(f"--curriculum with --curve {s.curve[0]}: must be two curves or more")
