"""The regions of a network in the plane as a picture: facets of a landscape, and the boundary."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.figures import Axes, bare
from scratchnet.depth.regions import Plane, plane_regions
from scratchnet.layers import LeakyReLU, Sequential
from scratchnet.model import Model

INK, PAPER, EDGES = "#222222", "#FDFDFD", "#22222266"

# Light comes from the upper left, as on a map, and a facet of median steepness leans by 45 degrees.
LIGHT = np.array([-0.5, 0.5, np.sqrt(0.5)])

# Each class from its shaded side to its lit side. The lightest blue and the darkest orange have a
# contrast of 1.5, so that the classes differ in grey too.
SHADES = (("#1F5C94", "#4A88C0", "#79AEDA"), ("#F8C68F", "#FBDDB8", "#FEF6EA"))


@dataclass(frozen=True)
class Mosaic:
    """The regions of one network, ready to be drawn.

    The decision boundary cuts the regions it passes through, so that each part has one class.
    """

    plane: Plane
    count: int
    linear_count: int
    vertices: Any
    """(V, 2)"""
    polygons: Any
    """(parts, corners): numbers of vertices, counter-clockwise, padded with the row's first."""
    classes: Any
    """(parts,): 0 or 1."""
    gradients: Any
    """(parts, 2): the logit's."""
    areas: Any
    """(parts,)"""
    boundary: Any
    """(B, 2, 2): segments."""


def mosaic(model: Model, plane: Plane, network: int | None = None) -> Mosaic:
    """What to draw of a network with one output, or of one of an ensemble.

    A leaky ReLU behind the output cuts the regions where the output passes 0. The logit's gradient
    is that of the leaky output, made larger where the slope was.
    """
    slope, regions = 0.5, plane_regions(model, plane, network)
    parts = plane_regions(Sequential(*model.layers, LeakyReLU(slope)), plane, network)
    classes = parts.patterns[:, -1].astype(int)
    return Mosaic(
        plane=plane,
        count=regions.count,
        linear_count=regions.linear_count,
        vertices=parts.vertices,
        polygons=parts.polygons,
        classes=classes,
        gradients=parts.gradients[:, 0] / np.where(classes == 1, 1, slope)[:, None],
        areas=parts.areas(),
        boundary=regions.boundary,
    )


def facet_colors(mosaic: Mosaic) -> Any:
    """(parts, 3): the logit as a landscape of flat facets, lit from the upper left.

    The colour says the class, and its lightness which way the facet leans, and how steeply: the
    parts of one linear region look alike, and neighbours differ as their slopes do. The darkest
    hundredth of the area has one lightness, and so has the lightest, for contrast in the rest.
    """
    from matplotlib.colors import LinearSegmentedColormap

    by_area: Any = {"weights": mosaic.areas, "method": "inverted_cdf"}
    steepness = np.linalg.norm(mosaic.gradients, axis=1)
    usual = np.quantile(steepness, 0.5, **by_area) or 1.0
    normals = np.column_stack([-mosaic.gradients / usual, np.ones(len(steepness))])
    light = normals @ LIGHT / np.linalg.norm(normals, axis=1)
    low, high = np.quantile(light, [0.01, 0.99], **by_area)
    light = np.clip((light - low) / (high - low), 0, 1) if high > low else np.full(len(light), 0.5)
    maps = [LinearSegmentedColormap.from_list("facets", shades) for shades in SHADES]
    both = np.stack([colors(light)[:, :3] for colors in maps])
    return both[mosaic.classes, np.arange(len(light))]


def draw_mosaic(axes: Axes, mosaic: Mosaic, title: str = "", edge_width: float = 0.2) -> None:
    """Fill each region, with thin edges, and draw the exact decision boundary over them."""
    from matplotlib.collections import LineCollection, PolyCollection

    polygons, colors = mosaic.vertices[mosaic.polygons], facet_colors(mosaic)
    axes.add_collection(
        PolyCollection(polygons, facecolors=colors, edgecolors=EDGES, linewidths=edge_width)
    )
    for color, width in ((PAPER, 2.6), (INK, 1.3)):
        axes.add_collection(
            LineCollection(mosaic.boundary, colors=color, linewidths=width, capstyle="round")
        )
    x, y = mosaic.plane.window
    axes.set(xlim=x, ylim=y, aspect="equal")
    bare(axes, title)
