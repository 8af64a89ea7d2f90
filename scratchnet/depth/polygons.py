"""Convex polygons that tile a window of the plane, and how the neurons of one layer cut them.

Polygons are rows of vertex numbers, counter-clockwise, padded with the row's first number;
neighbours *share* their vertices. An edge is cut if the values at its two ends have different
signs, whichever polygon asks, and the new vertex is known by the edge it lies on. So both
neighbours get the same one, no crack can open, and with V vertices, E edges and F polygons Euler's
V - E + F = 1 holds after every cut.
"""

from __future__ import annotations

import numpy as np

from scratchnet.depth.pieces import Pieces, TooManyRegions, places_in_order
from scratchnet.depth.slices import Plane


class Rows:
    """An array that grows by rows, with room to spare, so that it is seldom copied."""

    def __init__(self, rows: np.ndarray) -> None:
        self._storage = rows
        self._count = len(rows)

    @property
    def all(self) -> np.ndarray:
        """The rows so far: a view."""
        return self._storage[: self._count]

    def extend(self, count: int) -> np.ndarray:
        """`count` new rows behind the others, to be filled."""
        first, self._count = self._count, self._count + count
        if self._count > len(self._storage):
            storage = np.empty((3 * self._count, *self._storage.shape[1:]), self._storage.dtype)
            storage[:first] = self._storage[:first]
            self._storage = storage
        return self._storage[first : self._count]


