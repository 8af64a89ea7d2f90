"""Compiled cuts find the vertices, polygons and boundaries that NumPy's find, to the bit."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from region_checks import networks, plane_of, with_biases

from scratchnet import Model, mlp
from scratchnet.backends.compile import compiler_available
from scratchnet.depth import compiled_polygons
from scratchnet.depth.regions import Plane, TooManyRegions, plane_mosaic

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="needs a C++ compiler")


def check_same(model: Model, plane: Plane, **options: Any) -> int:
    """That both ways give the same bits; the number of regions."""
    ours, theirs = (plane_mosaic(model, plane, compile=each, **options) for each in (True, False))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype and mine.shape == other.shape
        assert mine.tobytes() == other.tobytes()
    return len(ours[1])


@given(networks())
@settings(max_examples=200)
def test_networks_of_all_kinds(model: Model) -> None:
    check_same(model, plane_of(model))


@pytest.mark.parametrize("layers", [[2, 64, 64, 3], [2, 16, 16, 16, 16, 1], [2, 8, 8, 8, 8, 8, 10]])
def test_large_networks(layers: list[int]) -> None:
    model = with_biases(mlp(layers, dtype="float64", seed=1), 1, size=0.3)
    assert check_same(model, Plane()) > 300


def test_little_room_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled function stops for want of room, between two neurons, and goes on."""
    model = with_biases(mlp([2, 24, 24, 2], dtype="float64", seed=2), 2)
    calls = []

    class Counting:
        def __init__(self, cut: Any) -> None:
            self.cut = cut

        def __call__(self, *arguments: Any) -> None:
            calls.append(1)
            self.cut(*arguments)

    cut = compiled_polygons.cutter()
    monkeypatch.setattr(compiled_polygons, "cutter", lambda: Counting(cut))
    monkeypatch.setattr(compiled_polygons, "MORE_ROOM", (2, 1))
    check_same(model, Plane())
    assert len(calls) > 10


def test_many_corners_take_no_more_rows() -> None:
    """Lines around a circle, which are neurons of one layer, leave a polygon of 64 corners."""
    model = mlp([2, 64, 1], dtype="float64")
    angles = 2 * np.pi * np.arange(64) / 64
    first = model.layers[0].parameters
    first["weight"].data[...] = np.stack([np.cos(angles), np.sin(angles)])
    first["bias"].data[...] = -0.7
    tracemalloc.start()
    assert check_same(model, Plane()) == 1185
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26


def test_the_limit_keeps_the_same_pieces() -> None:
    model = with_biases(mlp([2, 16, 16, 16, 1], seed=1), 1)
    found = []
    for compile in (True, False):
        with pytest.raises(TooManyRegions) as stopped:
            plane_mosaic(model, max_regions=150, compile=compile)
        found.append(stopped.value)
    ours, theirs = found
    assert str(ours) == str(theirs) and ours.counted == theirs.counted
    np.testing.assert_array_equal(ours.polygons, theirs.polygons)
    np.testing.assert_array_equal(ours.vertices, theirs.vertices)
