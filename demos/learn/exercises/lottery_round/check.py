"""Three rounds on made-up weights: what goes, how much, and what is started from."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, parts
from scratchnet.demos.learn.wrong import Wrong, is_close

ROUNDS = 3
FRACTION = 0.3


def check(learner: Any) -> None:
    draw = np.random.default_rng(0)
    first = draw.standard_normal((8, 5))
    mask = np.ones((8, 5))
    for number in range(1, ROUNDS + 1):
        trained = draw.standard_normal((8, 5)) * mask
        mask = check_round(learner, first, trained, mask, FRACTION, f" of round {number}")
    check_round(learner, first, draw.standard_normal((8, 5)) * mask, mask, 0.0, " at fraction 0")
    first = np.array([0.7, -0.3, 0.8, 0.1, -0.6])
    trained = np.array([0.9, -0.1, -0.4, 0.0, 1.2])
    check_round(learner, first, trained, np.array([1.0, 1, 1, 0, 1]), 0.5, "")


def check_round(
    learner: Any, first: Any, trained: Any, mask: Any, fraction: float, which: str
) -> Any:
    """One round; the right new mask."""
    given = (first.copy(), trained.copy(), mask.copy(), fraction)
    new, start = parts(learner.ticket(*given), 2, "what ticket returns")
    new = numbers(new, f"the mask{which}", mask.shape)
    start = numbers(start, f"the start{which}", mask.shape)
    right = pruned(np.abs(trained), mask, fraction)
    if not np.array_equal(new, right):
        raise Wrong(mask_fault(new, right, first, trained, mask, fraction, which))
    mistakes = [
        ("these are the trained weights, rewind to the first ones", trained * right),
        ("these are the trained weights, not rewound and not masked", trained),
        ("the first weights must be 0 where the new mask is 0", first),
        ("this is the old mask's start, the new mask must hold too", first * mask),
        ("every weight that is left starts at its sign only", np.sign(first) * right),
        ("the mask is inverted here", first * (1 - right)),
    ]
    if not is_close(start, first * right) and is_close(start != 0, right != 0):
        mistakes.append(("these weights are new, must be the first ones", start))
    compare_numbers(start, first * right, f"the start{which}", mistakes)
    return right


def pruned(scores: Any, mask: Any, fraction: float, of: float | None = None) -> Any:
    """The mask without the lowest scores among what is left; `of` replaces the remaining count."""
    alive = np.flatnonzero(mask)
    count = round(fraction * (len(alive) if of is None else of))
    gone = alive[np.argsort(scores.ravel()[alive], kind="stable")[:count]]
    new = mask.copy()
    new.flat[gone] = 0
    return new


def mask_fault(
    new: Any, right: Any, first: Any, trained: Any, mask: Any, fraction: float, which: str
) -> str:
    """Which mistake gives this mask, in a sentence."""
    if not np.isin(new, (0, 1)).all():
        return f"the mask{which} holds {new[~np.isin(new, (0, 1))][0]:g}: must be 1 and 0"
    left, remaining = int(new.sum()), int(mask.sum())
    counts = f"the mask{which} leaves {left} of {remaining} weights, must be {int(right.sum())}"
    everywhere = np.ones_like(mask)
    revived = (new == 1) & (mask == 0)
    if np.array_equal(new, pruned(np.abs(trained), mask, fraction, mask.size)):
        return f"{counts}: the fraction is of what remains, not of all weights"
    if np.array_equal(new, pruned(np.abs(trained), everywhere, fraction)):
        return (
            f"{counts}: weights that went before are counted again, as |trained| is 0 there; look "
            "for the smallest among those that are left"
        )
    if np.array_equal(new, 1 - right):
        return f"the mask{which} is inverted: 1 is for what stays"
    if revived.any():
        place = tuple(int(i) for i in np.argwhere(revived)[0])
        return (
            f"weight {place if len(place) > 1 else place[0]} is back in the mask{which}: what was "
            "pruned in an earlier round stays pruned"
        )
    if np.array_equal(new, pruned(np.abs(trained), mask, 1 - fraction)):
        return f"{counts}: fraction is the share that goes, not the one that stays"
    if left != int(right.sum()):
        return counts
    size = np.abs(trained)
    lost = np.argwhere((new == 0) & (right == 1))[0]
    kept = np.argwhere((new == 1) & (right == 0))[0]
    one = f"it drops |trained| = {size[tuple(lost)]:.3g} and keeps {size[tuple(kept)]:.3g}"
    alive = np.flatnonzero(mask)
    slip = mask.copy()
    places = np.argsort(size.ravel(), kind="stable")[: remaining - left]
    slip.flat[alive[places[places < remaining]]] = 0
    if np.array_equal(new, slip):
        return (
            f"the mask{which} is wrong, {one}: argsort over all weights gives places among all, "
            "not among those that are left"
        )
    for sentence, scores in (
        ("the magnitudes of the trained weights count, not of the first ones", np.abs(first)),
        ("the magnitudes count, not the signed weights", trained),
        ("the smallest magnitudes must go, not the largest", -size),
        ("the magnitudes count, not how far a weight has moved", np.abs(trained - first)),
    ):
        if np.array_equal(new, pruned(scores, mask, fraction)):
            return f"the mask{which} is wrong, {one}: {sentence}"
    return f"the mask{which} is wrong, {one}"
