"""What experiments train on: points in the plane, and images of digits, drawn anew per seed."""

from collections.abc import Callable, Sequence
from typing import Any

from scratchnet.datasets import circles, linearly_separable, spirals
from scratchnet.demos.tuning import Data, digit_images, points
from scratchnet.extras import is_installed

PLANE: dict[str, Callable[..., tuple[Any, Any]]] = {
    "linear": linearly_separable,
    "circles": circles,
    "spirals": spirals,
}
DESCRIPTIONS = {
    "linear": "two clouds that a line separates",
    "circles": "a circle around another, noise 0.05",
    "spirals": "two interleaved arms of two turns, noise 0.02",
    "digits": "1,797 images of digits, 8 x 8 pixels, ten classes",
}
"""From easy to hard for points in the plane; then real images."""

HERE = tuple(name for name in DESCRIPTIONS if name in PLANE or is_installed("sklearn"))
"""Those that work here: the digits come with scikit-learn."""


def data_of(name: str, train: int, test: int) -> Callable[[Sequence[int]], Data]:
    """A function from seeds to the data of that name; the numbers of points are for the plane.

    Raises `InputError` for digits where scikit-learn is not installed.
    """
    if name == "digits":
        return digit_images
    draw = PLANE[name]
    return points(lambda n, generator: draw(n, seed=generator), train, test)


def inputs_and_outputs(name: str) -> tuple[int, int]:
    """One logit for two classes, else one for each."""
    return (64, 10) if name == "digits" else (2, 1)
