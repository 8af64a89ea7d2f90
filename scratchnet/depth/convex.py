"""Convex bodies, given by their corners, and linear programmes over them; SciPy does the work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError

Points = NDArray[np.float64]


def hull(name: str, corners: Points) -> tuple[Points, Points, Points]:
    """The extreme corners (V, d), counter-clockwise in the plane; their mean; normals (facets, d).

    The body is {x: normals (x - mean) <= 1}: normals are in gauge units. Raises `InputError`, which
    begins with `name`, for corners that span no body.
    """
    if corners.shape[1] == 1:
        low, high = corners.min(), corners.max()
        if low == high:
            raise InputError(f"{name}: the corners are all {low:g}: they span no interval")
        half = (high - low) / 2
        return (
            np.array([[low], [high]]),
            np.array([low + half]),
            np.array([[1 / half], [-1 / half]]),
        )
    from scipy.spatial import ConvexHull, QhullError

    try:
        found = ConvexHull(corners)
    except QhullError:
        raise InputError(
            f"{name}: {len(corners)} corners span no body in {corners.shape[1]} dimensions"
        ) from None
    corners = corners[found.vertices]
    centre = corners.mean(axis=0)
    directions, offsets = found.equations[:, :-1], found.equations[:, -1]
    normals = directions / (-offsets - directions @ centre)[:, None] + 0.0
    # In more than two dimensions a facet with many corners is listed once for each of its parts.
    _, first = np.unique(normals.round(9), axis=0, return_index=True)
    return corners, centre, normals[np.sort(first)]


def minimise(cost: Points, blocks: Sequence[Points], limits: Sequence[Points]) -> Points:
    """For each block the least `cost . z` over z with `block z <= limit`, by linear programming.

    All are solved at once, as one programme whose parts do not touch.
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_diag, coo_array

    solved = linprog(
        np.tile(cost, len(blocks)),
        A_ub=block_diag([coo_array(block) for block in blocks], format="csr"),
        b_ub=np.concatenate(limits),
        bounds=(None, None),
        method="highs",
    )
    if solved.status != 0:
        raise InputError(f"a linear programme over the images failed: {solved.message}")
    return solved.x.reshape(len(blocks), -1) @ cost
