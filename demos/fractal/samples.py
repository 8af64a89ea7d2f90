"""The points of a run: data for each seed and use, and the places at which pictures are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.figures import grid_points
from scratchnet.demos.fractal.settings import Settings
from scratchnet.depth.fractal_distributions import sample

# A seed's data come from streams of their own, beside those that its network draws from.
TRAINING_DATA, TEST_DATA, CHECKED_DATA = 3, 4, 6

CHECKED_POINTS = 20_000
LINE_POINTS = 600


def drawn(settings: Settings, curve: Any, use: int, seed: int, points: int, **options: Any) -> Any:
    """X and y of one seed, for one use; all curves share the random numbers."""
    s = settings
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
    given = {"margin": s.margin, "within": s.within, "dtype": "float32", **options}
    return sample(s.geometry, curve, points, seed=generator, **given)


def datasets(settings: Settings, curves: Any, use: int, points: int) -> tuple[Any, Any]:
    """X (curves * seeds, points, d), a block for each curve, and y (points,), which all share."""
    s = settings
    sets = [
        drawn(s, s.curve(name), use, seed, points)
        for name in curves
        for seed in range(s.seed, s.seed + s.seeds)
    ]
    return np.stack([X for X, _ in sets]), sets[0][1]


def extent(settings: Settings) -> tuple[float, float, float, float]:
    """The box (left, right, bottom, top) around K_0; in one dimension from 0 to 1 upwards."""
    corners = settings.geometry.corners
    low, high = corners.min(axis=0), corners.max(axis=0)
    if corners.shape[1] == 1:
        return float(low[0]), float(high[0]), 0.0, 1.0
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def picture_points(settings: Settings, resolution: int) -> Any:
    """The centres of pixels: (N, d), of one row in one dimension."""
    left, right, bottom, top = extent(settings)
    if settings.geometry.dimensions == 1:
        return (left + (right - left) * (np.arange(LINE_POINTS) + 0.5) / LINE_POINTS)[:, None]
    return grid_points((left, right, bottom, top), resolution)


def as_picture(settings: Settings, values: Any) -> Any:
    """The values at `picture_points` as rows and columns."""
    rows = 1 if settings.geometry.dimensions == 1 else round(len(values) ** 0.5)
    return np.asarray(values).reshape(rows, -1)