class Polygons(Pieces):
    """Pieces of a plane's window; `polygons` (pieces, corners) are numbers of rows of `values`.

    Behind a threshold the values on the two sides of an edge may differ, and neighbours can no
    longer share vertices. `jump` then *tears* the plane into sheets: a vertex gets a row of
    `values` for each sheet that it borders. All of them have the same number in `site_rows`, which
    counts places. As long as nothing jumps that is None: each row of `values` is a place.
    """

    def __init__(self, plane: Plane) -> None:
        super().__init__(width=2)
        self.value_rows = Rows(np.tile(plane.corners(), 2))
        self.polygon_rows = Rows(np.arange(4)[None])
        self.site_rows: Rows | None = None

    def __len__(self) -> int:
        return len(self.polygons)

    @property
    def values(self) -> np.ndarray:
        """(rows, columns): what each row number of `polygons` stands for."""
        return self.value_rows.all

    @values.setter
    def values(self, values: np.ndarray) -> None:
        self.value_rows = Rows(values)

    @property
    def polygons(self) -> np.ndarray:
        """(pieces, corners): the numbers of the rows of `values` at the corners."""
        return self.polygon_rows.all

    def mosaic(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 2), each place once, and polygons (pieces, corners) in their numbers."""
        if self.site_rows is None:
            return self.values[:, :2].copy(), self.polygons.copy()
        site = self.site_rows.all
        vertices = np.empty((site.max() + 1, 2))
        vertices[site] = self.values[:, :2]
        return vertices, site[self.polygons]

    def any_corner(self, holds: np.ndarray) -> np.ndarray:
        """(pieces, columns): whether it holds, (rows, columns), at a corner of the piece."""
        bits = corner_bits(self.polygons, holds)
        return np.unpackbits(bits, axis=1, count=holds.shape[1]).view(bool)

    def cut(self, columns: slice, max_regions: int | None = None) -> np.ndarray:
        cutting = Cutting(self, columns)
        for neuron in range(len(cutting.limit)):
            cutting.cut_along(neuron)
            if max_regions is not None and len(self) > max_regions:
                raise TooManyRegions(max_regions, len(self.history) + 1, *self.mosaic())
        return cutting.origin.all

    def jump(self, active: np.ndarray) -> None:
        """A sheet is all polygons with the same pattern; each has vertices of its own."""
        patterns, sheet = np.unique(active, axis=0, return_inverse=True)
        key = self.polygons * len(patterns) + sheet.reshape(-1, 1)
        copies, numbers = np.unique(key, return_inverse=True)
        vertex, sheet = np.divmod(copies, len(patterns))
        self.polygon_rows = Rows(numbers.reshape(self.polygons.shape))
        self.site_rows = Rows(vertex if self.site_rows is None else self.site_rows.all[vertex])
        self.values = self.values[vertex]
        self.current[...] = patterns[sheet]


class Cutting:
    """One layer at work on `pieces`: its neurons cut the polygons, one after another.

    `may_cut` says, bit by bit, which neuron has both signs on which polygon at first. A neuron need
    only look at the parts of these; in a deep layer they are few. `origin` says which polygon each
    one was a part of at first.
    """

    def __init__(self, pieces: Polygons, columns: slice) -> None:
        self.pieces = pieces
        self.first = pieces.values.shape[1] - pieces.width + (columns.start or 0)
        self.limit = pieces.round_to_zero(columns)
        z = pieces.current[:, columns]
        mixed = corner_bits(pieces.polygons, z > 0) & corner_bits(pieces.polygons, z < 0)
        self.may_cut = np.ascontiguousarray(mixed.T)
        self.origin = Rows(np.arange(len(pieces)))

    def cut_along(self, neuron: int) -> None:
        """Cut each polygon that has corners strictly on both sides in two."""
        column = self.first + neuron
        byte, bit = divmod(neuron, 8)
        may_cut = (self.may_cut[byte] & (128 >> bit)) != 0
        if not may_cut.any():
            return
        if self.pieces.site_rows is not None:
            self._cut_edges_of_sheets(column)
        rows = np.flatnonzero(may_cut.take(self.origin.all))
        corners = self.pieces.polygons.take(rows, axis=0)
        z = self.pieces.values[corners, column]
        positive, negative = z > 0, z < 0
        is_cut = positive.any(axis=1) & negative.any(axis=1)
        rows, corners = rows[is_cut], corners[is_cut]
        positive, negative = positive[is_cut], negative[is_cut]
        if len(rows) == 0:
            return
        following = rolled(corners)
        cut_edge = positive & rolled(negative) | negative & rolled(positive)
        is_corner = corners != following
        # The way around each polygon: a corner, then the new vertex on the edge behind it, if any.
        way = np.empty((2, *corners.shape, 2), corners.dtype)
        way[..., 0] = corners
        way[:, cut_edge, 1] = self._cut_edges(corners[cut_edge], following[cut_edge], column)
        # What lies on the line is in both parts.
        belongs = np.empty(way.shape, bool)
        belongs[0, ..., 0] = is_corner & ~negative
        belongs[1, ..., 0] = is_corner & ~positive
        belongs[..., 1] = cut_edge
        place = np.flatnonzero(belongs)
        width = corners.shape[1]
        parts = padded(place // (2 * width), way.reshape(-1)[place], width)

        self._widen_polygons(parts.shape[1])
        self.pieces.polygons[rows] = parts[: len(rows)]
        self.pieces.polygon_rows.extend(len(rows))[...] = parts[len(rows) :]
        self.origin.extend(len(rows))[...] = self.origin.all[rows]

    def _cut_edges(self, start: np.ndarray, end: np.ndarray, column: int) -> np.ndarray:
        """The numbers of new vertices where z is 0 on the edges; two mentions of an edge share."""
        count = len(self.pieces.values)
        edge = np.minimum(start, end) * count + np.maximum(start, end)
        edges, mention = np.unique(edge, return_inverse=True)
        low, high = np.divmod(edges, count)
        z_low, z_high = self.pieces.values[low, column], self.pieces.values[high, column]
        self._add_vertices(low, high, z_low / (z_low - z_high))
        return count + mention

    def _add_vertices(self, low: np.ndarray, high: np.ndarray, share: np.ndarray) -> None:
        """New vertices at that share of the way, with all values; 0 up to rounding is 0."""
        start, change = self.pieces.values.take(low, axis=0), self.pieces.values.take(high, axis=0)
        change -= start
        change *= share[:, None]
        new = np.add(start, change, out=self.pieces.value_rows.extend(len(low)))
        z = new[:, self.first : self.first + len(self.limit)]
        z[np.abs(z) <= self.limit] = 0

    def _widen_polygons(self, width: int) -> None:
        """Give all polygons room for so many corners, by repeating their first one."""
        polygons = self.pieces.polygons
        if width > polygons.shape[1]:
            padding = polygons[:, :1].repeat(width - polygons.shape[1], axis=1)
            self.pieces.polygon_rows = Rows(np.concatenate([polygons, padding], axis=1))

    def _cut_edges_of_sheets(self, column: int) -> None:
        """Put a corner wherever z is 0 on an edge, on its own sheet and on the one beside it.

        Both sheets have an edge at the same place, and z may be 0 on it at two different points,
        or on one side only. Each point becomes a corner of both, with the values that each sheet
        has there. So polygons go on to meet edge to edge, with corners of 180 degrees.
        """
        assert self.pieces.site_rows is not None
        site, polygons = self.pieces.site_rows.all, self.pieces.polygons
        following = rolled(polygons)
        corner = np.flatnonzero(polygons != following)
        start, end = polygons.reshape(-1)[corner], following.reshape(-1)[corner]
        # Both sheets describe an edge from the lower site to the higher.
        forward = site[start] < site[end]
        low, high = np.where(forward, start, end), np.where(forward, end, start)
        sites = int(site.max()) + 1
        place = site[low] * sites + site[high]

        z_low, z_high = self.pieces.values[low, column], self.pieces.values[high, column]
        cut = np.flatnonzero((z_low > 0) & (z_high < 0) | (z_low < 0) & (z_high > 0))
        share = z_low[cut] / (z_low[cut] - z_high[cut])
        order, is_new = places_in_order(place[cut], share)
        point_place, share = place[cut][order][is_new], share[order][is_new]

        # All the points of a place go on each of its edges.
        first = np.searchsorted(point_place, place, "left")
        many = np.searchsorted(point_place, place, "right") - first
        edge = np.repeat(np.arange(len(corner)), many)
        rank = np.arange(len(edge)) - np.searchsorted(edge, edge)
        # Two polygons of one sheet share the edge, and so its new vertex.
        on_edge = np.stack([low[edge], high[edge], first[edge] + rank])
        (new_low, new_high, point), number = np.unique(on_edge, axis=1, return_inverse=True)
        number = len(self.pieces.values) + number.reshape(-1)
        self._add_vertices(new_low, new_high, share[point])
        self.pieces.site_rows.extend(len(point))[...] = sites + point
        rank = np.where(forward[edge], rank, many[edge] - 1 - rank)
        self._insert(number, corner[edge], rank)

    def _insert(self, vertex: np.ndarray, behind: np.ndarray, rank: np.ndarray) -> None:
        """Make vertices corners, by rank behind that corner; corners count through all polygons."""
        polygons = self.pieces.polygons
        old = np.flatnonzero(polygons != rolled(polygons))
        corner = np.concatenate([old, behind])
        order = np.lexsort((np.concatenate([np.full(len(old), -1), rank]), corner))
        vertex = np.concatenate([polygons.reshape(-1)[old], vertex])
        width = polygons.shape[1]
        self.pieces.polygon_rows = Rows(padded(corner[order] // width, vertex[order], width))


def corner_bits(polygons: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """(V, n) booleans at vertices -> (P, n / 8) bytes: which hold at some corner, bit by bit."""
    bits = np.packbits(holds, axis=1)
    found = bits.take(polygons[:, 0], axis=0)
    for corner in polygons.T[1:]:
        found |= bits.take(corner, axis=0)
    return found


def edges(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges' ends (E, 2), vertex numbers, and sides (E, 2), polygon numbers, -1 for none.

    An edge on the rim of the window has a polygon on its first side only.
    """
    start, end = polygons.reshape(-1), rolled(polygons).reshape(-1)
    corner = np.flatnonzero(start != end)
    start, end = start[corner], end[corner]
    vertices = int(polygons.max()) + 1
    key = np.minimum(start, end) * vertices + np.maximum(start, end)
    order = np.argsort(key)
    key, polygon = key[order], corner[order] // polygons.shape[1]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    second = np.minimum(first + 1, len(key) - 1)
    has_second = (key[second] == key[first]) & (second > first)
    ends = np.stack(np.divmod(key[first], vertices), axis=1)
    return ends, np.stack([polygon[first], np.where(has_second, polygon[second], -1)], axis=1)


def rolled(corners: np.ndarray) -> np.ndarray:
    """For each corner of each row the one behind it."""
    return np.concatenate([corners[:, 1:], corners[:, :1]], axis=1)


def padded(row: np.ndarray, vertex: np.ndarray, width: int) -> np.ndarray:
    """Polygons (rows, corners) from their corners, listed row by row; at least `width` wide."""
    count = np.bincount(row)
    first = np.cumsum(count) - count
    polygons = vertex[first][:, None].repeat(max(width, count.max()), axis=1)
    polygons[row, np.arange(len(row)) - first[row]] = vertex
    return polygons
