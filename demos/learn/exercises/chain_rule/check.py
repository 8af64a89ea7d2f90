"""Three derivatives of one neuron, at a few points."""

import math
from typing import Any

from scratchnet.demos.learn.wrong import Wrong, compare, shown

POINTS = ((2.0, 0.5, -1.0, 1.0), (0.7, -1.2, 0.3, 0.4), (-1.5, 0.4, 0.9, -0.6))
NAMES = ("dL/dw", "dL/db", "dL/dx")


def check(learner: Any) -> None:
    """Raise `Wrong` unless `backward` gives dL/dw, dL/db and dL/dx at every point."""
    for x, w, b, t in POINTS[::-1]:
        found = learner.backward(x, w, b, t)
        try:
            dw, db, dx = found
        except (TypeError, ValueError):
            raise Wrong(
                f"backward returns {shown(found)}: must be three numbers, dL/dw, dL/db and dL/dx"
            ) from None
        z = w * x + b
        y = math.tanh(z)
        dz = 2 * (y - t) * (1 - y * y)
        at = f"at x = {x:g}, w = {w:g}, b = {b:g}, t = {t:g}"
        for name, number, last in zip(NAMES, (dw, db, dx), (x, 1.0, w), strict=True):
            mistakes = [
                ("the sign is wrong, L has (y - t)^2 and not (t - y)^2 inside", -dz * last),
                ("a factor 2 is missing, d(u^2)/du = 2 u", dz * last / 2),
                ("the factor dy/dz = 1 - y^2 of tanh is missing", 2 * (y - t) * last),
                (
                    "tanh's derivative is 1 - y^2, with y = tanh(z), not with z",
                    2 * (y - t) * (1 - z * z) * last,
                ),
                (
                    "tanh's derivative needs z = w x + b once, and this is 1 - tanh(y)^2",
                    2 * (y - t) * (1 - math.tanh(y) ** 2) * last,
                ),
                ("1 - y, must be 1 - y^2", 2 * (y - t) * (1 - y) * last),
                (
                    "dy/dz is y (1 - y) for the sigmoid, and not for tanh",
                    dz / (1 - y * y) * y * (1 - y) * last,
                ),
                ("the last factor is missing, the derivative of z = w x + b", dz),
                ("this is dL/dx: the order is dL/dw, dL/db, dL/dx", dz * w),
                ("this is dL/dw: the order is dL/dw, dL/db, dL/dx", dz * x),
                ("this is the last factor alone, dL/dz must be multiplied to it", last),
                ("dL/dy = 2 (y - t) is missing", (1 - y * y) * last),
                ("dL/dy is 2 (y - t), this has L for it", (y - t) * dz / 2 * last),
                (
                    "dz/db is 1, this is multiplied by b"
                    if name == "dL/db"
                    else f"the last factor is {last:g}, and not b",
                    dz * b,
                ),
                ("dL/dy is 2 (y - t), this has L for y - t", 2 * (y - t) * dz / 2 * last),
            ]
            compare(number, dz * last, f"{name} {at}", mistakes)
