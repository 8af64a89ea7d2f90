"""Linear probes of every hidden layer of a deep network, before and after training.

The raw inputs and the same networks before training are the controls: what a probe reads there is
not what training put in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scratchnet.demos.probes.settings import Settings
from scratchnet.demos.representation import (
    Map,
    Representation,
    layers_to_show,
    maps,
    measure,
    measure_inputs,
    sample_for_maps,
)
from scratchnet.demos.seeded_data import load
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.demos.trained_ensembles import Trained, build, train
from scratchnet.depth.probes import ProbeAccuracy


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    trained: Trained
    inputs: ProbeAccuracy
    """Of the raw inputs, an entry for each seed."""
    before: Representation
    after: Representation
    """Of every hidden layer."""
    shown: tuple[int, ...]
    """The hidden layers with a map."""
    maps_before: list[Map]
    maps_after: list[Map]
    """Of the first seed's network."""
    map_labels: Any
    test_samples: int


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Train the ensemble and probe it before and after. Raises `KeyboardInterrupt` on Ctrl-C."""
    s = settings
    data = load(s.training.dataset, s.points, s.seed, s.seeds)
    model = build(s.training, data, s.seed, s.seeds, s.backend)
    layers = range(1, s.depth + 1)
    shown = layers_to_show(s.depth)
    inputs = measure_inputs(data, s.seeds)
    before, maps_before = measure(model, data, layers), maps(model, data, shown, s.embedding)
    trained = train(model, s.training, data, advance)
    after, maps_after = measure(model, data, layers), maps(model, data, shown, s.embedding)
    return Result(
        s,
        trained,
        inputs,
        before,
        after,
        shown,
        maps_before,
        maps_after,
        data.y_test[sample_for_maps(data)],
        len(data.y_test),
    )
