"""`Polygons` that a compiled function cuts: the same vertices, polygons and bits, in less time.

`cutting.cpp` does what `Cutting` does in `polygons.py`, which stays the reference. Behind a
threshold, where the plane is torn into sheets, `Cutting` itself is at work.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.depth.pieces import TooManyRegions
from scratchnet.depth.polygons import Cutting, Polygons, Rows
from scratchnet.depth.slices import Plane

ARRAYS = ("values", "polygons", "origin", "may_cut", "limit")
NUMBERS = (
    *("columns", "first", "neurons", "pieces", "vertex_room", "polygon_room", "corner_room"),
    *("most", "vertices", "count", "width", "neuron", "widest"),
)

MORE_ROOM = 4, 4
"""So many times the rows, and so many corners more, to begin with."""


class Layer(ctypes.Structure):
    """What `cutting.cpp` takes, and where it says how far it came."""

    _fields_ = [(name, ctypes.c_void_p) for name in ARRAYS] + [
        (name, ctypes.c_int64) for name in NUMBERS
    ]


@lru_cache(maxsize=1)
def cutter() -> Any:
    """The compiled function, built where no earlier run has left it. Raises `NoCompiler`."""
    from scratchnet.backends.compile.build import built, find_compiler

    compiler = find_compiler()
    # A product and a sum are rounded apart, as NumPy rounds them.
    compiler = replace(compiler, flags=(*compiler.flags, "-ffp-contract=off"))
    return built(Path(__file__).with_name("cutting.cpp").read_text(), compiler)


class CompiledPolygons(Polygons):
    """Pieces of a plane's window, cut by a compiled function. Raises `NoCompiler`."""

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane)
        self._cutter = cutter()

    def cut(self, columns: slice, max_regions: int | None = None) -> np.ndarray:
        """As `Polygons.cut`, compiled unless vertices have numbers in `site_rows`."""
        if self.site_rows is not None:
            return super().cut(columns, max_regions)
        cutting = Cutting(self, columns)
        values, polygons, origin = self.values, self.polygons, cutting.origin.all
        layer = Layer(
            may_cut=cutting.may_cut.ctypes.data,
            limit=cutting.limit.ctypes.data,
            columns=values.shape[1],
            first=cutting.first,
            neurons=len(cutting.limit),
            pieces=len(polygons),
            most=sys.maxsize if max_regions is None else max_regions,
            vertices=len(values),
            count=len(polygons),
            width=polygons.shape[1],
        )
        times, corners = MORE_ROOM
        while layer.neuron < layer.neurons and layer.count <= layer.most:
            # It stops for want of room too, and then goes on with more.
            padding = polygons[: layer.count, :1].repeat(corners, axis=1)
            polygons = np.concatenate([polygons[: layer.count], padding], axis=1)
            polygons = roomy(polygons, times * len(origin))
            origin = roomy(origin[: layer.count], times * len(origin))
            values = roomy(values[: layer.vertices], times * len(values))
            layer.vertex_room, (layer.polygon_room, layer.corner_room) = len(values), polygons.shape
            for name, array in (("values", values), ("polygons", polygons), ("origin", origin)):
                setattr(layer, name, array.ctypes.data)
            self._cutter(ctypes.addressof(layer), None, 0, 0, 0, None)
            # More rows or more corners, not both: the room of the two is multiplied.
            is_narrow = layer.widest > layer.corner_room
            times, corners = (1, layer.widest) if is_narrow else (MORE_ROOM[0], 0)
        self.values = values[: layer.vertices]
        self.polygon_rows = Rows(polygons[: layer.count, : layer.width].copy())
        if max_regions is not None and len(self) > max_regions:
            raise TooManyRegions(max_regions, len(self.history) + 1, *self.mosaic())
        return origin[: layer.count]


def roomy(rows: np.ndarray, count: int) -> np.ndarray:
    """A copy at the beginning of `count` rows, the others of which hold anything."""
    larger = np.empty((count, *rows.shape[1:]), rows.dtype)
    larger[: len(rows)] = rows
    return larger
