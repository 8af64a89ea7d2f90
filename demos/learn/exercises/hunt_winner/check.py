"""Made-up scores, for which every shortcut gives another result, and a run of the engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import SGD, accuracy, fit, mlp
from scratchnet.datasets import spirals
from scratchnet.demos.learn.wrong import Wrong, number, shown

RATES = (0.03, 0.1, 0.3, 1.0)
VALIDATION = {
    "two layers": (0.61, 0.62, 0.93, 0.97),
    "four layers": (0.60, 0.97, 0.99, 0.71),
    "eight layers": (0.52, 0.94, 0.62, 0.50),
}
TEST = {
    "two layers": (0.64, 0.60, 0.98, 0.95),
    "four layers": (0.63, 0.99, 0.96, 0.77),
    "eight layers": (0.70, 0.92, 0.57, 0.51),
}


def score(method: str, rate: float, data: str) -> float:
    """The made-up score; raises `Wrong` for what is not there."""
    table = {"validation": VALIDATION, "test": TEST}
    if data not in table or method not in VALIDATION or rate not in RATES:
        raise Wrong(
            f"score({method!r}, {rate!r}, {data!r}): must be one of the methods, one of RATES, and "
            '"validation" or "test"'
        )
    return table[data][method][RATES.index(rate)]


def check(learner: Any) -> None:
    """Raise `Wrong` unless each method's test accuracy is that at its own best validation rate."""
    given = sorted(float(each) for each in getattr(learner, "RATES", RATES))
    if given != sorted(RATES):
        raise Wrong(f"RATES is {given}: must be {sorted(RATES)}, as before")
    methods = list(VALIDATION)
    found = learner.compare(list(methods), score)
    if found is None:
        raise Wrong("what compare returns is None: is there a return?")
    if not isinstance(found, dict) or sorted(found) != sorted(methods):
        raise Wrong(f"compare returns {shown(found)}: must be a dict with an accuracy per method")
    right = {each: TEST[each][int(np.argmax(VALIDATION[each]))] for each in methods}
    values = {each: number(found[each], f"the accuracy of {each}") for each in methods}
    if all(abs(values[each] - right[each]) < 1e-6 for each in methods):
        return
    worst = max(methods, key=lambda each: abs(values[each] - right[each]))
    best = RATES[int(np.argmax(VALIDATION[worst]))]
    one = (
        f"the accuracy of {worst} is {values[worst]:.4g}, must be {right[worst]:.4g}, at its best "
        f"rate {best:g}"
    )
    at = [rate for rate, each in zip(RATES, TEST[worst], strict=True) if each == values[worst]]
    reason = reason_for(values) or (f"that is its accuracy at {at[0]:g}" if at else "")
    raise Wrong(f"{one}: {reason}" if reason else one)


def reason_for(values: Any) -> str:
    """Which shortcut gives these accuracies."""
    V, T = (np.array(list(table.values())) for table in (VALIDATION, TEST))
    given = np.array(list(values.values()))
    own, rows = V.argmax(axis=1), np.arange(len(V))
    for i, rate in enumerate(RATES):
        if np.allclose(given, T[:, i]):
            if i == 1:
                return "not mended, all methods are compared at one rate, 0.1"
            return f"all methods are compared at one rate, {rate:g}, each needs its own"
    says = {
        "the rate is chosen by the test set, must be by the validation set": T.max(axis=1),
        "this is the accuracy on the validation set, by which the rate was chosen": V.max(axis=1),
        "this is the mean over the rates": T.mean(axis=1),
        "this is the mean over the rates, and of the validation set": V.mean(axis=1),
        "the worst rate is taken, must be the best": T[rows, V.argmin(axis=1)],
        "the methods get each other's rates": T[rows, np.roll(own, 1)],
        "this is one rate below the best": T[rows, own - 1],
        "the largest rate is left out": T[rows, V[:, :-1].argmax(axis=1)],
        "the smallest rate is left out": T[rows, 1 + V[:, 1:].argmax(axis=1)],
        "this is the rate, must be the accuracy at it": np.array(RATES)[own],
        "the test set has a say in the choice of the rate": T[rows, (V + T).argmax(axis=1)],
    }
    fitting = [sentence for sentence, each in says.items() if np.allclose(given, each)]
    return fitting[0] if fitting else ""


def outcome() -> tuple[str, int]:
    """Two and four layers at three rates each, two seeds: test accuracy at the best rate."""
    rates, seeds = (0.1, 0.3, 1.0), 2
    (X, y), held_out, test = (spirals(200, 1.5, seed=seed) for seed in range(3))
    found = {}
    for depth in (2, 4):
        model = mlp(
            [2, *[32] * depth, 1], ensemble=seeds * len(rates), seed=[*range(seeds)] * len(rates)
        )
        optimizer = SGD(model, np.repeat(rates, seeds).tolist())
        fit(model, X, y, optimizer=optimizer, epochs=400)
        chosen = accuracy(model, *held_out).reshape(len(rates), seeds).mean(axis=1).argmax()
        of_rates = accuracy(model, *test).reshape(len(rates), seeds).mean(axis=1)
        found[depth] = float(of_rates[0]), float(of_rates[chosen]), rates[int(chosen)]
    words = "; ".join(
        f"{depth} layers are {first:.0%} correct at 0.1, {best:.0%} at their best rate, {rate:g}"
        for depth, (first, best, rate) in found.items()
    )
    gain = found[4][1] - found[2][1]
    return words, 0 if gain > 0.05 else 2 if gain < -0.05 else 1
