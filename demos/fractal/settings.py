"""What a run of `scratchnet fractal` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scratchnet.backends import InputError
from scratchnet.depth.convex import Points
from scratchnet.depth.fractal_distributions import (
    CURVES,
    check_room,
    checked_curve,
    named_curve,
)
from scratchnet.depth.fractals import Fractal, get_fractal

DEEPEST_NETWORK = 50

# The setting in which fine curves stay at chance for every depth (Malach and Shalev-Shwartz 2019):
# wide networks, many steps, and negatives from the middle cell only.
PAPER = {
    "fractal": "dust",
    "level": 5,
    "ratio": 1 / 3,
    "width": 100,
    "learning_rate": 0.003,
    "batch_size": 256,
    "steps": 20_000,
    "points": 51_200,
    "seeds": 3,
    "within": 1 / 3,
    "margin": 0.0,
}
QUICK = {"depths": (1, 3, 5), "steps": 1000, "seeds": 3, "curves": ("coarse", "extreme")}


@dataclass(frozen=True)
class Settings:
    """The distribution, the networks, and how they are trained."""

    fractal: str = "dust"
    level: int = 4
    ratio: float | None = None
    """Of the Cantor set or dust; None for a third, or for a fractal of a fixed ratio."""
    curves: tuple[str, ...] = tuple(CURVES)
    depths: tuple[int, ...] = (1, 2, 3, 4, 5)
    width: int = 32
    learning_rate: float = 0.005
    """Of Adam, at the start; it falls to 0 along half a cosine."""
    batch_size: int = 200
    steps: int = 4000
    points: int = 20_000
    """To train on, of each network."""
    test_points: int = 5000
    margin: float = 0.1
    within: float = 1.0
    """The share of a cell, about its middle, that negatives lie in."""
    curriculum: bool = False
    paper: bool = False
    quick: bool = False
    seed: int = 0
    seeds: int = 5
    backend: str = "auto"

    @cached_property
    def geometry(self) -> Fractal:
        return get_fractal(self.fractal, self.ratio)

    @property
    def epochs(self) -> int:
        """Passes over the training points that make about so many steps."""
        return max(1, round(self.steps * self.batch_size / self.points))

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.points // self.batch_size)

    def curve(self, name: str) -> Points:
        """(P(1), ..., P(level)) of one of the curves."""
        return named_curve(name, self.level)


def choose_settings(given: Mapping[str, Any], backend: str = "auto") -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is.

    Raises `InputError` for what cannot be sampled, and for an option that --paper fixes.
    """
    chosen = dict(given)
    if given.get("paper"):
        free = ("paper", "seed", "seeds", "curves", "depths", "curriculum")
        if fixed := ["--" + name.replace("_", "-") for name in given if name not in free]:
            raise InputError(
                f"{', '.join(fixed)} with --paper: it fixes that; it takes --depths, --curve, "
                "--curriculum, --seed, --seeds, --backend, --out, --json and --show"
            )
        chosen = {**PAPER, **given}
    elif given.get("quick"):
        chosen = {**QUICK, **given}
    settings = Settings(backend=backend, **chosen)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Raise `InputError` now for what would be refused later, when time has been spent."""
    s = settings
    fractal = s.geometry
    fractal.check_level(s.level, "float32")
    for name in s.curves:
        checked_curve(s.curve(name))
    if max(s.depths) > DEEPEST_NETWORK:
        raise InputError(f"--depths {max(s.depths)}: expected at most {DEEPEST_NETWORK} layers")
    if s.curriculum and len(s.curves) < 2:
        raise InputError(
            f"--curriculum with --curve {s.curves[0]}: expected two curves or more, to learn "
            "in turn"
        )
    check_room(fractal, s.margin, s.within)


def curve_names(text: str) -> tuple[str, ...]:
    """The curves of a list such as `coarse,4`: names, and numbers beta."""
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise InputError(
            f"--curve {text!r}: expected names ({', '.join(CURVES)}) or numbers above 0, separated "
            "by commas"
        )
    if len(set(names)) < len(names):
        raise InputError(f"--curve {text!r}: each curve can stand in the list once only")
    for name in names:
        try:
            named_curve(name, 1)
        except InputError as error:
            raise InputError(f"--curve {text!r}: {error}") from None
    return names
