"""The experiment on coin flips and on a real signal, and whether the choice knows the test set."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import numbers, parts, row
from scratchnet.demos.learn.wrong import Wrong, compare

SAMPLES, FEATURES, COUNT, DRAWS = 50, 1000, 20, 3


def check(learner: Any) -> None:
    """Raise `Wrong` unless the test set is used for the accuracy alone."""
    check_choice(learner)
    for seed in range(DRAWS):
        check_accuracy(learner, coin_flips(seed), f"on coin flips {seed}")
    X, y, X_test, y_test = coin_flips(200)
    X[:, :COUNT] += 0.3 * (2 * y[:, None] - 1)
    X_test[:, :COUNT] += 0.3 * (2 * y_test[:, None] - 1)
    check_accuracy(learner, (X, y, X_test, y_test), "on data with a real signal")


def coin_flips(seed: int) -> tuple[Any, Any, Any, Any]:
    """Features and labels that have nothing to do with each other."""
    draw = np.random.default_rng(seed)
    X, X_test = draw.standard_normal((2, SAMPLES, FEATURES))
    y, y_test = draw.permutation(np.arange(2 * SAMPLES) % 2).reshape(2, SAMPLES)
    return X, y, X_test, y_test


def run(learner: Any, *data: Any, count: int = COUNT) -> tuple[Any, float]:
    """What the learner's experiment chooses, and its accuracy."""
    chosen, accuracy = parts(
        learner.experiment(*(each.copy() for each in data), count), 2, "what experiment returns"
    )
    chosen = sorted(chosen) if isinstance(chosen, set) else chosen
    chosen = np.nan_to_num(row(chosen, "what is chosen")).astype(int)
    if sorted(set(chosen.tolist())) != sorted(chosen.tolist()) or len(chosen) != count:
        raise Wrong(f"{len(set(chosen.tolist()))} columns are chosen: must be {count}")
    return chosen, float(numbers(accuracy, "the accuracy", ()))


def best(X: Any, y: Any, count: int = COUNT) -> set[int]:
    """The columns that vary most with the labels."""
    return set(np.argsort(-np.abs(X.T @ (y - y.mean())))[:count].tolist())


def check_choice(learner: Any) -> None:
    """The columns must be those of the training set, whatever the test set holds."""
    X, y, X_test, y_test = coin_flips(100)
    chosen, _ = run(learner, X, y, X_test, y_test)
    with_other_labels, _ = run(learner, X, y, X_test, 1 - y_test[::-1])
    with_other_samples, _ = run(learner, X, y, X_test[:, ::-1], y_test)
    right = best(X, y)
    found = set(chosen.tolist())
    shared = f"{len(found & right)} of the {COUNT} columns are those of the training set"
    both = best(np.concatenate([X, X_test]), np.concatenate([y, y_test]))
    if found == both:
        raise Wrong(
            f"not mended, the choice sees the test set: {shared}, and column "
            f"{min(found - right)} is chosen for its fit to the test labels as well"
        )
    if found == best(X_test, y_test):
        raise Wrong(f"the columns are chosen by the test set alone: {shared}")
    if found != set(with_other_labels.tolist()):
        raise Wrong("with other test labels other columns are chosen: the choice sees y_test")
    if found != set(with_other_samples.tolist()):
        raise Wrong("with other test samples other columns are chosen: the choice sees X_test")
    if found != right:
        half = len(X) // 2
        if found in (best(X[:half], y[:half]), best(X[half:], y[half:])):
            raise Wrong(f"one half of the training set chooses: {shared}; all of it must")
        raise Wrong(f"the choice itself has changed: {shared}, must be all")


def check_accuracy(learner: Any, data: Any, where: str) -> None:
    """The accuracy must be that of the fit to the training set, on the test set."""
    _, found = run(learner, *data)
    X, y, X_test, y_test = data
    chosen = sorted(best(X, y))
    right = accuracy(X, y, X_test, y_test, chosen)
    both = np.concatenate([X, X_test]), np.concatenate([y, y_test])
    mistakes = [
        ("this is the accuracy on the training set", accuracy(X, y, X, y, chosen)),
        ("the fit sees the test set too", accuracy(*both, X_test, y_test, chosen)),
        ("the fit is made on the test set", accuracy(X_test, y_test, X_test, y_test, chosen)),
        ("this is the accuracy on both sets together", accuracy(X, y, *both, chosen)),
        ("the classes are exchanged", 1 - right),
        ("the fit or the test has changed", found),
    ]
    compare(np.array(found), right, f"the accuracy {where}", mistakes, 0.001)


def accuracy(X: Any, y: Any, X_test: Any, y_test: Any, chosen: Any) -> float:
    """The accuracy of the fit to these columns."""
    weights = X[y == 1][:, chosen].mean(axis=0) - X[y == 0][:, chosen].mean(axis=0)
    return float(((X_test[:, chosen] @ weights > 0) == (y_test == 1)).mean())
