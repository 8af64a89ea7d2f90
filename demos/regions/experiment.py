"""What `scratchnet regions` computes: exact regions of networks before, during, after training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.datasets import spirals
from scratchnet.demos.mosaic import Mosaic, mosaic
from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.regions.settings import Architecture, Settings, plane
from scratchnet.demos.results import environment
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.regions import Plane, PlaneRegions, plane_regions
from scratchnet.depth.sampled_regions import sampled_regions
from scratchnet.evaluation import accuracy
from scratchnet.model import Model
from scratchnet.optim import Adam
from scratchnet.training import fit

# A seed's data come from streams of their own, beside those that its network draws from.
TRAINING_DATA, TEST_DATA = 3, 4

# Points along a side: of the grid that checks the count, and of the pictures in the terminal.
GRID, SCREEN = 256, 80

# A network's regions take about as long to count, at all checkpoints, as so many epochs.
COUNT_COST = 20


@dataclass(frozen=True)
class Checkpoint:
    """An ensemble of networks after some epochs; one entry for each seed."""

    epochs: int
    count: Any
    """Activation regions in the window."""
    linear_count: Any
    """Linear regions in the window."""
    crossed: Any
    """Activation regions that the decision boundary passes through."""
    test_accuracy: Any
    mosaic: Mosaic
    """That of the first seed."""
    probabilities: Any
    """P(class 1) of the first seed's network on a grid of the window, row 0 at the bottom."""


@dataclass(frozen=True)
class GridCheck:
    """The regions that a grid of points sees, beside those that were enumerated."""

    points: int
    exact: int
    seen: int
    unknown: int
    """Patterns at grid points that are not among the exact ones: 0, or one of the two is wrong."""


@dataclass(frozen=True)
class Row:
    """All that was measured of one architecture."""

    architecture: Architecture
    parameters: int
    checkpoints: tuple[Checkpoint, ...]
    grid: GridCheck
    """Of the first seed, after training."""
    seconds: float

    @property
    def before(self) -> Checkpoint:
        return self.checkpoints[0]

    @property
    def after(self) -> Checkpoint:
        return self.checkpoints[-1]


@dataclass(frozen=True)
class Result:
    settings: Settings
    environment: dict[str, Any]
    rows: tuple[Row, ...]
    X: Any
    y: Any
    """The training data of the first seed."""
    interrupted: bool = False

    @property
    def shown(self) -> Row:
        """The architecture that is drawn during training, or the last that was finished."""
        wanted = [row for row in self.rows if row.architecture == self.settings.shown]
        return wanted[0] if wanted else self.rows[-1]


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Train each architecture from `seeds` seeds, and count its regions at the checkpoints.

    Ctrl-C ends the run and keeps the architectures that were finished. Raises `KeyboardInterrupt`
    where there is none yet.
    """
    data = datasets(settings)
    rows: list[Row] = []
    interrupted = False
    try:
        for architecture in settings.architectures():
            rows.append(train(settings, architecture, data, advance))
    except KeyboardInterrupt:
        if not rows:
            raise
        interrupted = True
    return Result(
        settings, environment(settings.backend), tuple(rows), data[0][0], data[1], interrupted
    )


def steps(settings: Settings) -> int:
    """How often `run` advances."""
    return len(settings.architectures()) * (settings.epochs + settings.seeds * COUNT_COST)


def datasets(settings: Settings) -> tuple[Any, Any, Any]:
    """X (seeds, points, 2) to train on, y (points,), and X to test on, with the same y."""

    def arms(seed: int, use: int) -> tuple[Any, Any]:
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
        return spirals(settings.points, settings.turns, settings.noise, generator, "float64")

    seeds = range(settings.seed, settings.seed + settings.seeds)
    training, test = ([arms(seed, use) for seed in seeds] for use in (TRAINING_DATA, TEST_DATA))
    X, X_test = (np.stack([points for points, _ in each]) for each in (training, test))
    return X, training[0][1], X_test


def train(
    settings: Settings, architecture: Architecture, data: tuple[Any, Any, Any], advance: Advance
) -> Row:
    """Train one ensemble, full batch, with Adam; raises `KeyboardInterrupt` after Ctrl-C."""
    X, y, X_test = data
    model = random_networks(
        architecture.widths,
        settings.seed,
        settings.seeds,
        settings.backend,
        settings.bias_deviation,
    )
    advance(0, str(architecture))
    at = settings.checkpoints()
    share = settings.seeds * COUNT_COST / len(at)
    start = time.perf_counter()
    checkpoints = [look(settings, model, 0, X_test, y)]
    advance(share)

    def count_at_checkpoint(epoch: int, *_: Any) -> None:
        advance()
        if epoch + 1 in at:
            checkpoints.append(look(settings, model, epoch + 1, X_test, y))
            advance(share)

    optimizer = Adam(model, settings.learning_rate)
    history = fit(
        model, X, y, optimizer=optimizer, epochs=settings.epochs, callbacks=[count_at_checkpoint]
    )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return Row(
        architecture,
        model.parameter_count,
        tuple(checkpoints),
        grid_check(settings, model),
        time.perf_counter() - start,
    )


def look(settings: Settings, model: Model, epochs: int, X_test: Any, y: Any) -> Checkpoint:
    window = plane(settings.extent)
    regions = [plane_regions(model, window, network) for network in range(settings.seeds)]
    return Checkpoint(
        epochs,
        np.array([each.count for each in regions]),
        np.array([each.linear_count for each in regions]),
        np.array([crossed(each) for each in regions]),
        accuracy(model, X_test, y),
        mosaic(model, window, 0, regions[0]),
        class_probabilities(model, window),
    )


def class_probabilities(model: Model, window: Plane) -> Any:
    """P(class 1) over the window by the first network of the ensemble, (SCREEN, SCREEN)."""
    logits = model.predict(window.grid(SCREEN))[0, :, 0]
    return np.exp(-np.logaddexp(0, -logits)).reshape(SCREEN, SCREEN)


def crossed(regions: PlaneRegions) -> int:
    """How many regions the decision boundary passes through: the logit has both signs there."""
    corners = regions.vertices[regions.polygons]
    logits = (corners * regions.gradients[:, :1]).sum(axis=2) + regions.offsets[:, :1]
    return int(np.count_nonzero((logits.max(axis=1) > 0) & (logits.min(axis=1) < 0)))


def grid_check(settings: Settings, model: Model) -> GridCheck:
    """Run the first network on a grid, and look its activation patterns up."""
    window = plane(settings.extent)
    exact = plane_regions(model, window, 0).patterns
    seen = sampled_regions(model, window, GRID, 0).patterns
    known = set(map(bytes, np.packbits(exact, axis=1)))
    unknown = sum(bytes(each) not in known for each in np.packbits(seen, axis=1))
    return GridCheck(GRID**2, len(exact), len(seen), unknown)
