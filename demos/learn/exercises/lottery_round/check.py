"""Three rounds on made-up weights: what goes, how much, and what is started from."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, parts
from scratchnet.demos.learn.wrong import Wrong, WrongNumbers, is_close

ROUNDS = 3
FRACTION = 0.3


def check(learner: Any) -> None:
    """Raise `Wrong` unless each round prunes the right weights and rewinds to the initial ones."""
    draw = np.random.default_rng(417)
    first = draw.standard_normal((8, 5))
    mask = np.ones((8, 5))
    for number in range(1, ROUNDS + 1):
        trained = draw.standard_normal((8, 5)) * mask
        mask = check_round(learner, first, trained, mask, FRACTION, f" of round {number}")
    check_round(learner, first, draw.standard_normal((8, 5)) * mask, mask, 0.0, " at fraction 0")
    first = np.array([0.7, -0.3, 0.8, 0.1, -0.6])
    trained = np.array([0.9, -0.1, -0.4, 0.0, 1.2])
    check_round(learner, first, trained, np.array([1.0, 1, 1, 0, 1]), 0.5, "")
    check_round(learner, first, trained, np.array([1.0, 1, 1, 0, 1]), 0.4, " at fraction 0.4")


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
        blame_mask(new, right, first, trained, mask, fraction, which)
    mistakes = [
        ("these are the trained weights, rewind to the initial ones", trained * right),
        ("these are the trained weights, not rewound and not masked", trained),
        ("the initial weights must be 0 where the new mask is 0", first),
        ("this is the old mask's start, the new mask must hold too", first * mask),
        ("every weight that is left starts at its sign only", np.sign(first) * right),
        ("the mask is inverted here", first * (1 - right)),
    ]
    if not is_close(start, first * right) and is_close(start != 0, right != 0):
        mistakes.append(("these weights are new, must be the initial ones", start))
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


def blame_mask(
    new: Any, right: Any, first: Any, trained: Any, mask: Any, fraction: float, which: str
) -> None:
    """Raise `Wrong` with the mistake that gives this mask."""
    if not np.isin(new, (0, 1)).all():
        raise Wrong(f"the mask{which} holds {new[~np.isin(new, (0, 1))][0]:g}: must be 1 and 0")
    left, remaining = int(new.sum()), int(mask.sum())
    size = np.abs(trained)
    counts = f"the mask{which} leaves {left} of {remaining} weights, must be {int(right.sum())}"
    alive = np.flatnonzero(mask)
    among_all = mask.copy()
    among_all.flat[
        np.argsort(size.ravel()[alive], kind="stable")[: round(fraction * remaining)]
    ] = 0
    for sentence, each in (
        ("argsort counts places among those left: alive[places] are the places in all", among_all),
        (
            f"{fraction * remaining:.4g} must be rounded, and is cut off",
            pruned(size, mask, 1.0, int(fraction * remaining)),
        ),
        ("the fraction is of what remains, not of all", pruned(size, mask, fraction, mask.size)),
        (
            "weights that went before are counted again, as |trained| is 0 there",
            pruned(size, np.ones_like(mask), fraction),
        ),
        ("the fraction is what goes, not what stays", pruned(size, mask, 1 - fraction)),
        ("the mask is inverted, 1 is for what stays", 1 - right),
    ):
        if np.array_equal(new, each):
            raise Wrong(f"{counts}: {sentence}")
    revived = (new == 1) & (mask == 0)
    if revived.any():
        place = tuple(int(i) for i in np.argwhere(revived)[0])
        raise Wrong(
            f"weight {place if len(place) > 1 else place[0]} is back in the mask{which}: what was "
            "pruned in an earlier round stays pruned"
        )
    if left != int(right.sum()):
        raise WrongNumbers(counts, new)
    lost = size[(new == 0) & (right == 1)].max()
    kept = size[(new == 1) & (right == 0)].min()
    one = f"the mask{which} drops |trained| = {lost:.3g} and keeps {kept:.3g}"
    places = np.argsort(size.ravel(), kind="stable")[: remaining - left]
    among_all = mask.copy()
    among_all.flat[alive[places[places < remaining]]] = 0
    for sentence, each in (
        ("argsort over all weights gives places among all, not among those left", among_all),
        (
            "those of the trained weights count, not of the initial ones",
            pruned(abs(first), mask, fraction),
        ),
        ("magnitudes count, not the signed weights", pruned(trained, mask, fraction)),
        ("the smallest must go, not the largest", pruned(-size, mask, fraction)),
        (
            "magnitudes count, not how far a weight has moved",
            pruned(np.abs(trained - first), mask, fraction),
        ),
    ):
        if np.array_equal(new, each):
            raise Wrong(f"{one}: {sentence}")
    raise WrongNumbers(one, new)
