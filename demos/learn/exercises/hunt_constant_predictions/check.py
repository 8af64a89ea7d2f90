"""The training beside the same with each output held against its own target."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import SGD, Linear, Model, Tanh, losses
from scratchnet.demos.learn.answers import compare_numbers, row
from scratchnet.demos.learn.wrong import Wrong, is_close

N, RATE, STEPS = 9, 0.1, 25


def network() -> Model:
    """2 inputs, 5 tanh neurons, 1 output; always the same initial weights."""
    return Model(Linear(2, 5), Tanh(), Linear(5, 1), seed=3, dtype="float64")


def check(learner: Any) -> None:
    """Raise `Wrong` unless each output (N, 1) is compared with its own target alone."""
    draw = np.random.default_rng(0)
    X = draw.standard_normal((N, 2))
    y = 3 * X[:, 0] - X[:, 1] + 0.1 * draw.standard_normal(N)
    model = network()
    found = row(learner.train(model, X.copy(), y.copy(), RATE, STEPS), "what train returns")
    right, reference = descend(X, y, RATE, STEPS)
    outputs = network().predict(X)
    crossed = float(np.mean((outputs - y) ** 2))
    if len(found) == STEPS and is_close(found[0], np.array(crossed)):
        raise Wrong(
            f"not mended: the first loss is {crossed:.4g}, must be {right[0]:.4g}; outputs (N, 1) "
            f"minus targets (N,) is ({N}, {N}), each output against every target"
        )
    mistakes = [
        ("the loss is the sum over the samples, must be the mean", N * right),
        ("the loss is half of what it must be", right / 2),
        ("the errors are not squared", [float(np.mean(outputs[:, 0] - y))] * STEPS),
        (
            "every output is held against the mean of y, must be against its own target",
            [float(np.mean((outputs[:, 0] - y.mean()) ** 2))] * STEPS,
        ),
        (
            "every output is held against y[0], must be against its own target",
            [float(np.mean((outputs[:, 0] - y[0]) ** 2))] * STEPS,
        ),
        ("these are absolute errors", [float(np.mean(abs(outputs[:, 0] - y)))] * STEPS),
    ]
    first = [(sentence, np.asarray(each)[:1]) for sentence, each in mistakes]
    if len(found) != STEPS:
        raise Wrong(f"train returns {len(found)} losses for {STEPS} steps: must be {STEPS}")
    compare_numbers(found[:1], right[:1], "the first loss", first)
    slower, faster = (descend(X, y, RATE * factor, STEPS)[0] for factor in (0.5, 2))
    mistakes = [
        ("the rate was halved", slower),
        ("the rate was doubled", faster),
        ("nothing is learned any more", np.full(STEPS, right[0])),
    ]
    compare_numbers(found, right, "the loss of a step", mistakes)
    compare_numbers(model.predict(X), reference.predict(X), "what the trained network gives")


def descend(X: Any, y: Any, rate: float, steps: int) -> tuple[Any, Model]:
    """The losses of the right training, and its network."""
    model = network()
    optimizer = SGD(model, rate)
    found = []
    for _ in range(steps):
        loss = losses.mean_squared_error(model(X), y[:, None])
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return np.array(found), model
