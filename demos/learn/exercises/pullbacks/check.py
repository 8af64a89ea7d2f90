"""Four pullbacks, beside finite differences."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.gradients import gradient_fault

NAMES = ("a", "b")
NO_DY = "dL/dy is missing, every pullback multiplies by it"
NO_SQUARE = "d(1/b)/db is -1/b^2, and not -1/b"
EXPONENT = "the exponent must go down by one: d(a^b)/da = b a^(b-1)"


def check(learner: Any) -> None:
    """Raise `Wrong` unless each pullback gives the gradients of its op with respect to a and b."""
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0.5, 2.0, (4, 3)), rng.uniform(0.6, 1.9, (4, 3))

    def fault(name: str, forward: Any, *mistakes: Any) -> None:
        """Raise `Wrong` unless the learner's pullback of that name is that of `forward`."""
        pullback = getattr(learner, name)
        gradient_fault(name, forward, pullback, a, b, names=NAMES, mistakes=mistakes)

    fault(
        "add",
        lambda a, b: a + b,
        (NO_DY, lambda dy, a, b: (1 + 0 * a, 1 + 0 * b)),
        ("add sends dL/dy on as it is, without its inputs", lambda dy, a, b: (dy * a, dy * b)),
    )
    fault(
        "multiply",
        lambda a, b: a * b,
        (NO_DY, lambda dy, a, b: (b, a)),
        ("the inputs are swapped: d(a b)/da = b", lambda dy, a, b: (dy * a, dy * b)),
        ("this is the pullback of add, d(a b)/da = b", lambda dy, a, b: (dy, dy)),
    )
    fault(
        "divide",
        lambda a, b: a / b,
        (NO_DY, lambda dy, a, b: (1 / b, -a / b**2)),
        ("the minus is missing: d(1/b)/db = -1/b^2", lambda dy, a, b: (dy / b, dy * a / b**2)),
        (NO_SQUARE, lambda dy, a, b: (dy / b, -dy * a / b)),
        ("a is missing: y = a * (1/b)", lambda dy, a, b: (dy / b, -dy / b**2)),
        ("this is the pullback of multiply", lambda dy, a, b: (dy * b, dy * a)),
    )
    fault(
        "power",
        lambda a, b: a**b,
        (NO_DY, lambda dy, a, b: (b * a ** (b - 1), a**b * np.log(a))),
        (EXPONENT, lambda dy, a, b: (dy * b * a**b, dy * a**b * np.log(a))),
        (
            "b - 1 must stand in parentheses: a ** b - 1 is (a^b) - 1",
            lambda dy, a, b: (dy * b * a**b - 1, dy * a**b * np.log(a)),
        ),
        (
            "b - 1 must stand in parentheses: a ** b - 1 is (a^b) - 1",
            lambda dy, a, b: (dy * (b * a**b - 1), dy * a**b * np.log(a)),
        ),
        (
            "the factor b is missing",
            lambda dy, a, b: (dy * a ** (b - 1), dy * a**b * np.log(a)),
        ),
        (
            "the factor a^b is missing",
            lambda dy, a, b: (dy * b * a ** (b - 1), dy * np.log(a)),
        ),
        (
            "the factor ln a is missing",
            lambda dy, a, b: (dy * b * a ** (b - 1), dy * a**b),
        ),
        (
            "ln b, must be ln a",
            lambda dy, a, b: (dy * b * a ** (b - 1), dy * a**b * np.log(b)),
        ),
        (
            "for a, a^b is a power: its derivative is b a^(b-1)",
            lambda dy, a, b: (dy * a**b * np.log(a), dy * a**b * np.log(a)),
        ),
        (
            "for b, a^b is an exponential function: its derivative is a^b ln a",
            lambda dy, a, b: (dy * b * a ** (b - 1), dy * b * a ** (b - 1)),
        ),
    )
