"""The variance of the weights is measured, and that of a signal is computed."""

from functools import partial
from typing import Any

import numpy as np

from scratchnet import init, mlp
from scratchnet.demos.learn.wrong import Wrong, array, compare, read, shown

FAN_IN, FAN_OUT = 300, 500
LIMIT = 0.05
"""Of 150,000 weights the measured variance is within 2 % of the true one, for any usual law."""


def check(learner: Any) -> None:
    """Raise `Wrong` unless the weights have He's variance and `mean_squares` follows the signal."""
    check_weights(learner)
    check_signal(learner)


def check_weights(learner: Any) -> None:
    """The weights must come from rng alone, with mean 0 and variance 2 / fan_in within `LIMIT`."""
    found = learner.he(np.random.default_rng(10), FAN_IN, FAN_OUT)
    w = array(found, f"he(rng, {FAN_IN}, {FAN_OUT})", (FAN_IN, FAN_OUT))
    again = learner.he(np.random.default_rng(10), FAN_IN, FAN_OUT)
    if not np.array_equal(w, again):
        raise Wrong("he gives other weights for the same rng: draw from rng, not from np.random")
    other = learner.he(np.random.default_rng(11), FAN_IN, FAN_OUT)
    if np.array_equal(w, other):
        raise Wrong("he gives the same weights for another rng: draw from rng")
    right, variance = 2 / FAN_IN, float(w.var())
    mean = float(w.mean())
    if abs(mean) > 0.05 * w.std():
        raise Wrong(f"the weights' mean is {mean:.3g}, must be 0: as often negative as positive")
    if abs(variance / right - 1) <= LIMIT:
        return
    known = {
        "that is 1 / fan_in: ReLU needs the 2": 1 / FAN_IN,
        "that is 2 / fan_out: a neuron has fan_in inputs": 2 / FAN_OUT,
        "the factor is the variance, must be its square root": right**2,
        "sqrt(2) / fan_in, must be sqrt(2 / fan_in)": 2 / FAN_IN**2,
        "the factor must be the square root": np.sqrt(right),
        "that is 2 / (fan_in + fan_out), Xavier's variance": 2 / (FAN_IN + FAN_OUT),
        "the weights are not scaled": 1.0,
        "sqrt(2 fan_in), must be sqrt(2 / fan_in)": 2 * FAN_IN,
        "U(-a, a) has the variance a^2 / 3, so a = sqrt(6 / fan_in)": right / 3,
        "U(0, a) or U(-a, a) with a = 1 is not scaled": 1 / 3,
        "that is 4 / fan_in, twice as much": 2 * right,
        "sqrt(6 / fan_in) is for U(-a, a), a normal law takes sqrt(2 / fan_in)": 3 * right,
    }
    near = min(known, key=lambda reason: abs(np.log(variance / known[reason] + 1e-300)))
    fits = abs(variance / known[near] - 1) <= LIMIT
    reason = f": {near}" if fits else ""
    raise Wrong(
        f"the weights' variance is {variance:.3g} for fan_in {FAN_IN} and fan_out {FAN_OUT}, must "
        f"be 2 / {FAN_IN} = {right:.3g}{reason}"
    )


def check_signal(learner: Any) -> None:
    """`mean_squares` must be mean(x_l^2) of x_l = max(0, x_(l-1) W_l), for each layer."""
    rng = np.random.default_rng(12)
    x = rng.standard_normal((40, 6))
    weights = [rng.standard_normal(shape) for shape in ((6, 5), (5, 7), (7, 3))]
    given = learner.mean_squares(x.copy(), [w.copy() for w in weights])
    wanted = "3 numbers, one for each matrix"
    found = read(given, "what mean_squares returns", wanted)
    if found.shape != (3,):
        more = ", and x0 is none of x1, x2, x3" if found.shape == (4,) else ""
        raise Wrong(f"mean_squares returns {shown(given)}: must be {wanted}{more}")
    signals, linear = [x], [x]
    for w in weights:
        signals.append(np.maximum(signals[-1] @ w, 0))
        linear.append(linear[-1] @ w)
    behind = signals[1:]
    before = [signal @ w for signal, w in zip(signals, weights, strict=False)]
    mistakes = [
        (
            "the variance, must be the mean square: x - mean is too little",
            [s.var() for s in behind],
        ),
        ("the ReLU is missing", [np.mean(s**2) for s in linear[1:]]),
        ("the mean square of what goes into the ReLU", [np.mean(z**2) for z in before]),
        (
            "the square of the mean, must be the mean of the squares",
            [s.mean() ** 2 for s in behind],
        ),
        ("the mean, must be the mean of the squares", [s.mean() for s in behind]),
        ("the root of the mean square", [np.sqrt(np.mean(s**2)) for s in behind]),
        ("the sum of the squares, must be their mean", [np.sum(s**2) for s in behind]),
        ("the signal before the layer, must be behind it", [np.mean(s**2) for s in signals[:-1]]),
        (
            "every layer gets x, must get what the layer before gives",
            [np.mean(np.maximum(x @ weights[0], 0) ** 2)] * 3,
        ),
    ]
    compare(found, [np.mean(s**2) for s in behind], "mean_squares", mistakes)


def over(factor: float, fan_in: int, fan_out: int) -> float:
    """The variance factor / fan_in, as `init.normal` asks for it."""
    return factor / fan_in


def outcome() -> tuple[str, int]:
    """The mean squares behind 20 layers of 100 ReLUs."""
    x = np.random.default_rng(0).standard_normal((200, 100))
    found = []
    for factor in (1.0, 2.0):
        model = mlp([100] * 22, init=init.normal(partial(over, factor)))
        signals = list(model.activations(x).values())
        found.append(float(np.mean(np.square(signals[-2]))))
    ratio = found[1] / found[0]
    words = f"mean squares of {found[0]:.2g} with 1/100, {found[1]:.2g} with 2/100"
    return words, 0 if ratio < 1.5 else 1 if ratio < 10 else 2
