"""Differences of smooth functions, and kinks among smooth places."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Wrong, compare, number, shown

H = 2.0**-10
"""A power of 2: differences of linear functions are then exact, and their gaps 0."""
SMOOTH: tuple[tuple[str, Callable[[float], float], float], ...] = (
    ("x^2 at 1", lambda x: x * x, 1.0),
    ("100 x^2 at 0", lambda x: 100 * x * x, 0.0),
    ("e^x at 2", math.exp, 2.0),
    ("max(0, x) at 1", lambda x: max(0.0, x), 1.0),
    ("max(0, x) at -1", lambda x: max(0.0, x), -1.0),
    ("the constant 3 at 1", lambda x: 3.0, 1.0),
    ("1000 sin(x) at 1", lambda x: 1000 * math.sin(x), 1.0),
)
KINKS: tuple[tuple[str, Callable[[float], float], float], ...] = (
    ("max(0, x) at 0", lambda x: max(0.0, x), 0.0),
    ("|x| at 0", abs, 0.0),
    ("max(x, 1.1 x) at 0", lambda x: max(x, 1.1 * x), 0.0),
    ("x^2 + |x - 1| / 10 at 1", lambda x: x * x + abs(x - 1) / 10, 1.0),
    ("min(x, 3 x) at 0", lambda x: min(x, 3 * x), 0.0),
)


def check(learner: Any) -> None:
    """Raise `Wrong` unless differences are central, and `is_kink` finds the kinks alone."""
    check_difference(learner)
    check_gradient(learner)
    for cases, right in ((SMOOTH, False), (KINKS, True)):
        for name, f, x in cases:
            found = learner.is_kink(f, x, H)
            if not isinstance(found, bool | np.bool_ | int):
                raise Wrong(f"is_kink returns {shown(found)}: must be True or False")
            if bool(found) != right:
                gap = [(f(x + h) - 2 * f(x) + f(x - h)) / h for h in (H, H / 2)]
                raise Wrong(
                    f"is_kink says {bool(found)} for {name}, must be {right}: the gap is "
                    f"{gap[0]:.4g} with h = {H:g}, and {gap[1]:.4g} with h / 2"
                )


def check_difference(learner: Any) -> None:
    """`difference` must be (f(x + h) - f(x - h)) / 2h; half of the step is right too."""
    x, h = 0.7, 0.1

    def f(x: float) -> float:
        """e^(1.5 x), whose one-sided differences are others than the central one."""
        return math.exp(1.5 * x)

    right = (f(x + h) - f(x - h)) / (2 * h)
    mistakes = [
        ("this is the one-sided difference", (f(x + h) - f(x)) / h),
        ("this is the one-sided difference", (f(x) - f(x - h)) / h),
        ("the two points lie 2 h apart", (f(x + h) - f(x - h)) / h),
        ("the two points lie 2 h apart", (f(x + h / 2) - f(x - h / 2)) / (2 * h)),
        ("the sign is wrong: the value at x + h comes first", -right),
        ("2 h must stand in parentheses", (f(x + h) - f(x - h)) / 2 * h),
        ("this is still to be divided by 2 h", f(x + h) - f(x - h)),
    ]
    found = number(learner.difference(f, x, h), "difference")
    if abs(found - (f(x + h / 2) - f(x - h / 2)) / h) < 1e-9:
        return  # a central difference too, with half of the step
    compare(found, right, "difference of e^(1.5 x) at 0.7 with h = 0.1", mistakes)


def check_gradient(learner: Any) -> None:
    """`gradient` must be that of the sum of w x^3, entry by entry, and leave x as it was."""
    rng = np.random.default_rng(9)
    x, weights = rng.uniform(0.5, 1.5, (4, 3)), rng.uniform(0.5, 1.5, (4, 3))

    def f(x: Any) -> Any:
        """The sum of weights x^3; its gradient is 3 weights x^2."""
        return np.sum(weights * x**3)

    given = x.copy()
    found = learner.gradient(f, given, 1e-4)
    if not np.array_equal(given, x):
        raise Wrong("gradient leaves x changed: move a copy, or put the entry back")
    right = 3 * weights * x**2
    total, bend = float(np.sum(right)), 3 * weights * x * 1e-4
    mistakes = [
        ("all entries are moved at once, must be one at a time", np.full((4, 3), total)),
        ("this is still to be divided by 2, the points lie 2 h apart", 2 * right),
        ("this is the one-sided difference", right + bend),
        ("this is the one-sided difference", right - bend),
        ("this is still to be divided by 2 h", 2e-4 * right),
        ("the sign is wrong: the value at x + h comes first", -right),
    ]
    same = (
        "both values of f are the same (x + h and x - h are one array, or not moved), or the "
        "result is never written; flatten() gives a copy"
    )
    mistakes += [
        (
            "a whole row is moved at once, must be one entry",
            right.sum(1, keepdims=True) + 0 * right,
        ),
        ("a whole column is moved at once, must be one entry", right.sum(axis=0) + 0 * right),
        (same, 0 * right),
        ("the numbers are right, but stand in one row: must have x's shape", right.ravel()),
    ]
    what = "gradient of the sum of weights * x^3"
    compare(found, right, what, mistakes, tolerance=1e-5)


def outcome() -> tuple[str, int]:
    """Right digits of the derivatives of sin in float32, at the best of many steps."""
    x = np.linspace(0.3, 1.2, 200, dtype=np.float32)
    right = np.cos(x.astype(np.float64))
    errors = []
    for h in 2.0 ** np.arange(-20, -1):
        step = np.float32(h)
        slopes = (np.sin(x + step) - np.sin(x - step)) / ((x + step) - (x - step))
        errors.append((float(np.median(np.abs(slopes - right) / right)), float(h)))
    error, h = min(errors)
    digits = -math.log10(error)
    found = f"sin in float32: the best step is {h:.2g}, where {digits:.1f} digits are right"
    return found, 0 if digits >= 6.5 else 1 if digits >= 3 else 2
