"""Functions to learn, for comparing deep networks with wide ones of equal size.

Each is a `Target`: a function of its inputs, and the distribution that the inputs come from.

| name | function | what is known |
|---|---|---|
| nested_sine | sin(sin(sin x)) | nested, and yet a smooth, almost straight curve |
| sin_plus_cos | sin x + cos x | a sum |
| linear | x | needs no hidden layer |
| cubic | x^3 - x | smooth, with two turns |
| oscillating | sin(8 sin(3 sin 2x)) | nested, with many turns |
| radial | a sign for each shell of the radius | where two hidden layers beat one: `RadialShells` |
| parity | the parity of ten signs | a tree of XORs, or one layer that counts |
| sparse | a sum over some of 10,000 rare features | linear in the features |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.depth.circuits import row_bits

Floats = NDArray[np.float64]

INTERVAL = 2.0
"""The functions of one input are learned on [-2, 2]."""


@dataclass(frozen=True)
class Target:
    """A function and the distribution of its inputs."""

    name: str
    formula: str
    inputs: int
    function: Callable[[Any], Floats]
    """X (N, inputs) -> f(X) (N,), float64."""
    sample: Callable[[int, np.random.Generator], Any]
    """(N, generator) -> X (N, inputs), float64, or float32 where the inputs are many."""
    complete: bool = False
    """Whether there are finitely many inputs and `sample` gives all of them, whatever N is."""


def on_interval(name: str, formula: str, function: Callable[[Floats], Floats]) -> Target:
    """A function of one input, which is uniform on [-2, 2]."""

    def sample(samples: int, generator: np.random.Generator) -> Floats:
        return generator.uniform(-INTERVAL, INTERVAL, (samples, 1))

    return Target(name, formula, 1, lambda X: function(np.asarray(X, np.float64)[:, 0]), sample)


@dataclass(frozen=True)
class RadialShells:
    """A sum of shells with alternating signs: f(x) = (-1)^(i+1) where |x| lies in shell i.

    The radii from `inner` to twice `inner` are cut into `shells` intervals of equal length,
    numbered 1, 2, ...; elsewhere f is 0. `inner` is sqrt(d) in d dimensions.

    Eldan and Shamir ("The Power of Depth for Feedforward Neural Networks", 2016) show that some
    such function is approximated by a network of two hidden layers, of a size polynomial in d, but
    by none of one hidden layer of a size less than exponential in d, where error is measured under
    the density phi^2,

        phi(x) = integral of exp(-2 pi i w.x) dw over the ball |w| <= R
               = (R / |x|)^(d/2) J(2 pi R |x|)

    with J the Bessel function of order d / 2, and R such that the ball has volume 1, so that phi^2
    is a probability density. Here x is drawn from phi^2 restricted to the shells; theirs has
    gamma d^2 shells with signs that are shown to exist, leaves those out where phi is small, and
    is about large d. So this is in the style of their function; it proves nothing.
    """

    dimensions: int
    shells: int

    def __post_init__(self) -> None:
        if positive_whole("dimensions", self.dimensions) < 2:
            raise InputError(f"dimensions is {self.dimensions}: must be a whole number from 2")
        positive_whole("shells", self.shells)

    @property
    def inner(self) -> float:
        """sqrt(d), the radius from which the shells lie."""
        return math.sqrt(self.dimensions)

    @property
    def ball_radius(self) -> float:
        """R, with which pi^(d/2) R^d / Gamma(d/2 + 1) = 1."""
        half = self.dimensions / 2
        return math.gamma(half + 1) ** (1 / self.dimensions) / math.sqrt(math.pi)

    def phi(self, radius: Any) -> Floats:
        """phi at points of that radius, which is above 0."""
        from scipy.special import jv

        r, half = np.asarray(radius, np.float64), self.dimensions / 2
        found: Floats = (self.ball_radius / r) ** half * jv(half, 2 * np.pi * self.ball_radius * r)
        return found

    def radius_density(self, radius: Any) -> Floats:
        """phi^2 times the area of the sphere: d pi^(d/2) / Gamma(d/2 + 1) r^(d-1) phi(r)^2."""
        d = self.dimensions
        area = d * math.pi ** (d / 2) / math.gamma(d / 2 + 1)
        found: Floats = area * np.asarray(radius, np.float64) ** (d - 1) * self.phi(radius) ** 2
        return found

    def __call__(self, X: Any) -> Floats:
        radius = np.linalg.norm(np.asarray(X, np.float64), axis=1)
        number = np.floor((radius / self.inner - 1) * self.shells)
        inside = (number >= 0) & (number < self.shells)
        return np.where(inside, 1.0 - 2.0 * (number % 2), 0.0)

    @cached_property
    def _quantiles(self) -> tuple[Floats, Floats]:
        """Radii, and the share of the restricted density that lies below each."""
        radius = np.linspace(self.inner, 2 * self.inner, 4001)
        density = self.radius_density(radius)
        steps = np.diff(radius) * (density[1:] + density[:-1]) / 2
        below = np.concatenate([[0.0], np.cumsum(steps)])
        return radius, below / below[-1]

    def sample(self, samples: int, generator: np.random.Generator) -> Floats:
        """Points (N, d): directions are uniform, radii have `radius_density` on the shells."""
        direction = generator.standard_normal((samples, self.dimensions))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        radius, below = self._quantiles
        return direction * np.interp(generator.random(samples), below, radius)[:, None]


def radial(dimensions: int = 3, shells: int = 4) -> Target:
    """`RadialShells` as a target."""
    shape = RadialShells(dimensions, shells)
    formula = f"signs of {shells} shells in {dimensions} dimensions"
    return Target("radial", formula, dimensions, shape, shape.sample)


def parity(inputs: int = 10) -> Target:
    """+1 where an odd number of the inputs is 1, else -1; the inputs are all rows of -1 and 1."""
    positive_whole("inputs", inputs)
    if inputs > 16:
        raise InputError(f"inputs of parity is {inputs}: must be a whole number from 1 to 16")
    rows = 2.0 * row_bits(np.arange(2**inputs), inputs) - 1

    def function(X: Any) -> Floats:
        return np.where(np.sum(np.asarray(X) > 0, axis=1) % 2, 1.0, -1.0)

    def sample(samples: int, generator: np.random.Generator) -> Floats:
        return rows.copy()

    return Target("parity", f"parity of {inputs} signs", inputs, function, sample, complete=True)


@dataclass(frozen=True, eq=False)
class SparseFeatures:
    """y = w.x over features that are mostly 0, as words are in texts.

    Feature j = 1, 2, ... is 1 with probability min(1/2, `scale` / j), Zipf's law, independently of
    the others; the first `informative` weights are drawn once from a normal distribution, and the
    others are 0. With scale 6 and 10,000 features about 50 of them are 1 in a sample.
    """

    features: int = 10_000
    scale: float = 6.0
    informative: int = 100
    weights: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        positive_whole("features", self.features)
        weights = np.random.default_rng(0).standard_normal(self.features)
        weights[self.informative :] = 0.0
        object.__setattr__(self, "weights", weights)

    @property
    def probability(self) -> Floats:
        """min(1/2, scale / j) of feature j = 1, 2, ...: how often it is 1."""
        found: Floats = np.minimum(0.5, self.scale / np.arange(1, self.features + 1))
        return found

    def __call__(self, X: Any) -> Floats:
        some = slice(self.informative)
        weights = self.weights[some]
        found: Floats = np.asarray(X)[:, some] @ weights - self.probability[some] @ weights
        return found

    def sample(self, samples: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """0 and 1, float32: 10,000 features of 256 samples take 10 MB."""
        draws = generator.random((samples, self.features), dtype=np.float32)
        return (draws < self.probability.astype(np.float32)).astype(np.float32)


def sparse(features: int = 10_000) -> Target:
    """`SparseFeatures` as a target."""
    words = SparseFeatures(features)
    return Target("sparse", f"linear in {features:,} rare features", features, words, words.sample)


TARGETS: dict[str, Callable[[], Target]] = {
    "nested_sine": lambda: on_interval(
        "nested_sine", "sin(sin(sin x))", lambda x: np.sin(np.sin(np.sin(x)))
    ),
    "sin_plus_cos": lambda: on_interval(
        "sin_plus_cos", "sin x + cos x", lambda x: np.sin(x) + np.cos(x)
    ),
    "linear": lambda: on_interval("linear", "x", lambda x: x),
    "cubic": lambda: on_interval("cubic", "x^3 - x", lambda x: x**3 - x),
    "oscillating": lambda: on_interval(
        "oscillating", "sin(8 sin(3 sin 2x))", lambda x: np.sin(8 * np.sin(3 * np.sin(2 * x)))
    ),
    "radial": radial,
    "parity": parity,
    "sparse": sparse,
}


def get_target(name: str) -> Target:
    """The target of that name in `TARGETS`; `InputError` names the nearest for another one."""
    return choose("target", name, TARGETS)()
