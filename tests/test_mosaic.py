"""The picture of a network's regions: it tiles the window, and shows class and slope of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.demos.mosaic import Mosaic, facet_colors, mosaic
from scratchnet.demos.random_networks import random_networks
from scratchnet.depth.regions import Plane


def drawn(seed: int, bias: float = 0.3) -> Mosaic:
    return mosaic(random_networks([2, 8, 8, 1], seed, 1, bias_deviation=bias), Plane(), 0)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_a_mosaic_tiles_the_window_and_each_part_has_one_class(seed: int) -> None:
    shown = drawn(seed)
    assert shown.areas.sum() == pytest.approx(4)
    assert shown.linear_count <= shown.count <= len(shown.polygons)
    # The model itself agrees on the class inside of each part that is not tiny.
    large = shown.areas > 1e-6
    inside = shown.vertices[shown.polygons[large]].mean(axis=1)
    model = random_networks([2, 8, 8, 1], seed, 1)
    logits = model.predict(inside)[0, :, 0]
    sure = abs(logits) > 1e-9
    assert np.array_equal((logits > 0)[sure], shown.classes[large][sure] == 1)
    # And on the slope, which decides the colour.
    step = 1e-7
    for axis in range(2):
        ahead = model.predict(inside + step * np.eye(2)[axis])[0, :, 0]
        slopes = shown.gradients[large][:, axis]
        assert np.median(abs((ahead - logits) / step - slopes)) < 1e-5


def test_parts_are_coloured_by_class_and_slope() -> None:
    shown = drawn(3)
    colors = facet_colors(shown)
    assert colors.shape == (len(shown.polygons), 3)
    blue = colors[:, 2] > colors[:, 0]
    assert np.array_equal(blue, shown.classes == 0)
    assert len(np.unique(colors, axis=0)) > len(colors) / 4
    # In grey, every part of class 0 is darker than every part of class 1.
    grey = colors @ [0.2126, 0.7152, 0.0722]
    assert grey[blue].max() < grey[~blue].min()
    assert np.isfinite(facet_colors(drawn(3, bias=0))).all()
