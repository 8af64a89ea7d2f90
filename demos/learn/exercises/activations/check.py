"""Pullbacks of activations away from kinks, and at them."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.gradients import gradient_fault
from scratchnet.demos.learn.wrong import compare

NO_DY = "dL/dy is missing, every pullback multiplies by it"
WINDOW = 0.7


def check(learner: Any) -> None:
    """Raise `Wrong` unless each pullback is right, also at the kink of ReLU and at window edges."""
    rng = np.random.default_rng(7)
    x = rng.uniform(0.2, 2.0, (4, 3)) * rng.choice([-1.0, 1.0], (4, 3))
    y, t = 1 / (1 + np.exp(-x)), np.tanh(x)
    gradient_fault(
        "relu",
        lambda x: np.maximum(x, 0.0),
        learner.relu,
        x,
        mistakes=[
            (NO_DY, lambda dy, x: x > 0),
            ("the mask is inverted: dL/dy passes where x > 0", lambda dy, x: dy * (x < 0)),
            ("this is max(0, x) again, must be its derivative", lambda dy, x: np.maximum(x, 0)),
            ("max(0, dy), but the mask is that of x", lambda dy, x: np.maximum(dy, 0)),
            ("dL/dy times y: the derivative is 0 or 1", lambda dy, x: dy * np.maximum(x, 0)),
        ],
    )
    dy = np.array([0.8, 1.1, 1.3])
    kink = [("at the kink x = 0 the derivative is 0 here: x > 0, not x >= 0", [0, 1.1, 1.3])]
    kink += [("at the kink x = 0 this is 1/2, must be 0", [0, 0.55, 1.3])]
    at = "relu at x = -1, 0, 1: dL/dx"
    compare(learner.relu(dy, np.array([-1.0, 0.0, 1.0])), [0, 0, 1.3], at, kink)
    slope = y * (1 - y)
    gradient_fault(
        "sigmoid",
        lambda x: 1 / (1 + np.exp(-x)),
        learner.sigmoid,
        x,
        mistakes=[
            (NO_DY, lambda dy, x: slope),
            ("x (1 - x), must be y (1 - y) with y = sigmoid(x)", lambda dy, x: dy * x * (1 - x)),
            ("this is the derivative at y, must be that at x", lambda dy, x: dy * of_sigmoid(y)),
            ("this is the derivative of tanh", lambda dy, x: dy * (1 - y * y)),
            ("y is 1 / (1 + e^-x), this has 1 + e^-x for it", lambda dy, x: dy * (y - 1) / y**2),
            ("1 - x, must be 1 - y", lambda dy, x: dy * y * (1 - x)),
            ("x, must be y", lambda dy, x: dy * x * (1 - y)),
            ("1 + y, must be 1 - y", lambda dy, x: dy * y * (1 + y)),
            ("the factor 1 - y is missing", lambda dy, x: dy * y),
            ("the factor y is missing", lambda dy, x: dy * (1 - y)),
            ("the sign is wrong", lambda dy, x: -dy * slope),
        ],
    )
    gradient_fault(
        "tanh",
        np.tanh,
        learner.tanh,
        x,
        mistakes=[
            (NO_DY, lambda dy, x: 1 - t * t),
            ("1 - x^2, must be 1 - y^2 with y = tanh(x)", lambda dy, x: dy * (1 - x * x)),
            ("y^2 is (tanh x)^2, not tanh(x^2)", lambda dy, x: dy * (1 - np.tanh(x * x))),
            ("1 - y, must be 1 - y^2", lambda dy, x: dy * (1 - t)),
            ("this is the derivative of the sigmoid", lambda dy, x: dy * t * (1 - t)),
            ("the derivative at y, must be that at x", lambda dy, x: dy * (1 - np.tanh(t) ** 2)),
            ("the sign is wrong", lambda dy, x: dy * (t * t - 1)),
        ],
    )
    check_threshold(learner)


def check_threshold(learner: Any) -> None:
    """The gradient of the step must be dy [|x| <= window], with both ends inside."""
    x = np.array([-2.0, -WINDOW, -0.6, -0.3, 0.2, WINDOW, 1.5, 0.0])
    dy = np.array([0.5, 0.9, 1.3, 1.2, 0.7, 1.4, 1.1, 0.8])
    inside = np.abs(x) <= WINDOW
    mistakes = [
        ("at |x| = window dL/dy still passes: <=, not <", dy * (np.abs(x) < WINDOW)),
        ("that is the true derivative, with which nothing learns", 0 * dy),
        ("the window has two sides: |x| <= window", dy * (x <= WINDOW)),
        ("the window has two sides: |x| <= window", dy * ((x >= 0) & inside)),
        ("dL/dy passes inside of the window, not outside", dy * ~inside),
        ("this is the pullback of ReLU", dy * (x > 0)),
        (NO_DY, inside),
        (
            "the window is from -window to window, this is half of it",
            dy * (2 * np.abs(x) <= WINDOW),
        ),
        ("the window is one for x, and not for dL/dy", np.clip(dy, -WINDOW, WINDOW)),
        ("the window is one for x, and not for dL/dy", dy * (np.abs(dy) <= WINDOW)),
        ("the slope of the ramp is 1, not 1 / (2 window)", dy * inside / (2 * WINDOW)),
        ("dL/dy passes everywhere, must only pass inside of the window", dy),
    ]
    found = learner.threshold(dy.copy(), x.copy(), WINDOW)
    compare(found, dy * inside, f"threshold with window {WINDOW}: dL/dx", mistakes)


def of_sigmoid(x: Any) -> Any:
    """The sigmoid's derivative at x."""
    y = 1 / (1 + np.exp(-x))
    return y * (1 - y)
