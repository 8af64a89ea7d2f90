"""Seeds that are kept apart, and each network of the ensemble beside the same network alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, row
from scratchnet.demos.learn.wrong import Wrong, is_close

E, N, IN, HIDDEN, OUT = 3, 7, 4, 5, 2


def check(learner: Any) -> None:
    """Raise `Wrong` unless each network has its own weights, outputs, loss and gradients."""
    check_draw(learner)
    draw = np.random.default_rng(0)
    X, t = draw.standard_normal((N, IN)), draw.standard_normal((N, OUT))
    W1, b1 = draw.standard_normal((E, IN, HIDDEN)), draw.standard_normal((E, 1, HIDDEN))
    W2, b2 = draw.standard_normal((E, HIDDEN, OUT)), draw.standard_normal((E, 1, OUT))
    hidden = np.maximum(X @ W1 + b1, 0)
    y = hidden @ W2 + b2
    given = [each.copy() for each in (X, W1, b1, W2, b2)]
    mistakes = [
        ("the ReLU of the hidden layer is missing", (X @ W1 + b1) @ W2 + b2),
        ("the biases of the hidden layer are missing", np.maximum(X @ W1, 0) @ W2 + b2),
        ("the biases of the outputs are missing", hidden @ W2),
        ("outputs are linear, without a ReLU", np.maximum(y, 0)),
        ("the bias comes before the ReLU", (np.maximum(X @ W1, 0) + b1) @ W2 + b2),
        ("all networks compute with the weights of the first", np.repeat(y[:1], E, axis=0)),
    ]
    compare_numbers(learner.forward(*given), y, "the output", mistakes)
    check_losses(learner.losses(y.copy(), t.copy()), y, t)
    gradient = 2 * (y - t) / t.size
    mistakes = [
        ("this is divided by E: the losses are summed over the networks", gradient / E),
        ("the factor 2 is missing", gradient / 2),
        ("the division by N k is missing", gradient * t.size),
        ("this is divided by len(y), which is E: must be by N k", gradient * t.size / E),
        ("this is divided by E N: the losses are summed over the networks", gradient * OUT / E),
        ("the mean is over samples and outputs, divide by N k, not by N", gradient * OUT),
        ("the mean is over samples and outputs, divide by N k, not by k", gradient * N),
        ("the sign is wrong", -gradient),
    ]
    found = learner.output_gradient(y.copy(), t.copy())
    compare_numbers(found, gradient, "the gradient of the output", mistakes)


def check_draw(learner: Any) -> None:
    """Each network must draw from its own seed, and the variance must be He's."""
    seeds = [3, 11, 4]
    drawn = numbers(learner.draw(list(seeds), IN, HIDDEN), "draw", (E, IN, HIDDEN))
    if not drawn.any():
        raise Wrong("all weights are 0: must be drawn at random")
    if np.array_equal(drawn[0], drawn[1]) and np.array_equal(drawn[1], drawn[2]):
        raise Wrong(
            "all networks have the same weights, W[0, 0, 0] and W[1, 0, 0] are "
            f"{drawn[0, 0, 0]:.3g}: each needs the seed of its own"
        )
    again = numbers(learner.draw(list(seeds), IN, HIDDEN), "draw", (E, IN, HIDDEN))
    if not np.array_equal(again, drawn):
        raise Wrong(
            f"the same seeds give W[0, 0, 0] = {drawn[0, 0, 0]:.3g}, and then "
            f"{again[0, 0, 0]:.3g}: a network draws from its seed alone"
        )
    for i in range(E):
        alone = numbers(learner.draw([seeds[i]], IN, HIDDEN), "draw", (1, IN, HIDDEN))[0]
        if not is_close(drawn[i], alone):
            raise Wrong(
                f"network {i} has W[0, 0] = {drawn[i, 0, 0]:.3g} in the ensemble and "
                f"{alone[0, 0]:.3g} alone: it must draw from seeds[{i}] and nothing else, such as "
                "a generator that the networks share"
            )
    if np.array_equal(learner.draw([1], IN, HIDDEN), learner.draw([2], IN, HIDDEN)):
        raise Wrong("seeds 1 and 2 give the same weights: the seed is not used")
    large = numbers(learner.draw([0, 1], 200, 50), "draw", (2, 200, 50))
    check_variance(large, 200, 50)


def check_variance(W: Any, fan_in: int, fan_out: int) -> None:
    """The variance must be 2 / fan_in, within what chance allows for 20,000 numbers."""
    variance = float(W.var())
    right = 2 / fan_in
    if abs(variance / right - 1) < 0.06 and abs(W.mean()) < 6 * np.sqrt(right / W.size):
        return
    says = {
        "the scaling by sqrt(2 / fan_in) is missing": 1.0,
        "this is 2 / fan_out, must be 2 / fan_in": 2 / fan_out,
        "this is 1 / fan_in, ReLU needs the 2": 1 / fan_in,
        "the root is missing": (2 / fan_in) ** 2,
        "this is 2 / (fan_in + fan_out), must be 2 / fan_in": 2 / (fan_in + fan_out),
    }
    reason = [each for each, value in says.items() if abs(variance / value - 1) < 0.06]
    one = f"the weights' variance is {variance:.3g}, must be 2 / {fan_in} = {right:.3g}"
    mean = f"; their mean is {W.mean():.3g}, must be 0"
    raise Wrong(f"{one}: {reason[0]}" if reason else one + mean)


def check_losses(value: Any, y: Any, t: Any) -> None:
    """One loss for each network."""
    errors = (y - t) ** 2
    right = errors.mean(axis=(1, 2))
    found = row(value, "what losses returns")
    if len(found) == 1:
        raise Wrong(
            f"losses is one number, {found[0]:.4g}: must be {E}, one for each "
            "network; do not average over the first axis"
        )
    mistakes = [
        ("the mean is over the outputs too", errors.sum(axis=2).mean(axis=1)),
        ("these are sums, must be means over samples and outputs", errors.sum(axis=(1, 2))),
        ("the mean is over the samples too", errors.mean(axis=2).sum(axis=1)),
        ("this is divided by E", right / E),
        ("the differences must be squared", (y - t).mean(axis=(1, 2))),
        ("this is the root of it", np.sqrt(right)),
        ("the differences must be squared, this has |y - t|", np.abs(y - t).mean(axis=(1, 2))),
        ("there is no 1/2 in this loss", right / 2),
        ("every network has the same, the mean over all", np.full(E, errors.mean())),
    ]
    compare_numbers(found, right, "the loss of a network", mistakes)
