"""What `scratchnet regions --compare` computes: what bounds allow, and what networks reach."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.mosaic import Mosaic, mosaic
from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.regions.settings import Architecture, CompareSettings, plane
from scratchnet.demos.results import environment
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.regions import PlaneRegions, plane_regions
from scratchnet.model import Model, mlp

# The search changes one neuron at a time: a step of one of these sizes for all its weights and its
# bias, for the bias alone, or new ones altogether.
STEP_SIZES = (0.03, 0.1, 0.3, 1.0)
ANEW, ALL_WEIGHTS = 0.2, 0.4

# The search starts from so many random networks.
CLIMBS = 4


@dataclass(frozen=True)
class Reached:
    """What networks of one architecture have in the window."""

    architecture: Architecture
    count: Any
    """Activation regions of random networks, one for each seed."""
    linear_count: Any
    typical: Mosaic
    """Of the random networks, one with the median number of linear regions."""
    best: Mosaic
    """The most linear regions that the search found."""
    best_weights: dict[str, Any]
    search_steps: int
    """Networks that the search looked at."""
    seconds: float


@dataclass(frozen=True)
class Comparison:
    settings: CompareSettings
    environment: dict[str, Any]
    rows: tuple[Reached, ...]
    interrupted: bool = False


def run(settings: CompareSettings, advance: Advance = no_progress) -> Comparison:
    """Count random networks of each architecture, then search for a better one.

    Ctrl-C ends the run and keeps the architectures that were finished. Raises `KeyboardInterrupt`
    where there is none yet.
    """
    rows: list[Reached] = []
    interrupted = False
    try:
        for each in settings.architectures:
            rows.append(reached(settings, each, advance))
    except KeyboardInterrupt:
        if not rows:
            raise
        interrupted = True
    return Comparison(settings, environment(settings.backend), tuple(rows), interrupted)


def steps(settings: CompareSettings) -> int:
    """How often `run` advances."""
    return len(settings.architectures) * (settings.networks + settings.search_steps)


def reached(settings: CompareSettings, architecture: Architecture, advance: Advance) -> Reached:
    """Count the regions of random networks of one architecture, then search for more."""
    advance(0, f"{architecture}, random networks")
    start = time.perf_counter()
    window = plane(settings.extent)
    ensemble = random_networks(
        architecture.widths,
        settings.seed,
        settings.networks,
        settings.backend,
        settings.bias_deviation,
    )
    regions: list[PlaneRegions] = []
    for network in range(settings.networks):
        regions.append(plane_regions(ensemble, window, network))
        advance()
    linear = np.array([each.linear_count for each in regions])
    typical = int(np.argsort(linear, kind="stable")[len(linear) // 2])
    advance(0, f"{architecture}, search")
    best, looked_at = search(settings, architecture, ensemble, np.argsort(-linear), advance)
    advance(settings.search_steps - looked_at)
    return Reached(
        architecture,
        np.array([each.count for each in regions]),
        linear,
        mosaic(ensemble, window, typical, regions[typical]),
        mosaic(best, window),
        best.state_dict(),
        looked_at,
        time.perf_counter() - start,
    )


def search(
    settings: CompareSettings,
    architecture: Architecture,
    ensemble: Model,
    ranking: Any,
    advance: Advance,
) -> tuple[Model, int]:
    """Climb from the best random networks, `ranking`; the best found, and how many were looked at.

    Half of the effort goes to a few climbs, the rest to the one that came highest. Ends early where
    the upper bound is reached.
    """
    model = mlp(architecture.widths, dtype="float64", backend=settings.backend)
    rng = np.random.default_rng(settings.seed)
    starts = ranking[: min(CLIMBS, settings.search_steps)]
    highest: Top | None = None
    looked_at = 0
    for start in starts:
        steps = max(1, settings.search_steps // (2 * len(starts)))
        weights = ensemble.state_dict(int(start))
        top = climb(settings, architecture, model, weights, steps, rng, advance)
        looked_at += top.steps
        if highest is None or top.regions > highest.regions:
            highest = top
        if top.regions[0] >= architecture.bounds()["at_most"]:
            break
    assert highest is not None
    steps = settings.search_steps - looked_at
    highest = climb(settings, architecture, model, highest.weights, steps, rng, advance)
    model.load_state_dict(highest.weights)
    return model, looked_at + highest.steps


@dataclass(frozen=True)
class Top:
    """Where a climb ended."""

    regions: tuple[int, int]
    """Linear regions, activation regions."""
    weights: dict[str, Any]
    steps: int


def climb(
    settings: CompareSettings,
    architecture: Architecture,
    model: Model,
    weights: dict[str, Any],
    steps: int,
    rng: np.random.Generator,
    advance: Advance,
) -> Top:
    """Change one neuron at random, and keep the change unless regions are lost by it.

    Linear regions count first, activation regions decide between equals.
    """
    window, most = plane(settings.extent), architecture.bounds()["at_most"]

    def regions_of(weights: dict[str, Any]) -> tuple[int, int]:
        model.load_state_dict(weights)
        regions = plane_regions(model, window)
        return regions.linear_count, regions.count

    best = regions_of(weights)
    for step in range(steps):
        if best[0] >= most:
            return Top(best, weights, step)
        changed = change_a_neuron(weights, rng)
        regions = regions_of(changed)
        if regions >= best:
            best, weights = regions, changed
        advance()
    return Top(best, weights, steps)


def change_a_neuron(weights: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A copy with other weights into one hidden neuron, drawn from all of them alike."""
    changed = {name: each.copy() for name, each in weights.items()}
    layers = [name.removesuffix(".weight") for name in weights if name.endswith("weight")][:-1]
    neurons = [(layer, i) for layer in layers for i in range(len(weights[f"{layer}.bias"]))]
    layer, neuron = neurons[rng.integers(len(neurons))]
    into, bias = changed[f"{layer}.weight"][:, neuron], changed[f"{layer}.bias"]
    kind, size = rng.random(), rng.choice(STEP_SIZES)
    if kind < ANEW:
        into[:], bias[neuron] = rng.standard_normal(len(into)), rng.standard_normal()
    else:
        bias[neuron] += size / 2 * rng.standard_normal()
        if kind < ANEW + ALL_WEIGHTS:
            into += size * rng.standard_normal(len(into))
    return changed
