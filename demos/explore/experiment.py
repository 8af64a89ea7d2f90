"""Networks of several depths on data from easy to hard, and a look into the layers of one.

All seeds of a depth are trained side by side, and the same seeds at every depth, so that depths are
compared seed by seed. On the spirals the deepest networks are trained with batch normalisation and
skip connections as well, and the layers of one network are probed before and after training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.demos.explore.settings import INSIDE, Settings
from scratchnet.demos.figures import grid_points, window
from scratchnet.demos.representation import (
    Map,
    Representation,
    layers_to_show,
    maps,
    measure,
    measure_inputs,
    sample_for_maps,
)
from scratchnet.demos.seeded_data import Data, load
from scratchnet.demos.step_times import QUICK_ROUNDS, ROUNDS, step_times
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.demos.trained_ensembles import OPTIMIZERS, Trained, Training, build, train
from scratchnet.depth.probes import ProbeAccuracy
from scratchnet.model import Model

GRID = 120


@dataclass(frozen=True, eq=False)
class Row:
    """What became of one depth on one dataset."""

    trained: Trained
    test_samples: int
    probabilities: Any
    """P(class 1) on the grid of the dataset's window, (GRID, GRID), by the first seed's network;
    None where the data do not lie in the plane."""

    @property
    def dataset(self) -> str:
        return self.trained.training.dataset

    @property
    def depth(self) -> int:
        return self.trained.training.depth

    @property
    def variant(self) -> str:
        return self.trained.training.variant


@dataclass(frozen=True, eq=False)
class Inside:
    """The layers of a deep network, before and after training; arrays are (layers, seeds)."""

    depth: int
    before: Representation
    after: Representation
    inputs: ProbeAccuracy
    maps_before: list[Map]
    maps_after: list[Map]
    map_labels: Any


@dataclass(frozen=True, eq=False)
class Plane:
    """The training data of the first seed, and the window that they lie in."""

    X: Any
    y: Any
    extent: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rows: tuple[Row, ...]
    variants: tuple[Row, ...]
    inside: Inside | None
    planes: dict[str, Plane]
    unfinished: tuple[Training, ...]
    """What Ctrl-C kept from being trained to its end."""
    times: dict[Training, Any] = field(default_factory=dict)
    """Seconds (rounds,) of a training step of all seeds."""


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Time and train everything. Ctrl-C ends the training and keeps what was finished.

    Raises `KeyboardInterrupt` where that is nothing, and `InputError` where the digits are asked
    for and scikit-learn is not installed.
    """
    s = settings
    data = {name: load(name, s.points, s.seed, s.seeds) for name in s.datasets}
    planes = {
        name: Plane(each.X[0], each.y, window(each.X[0]))
        for name, each in data.items()
        if each.inputs == 2
    }
    main, variants = s.main(), s.variants()
    times = measure_times(s, (*main, *variants), data, advance)
    rows: list[Row] = []
    inside = None
    try:
        for training in (*main, *variants):
            looked_into = training.variant == "plain" and (training.dataset, training.depth) == (
                INSIDE,
                s.inside_depth,
            )
            of = data[training.dataset]
            row, found = train_row(s, training, of, planes, looked_into, advance)
            rows.append(row)
            inside = found or inside
    except KeyboardInterrupt:
        if not rows:
            raise
    return Result(
        s,
        tuple(rows[: len(main)]),
        tuple(rows[len(main) :]),
        inside,
        planes,
        tuple((*main, *variants)[len(rows) :]),
        times,
    )


def measure_times(
    settings: Settings, trainings: Sequence[Training], data: dict[str, Data], advance: Advance
) -> dict[Training, Any]:
    """Times of what is trained on the same dataset, side by side."""
    s = settings
    found: dict[Training, Any] = {}
    for name, of in data.items():
        advance(0, note=f"timing, {name}")
        optimizers = {
            each: OPTIMIZERS[each.optimizer](
                build(each, of, s.seed, s.seeds, s.backend), each.learning_rate
            )
            for each in trainings
            if each.dataset == name
        }
        found |= step_times(optimizers, of, QUICK_ROUNDS if s.quick else ROUNDS)
    return found


def train_row(
    settings: Settings,
    training: Training,
    data: Data,
    planes: dict[str, Plane],
    looked_into: bool,
    advance: Advance,
) -> tuple[Row, Inside | None]:
    """Train one ensemble, and where it is looked into, measure its layers before and after."""
    s = settings
    model = build(training, data, s.seed, s.seeds, s.backend)
    shown = layers_to_show(training.depth)
    if looked_into:
        before, maps_before = measure(model, data, shown), maps(model, data, shown)
    trained = train(model, training, data, advance)
    probabilities = None
    if data.name in planes:
        first = build(training, data, s.seed, None, s.backend)
        first.load_state_dict(model.state_dict(network=0))
        probabilities = class_probabilities(first, planes[data.name].extent)
    row = Row(trained, len(data.y_test), probabilities)
    if not looked_into:
        return row, None
    return row, Inside(
        training.depth,
        before,
        measure(model, data, shown),
        measure_inputs(data, s.seeds),
        maps_before,
        maps(model, data, shown),
        data.y_test[sample_for_maps(data)],
    )


def class_probabilities(model: Model, extent: tuple[float, float, float, float]) -> Any:
    """P(class 1) over the window by one network, (GRID, GRID)."""
    with np.errstate(over="ignore", invalid="ignore"):
        logits = model.predict(grid_points(extent, GRID))[:, 0].astype(np.float64)
        return np.exp(-np.logaddexp(0, -logits)).reshape(GRID, GRID)
