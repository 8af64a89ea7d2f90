"""The losses of a training with three layers, and of one whose second layer stands there twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, row
from scratchnet.demos.learn.wrong import Wrong, is_close

RATE, STEPS = 0.5, 12
ONCE, TWICE = (0, 1, 2), (0, 1, 1)


def check(learner: Any) -> None:
    """Raise `Wrong` unless each step goes along the gradient of that step alone."""
    draw = np.random.default_rng(0)
    X, t = draw.standard_normal((6, 4)), draw.uniform(-0.8, 0.8, (6, 4))
    weights = [draw.standard_normal((4, 4)) / 2 for _ in range(3)]
    for order in (ONCE, TWICE):
        layers = [learner.Layer(each.copy()) for each in weights]
        network = [layers[i] for i in order]
        found = row(learner.train(network, X.copy(), t.copy(), RATE, STEPS), "what train returns")
        right, after = descend(weights, order, X, t)
        where = "" if order == ONCE else " where a layer stands there twice"
        if len(found) != STEPS:
            raise Wrong(f"train returns {len(found)} losses for {STEPS} steps: must be {STEPS}")
        says: dict[str, str | int] = {
            "not mended, the gradients of all steps so far add up": "accumulate",
            "the gradient of one use of the layer replaces that of the other": "overwrite",
            "nothing moves, dW is 0 when the step is made: set it to 0 before that": "nothing",
            "old gradients fade, but do not go: set them to 0": "fade",
            "every second step starts with the old gradient": "every other",
            "the step uses the mean of all gradients so far": "mean",
            "the layer is moved once for each place where it stands": "move twice",
            **{
                f"only layer {i} of {len(order)} starts from 0 in every step, must be all": i
                for i in order
            },
        }
        mistakes = [(text, descend(weights, order, X, t, kind)[0]) for text, kind in says.items()]
        mistakes += [
            ("a smaller rate hides the bug, it does not mend it", slower)
            for slower in smaller(weights, order, X, t, found)
        ]
        losses = numbers(found, f"the losses{where}", (STEPS,))
        if not is_close(losses[:1], right[:1]):
            mistakes = [("this is before any step, so `forward` or the loss has changed", losses)]
        elif not is_close(losses[:2], right[:2]):
            mistakes += [("the first step itself has changed", losses)]
        compare_numbers(losses, right, f"the loss of a step{where}", mistakes)
        for i in set(order):
            compare_numbers(layers[i].W, after[i], f"W of layer {i} after the last step{where}")


def smaller(weights: Any, order: Any, X: Any, t: Any, found: Any) -> list[Any]:
    """Losses of the bug at smaller rates, as far as they are what was found."""
    tried = [descend(weights, order, X, t, "accumulate", RATE / n)[0] for n in (2, 5, 10, 100)]
    return [each for each in tried if is_close(found, each, 1e-4)]


def descend(
    weights: Any, order: Any, X: Any, t: Any, kind: str | int = "", rate: float = RATE
) -> tuple[Any, list[Any]]:
    """The losses of the training and the weights after it, with a mistake of this kind."""
    W = [each.copy() for each in weights]
    held = [np.zeros_like(each) for each in W]
    losses = []
    for step in range(STEPS):
        xs = [X]
        for i in order:
            xs.append(np.tanh(xs[-1] @ W[i]))
        losses.append(float(((xs[-1] - t) ** 2).mean()))
        if kind in ("", "overwrite", "nothing", "move twice") or (
            kind == "every other" and step % 2 == 0
        ):
            held = [np.zeros_like(each) for each in W]
        if isinstance(kind, int):
            held[kind] = np.zeros_like(held[kind])
        if kind == "fade":
            held = [each / 2 for each in held]
        dy = 2 * (xs[-1] - t) / t.size
        for place in reversed(range(len(order))):
            dz = dy * (1 - xs[place + 1] ** 2)
            new = xs[place].T @ dz
            i = order[place]
            held[i] = new if kind == "overwrite" else held[i] + new
            dy = dz @ W[i].T
        factor = 0 if kind == "nothing" else 1 / (step + 1) if kind == "mean" else 1
        moves = [order.count(i) if kind == "move twice" else 1 for i in range(len(W))]
        W = [w - rate * factor * n * g for w, n, g in zip(W, moves, held, strict=True)]
    return np.array(losses), W
