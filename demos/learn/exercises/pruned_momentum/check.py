"""The mask's count and choice, and steps from a velocity that is not 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, parts
from scratchnet.demos.learn.wrong import Wrong, is_close

RATE, MOMENTUM = 0.1, 0.9


def check(learner: Any) -> None:
    """Raise `Wrong` unless masks drop the smallest weights, and steps leave pruned ones at 0."""
    draw = np.random.default_rng(0)
    w = np.array([0.9, -0.1, 0.4, -0.7, 2.0])
    check_mask(learner, w, 0.2)
    check_mask(learner, w, 0.4)
    check_mask(learner, w, 0.33)
    check_mask(learner, w, 0.22)
    check_mask(learner, draw.standard_normal((4, 5)), 0.35)
    check_mask(learner, draw.standard_normal((3, 2, 5)), 0.9)
    check_mask(learner, np.array([0.5, -0.5, 0.5, 0.5, 2.0, -3.0]), 0.5)
    check_mask(learner, w, 0.0)
    check_mask(learner, w, 1.0)
    check_steps(learner, draw)


def check_mask(learner: Any, w: Any, fraction: float) -> None:
    """The mask must drop as many as asked for, and none that is larger than one it keeps."""
    what = f"prune({np.array2string(w, precision=2)}, {fraction})" if w.size < 7 else "the mask"
    mask = numbers(learner.prune(w.copy(), fraction), what, w.shape)
    if not np.isin(mask, (0, 1)).all():
        where = np.argwhere(~np.isin(mask, (0, 1)))[0]
        raise Wrong(f"{what} holds {mask[tuple(where)]:g}: must be 1 and 0, not the weights")
    found, right = int((mask == 0).sum()), round(fraction * w.size)
    is_complement = found == w.size - right != right and 0 < right < w.size
    if is_complement and np.abs(w)[mask == 0].min() >= np.abs(w)[mask == 1].max():
        raise Wrong(
            f"{what} is inverted, {found} of {w.size} are 0: must be {right}, 1 is for what stays"
        )
    if is_complement:
        raise Wrong(
            f"{what} has {found} zeros of {w.size}: must be {right}, fraction is the share that "
            "goes, not the one that stays"
        )
    ties = len(np.unique(np.abs(w))) < w.size
    if found != right:
        why = "; of equal weights only as many go as are needed" if ties else ""
        if found == int(fraction * w.size) and not ties:
            why = f"; {fraction * w.size:.4g} must be rounded, and is cut off"
        elif found == np.ceil(fraction * w.size) and not ties:
            why = f"; {fraction * w.size:.4g} must be rounded, to the nearest number"
        elif found == (np.abs(w) < fraction).sum() and not ties:
            why = "; fraction says how many go, it is no limit for |w|"
        raise Wrong(f"{what} has {found} zeros: must be exactly {right} of {w.size}{why}")
    size, kept = np.abs(w), mask == 1
    if 0 < right < w.size and size[~kept].max() > size[kept].min():
        gone, stays = w[~kept][np.argmax(size[~kept])], w[kept][np.argmin(size[kept])]
        one = f"{what} drops {gone:.3g} and keeps {stays:.3g}"
        if w[~kept].max() <= w[kept].min():
            raise Wrong(f"{one}: what counts is the magnitude |w|, not w")
        if size[~kept].min() >= size[kept].max():
            raise Wrong(f"{one}: it drops the largest, must be the smallest")
        raise Wrong(f"{one}: the smallest magnitudes must go")


def check_steps(learner: Any, draw: Any) -> None:
    """Three steps from a velocity that is not 0, also where the weight is pruned."""
    w, v = draw.standard_normal((2, 4, 5))
    mask = (draw.random((4, 5)) < 0.6).astype(float)
    w, found_v = w * mask, v
    kept = mask == 1
    right_w, right_v = w, v
    for number in range(3):
        g = draw.standard_normal((4, 5))
        before_w, before_v = right_w, right_v
        right_v = MOMENTUM * right_v + g
        right_w = (right_w - RATE * right_v) * mask
        given = (w.copy(), g.copy(), np.array(found_v), mask.copy(), RATE, MOMENTUM)
        w, found_v = parts(learner.step(*given), 2, "what step returns")
        w = numbers(w, "w after a step", mask.shape)
        found_v = numbers(found_v, "v after a step", mask.shape)
        compare_kept(w, right_w, before_w, before_v, g, kept, number)
        check_pruned(w, before_v, g, kept, number)
        # The velocity of pruned weights is the learner's to choose.
        mistakes = [("v must not hold the learning rate", RATE * right_v[kept])]
        compare_numbers(found_v[kept], right_v[kept], f"v of step {number}", mistakes)
    w, _ = parts(learner.step(np.ones((4, 5)), g, v, mask.copy(), RATE, MOMENTUM), 2, "step")
    if numbers(w, "w after a step", mask.shape)[~kept].any():
        raise Wrong(
            "a pruned weight that is not 0 before a step is not 0 after it: mask w as well, not "
            "its change alone"
        )


def compare_kept(w: Any, right: Any, before: Any, v: Any, g: Any, kept: Any, number: int) -> None:
    """What is kept must have moved as plain momentum moves it."""
    if (w[kept] == 0).all():
        raise Wrong(f"all that must stay is 0 after step {number}: the mask is inverted")
    new = MOMENTUM * v + g
    mistakes = [
        ("nothing moves", before),
        ("the step goes uphill, w + rate v", before + RATE * new),
        ("the step must go along the new v, this is the old one", before - RATE * v),
        ("the step must go along v, this is along g alone", before - RATE * g),
        ("v is the old one without momentum, v + g", before - RATE * (v + g)),
        ("the learning rate is missing", before - new),
        ("this is Nesterov's step, along g + momentum v", before - RATE * (g + MOMENTUM * new)),
        ("v <- momentum v + g, without 1 - momentum", before - RATE * (new - MOMENTUM * g)),
        ("v <- momentum v + g, without the minus", before - RATE * (MOMENTUM * v - g)),
    ]
    of_kept = [(sentence, each[kept]) for sentence, each in mistakes]
    compare_numbers(w[kept], right[kept], f"what stays, after step {number},", of_kept)


def check_pruned(w: Any, v: Any, g: Any, kept: Any, number: int) -> None:
    """What is pruned must be 0."""
    gone = w[~kept]
    if not gone.any():
        return
    i, j = np.argwhere(~kept)[int(np.argmax(np.abs(gone)))]
    one = f"the pruned weight ({i}, {j}) is {w[i, j]:.4g} after step {number}, must be 0"
    if is_close(gone, -RATE * MOMENTUM * v[~kept]):
        raise Wrong(f"{one}: its gradient is masked, but its velocity {v[i, j]:.4g} still moves it")
    if is_close(gone, -RATE * (MOMENTUM * v + g)[~kept]):
        raise Wrong(f"{one}: nothing holds it, mask what momentum and gradient change")
    raise Wrong(one)
