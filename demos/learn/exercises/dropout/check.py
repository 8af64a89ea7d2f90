"""Dropout: how often an entry is 0, what the others are multiplied by, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers, parts
from scratchnet.demos.learn.wrong import Wrong

SHAPE = (60, 50)


def check(learner: Any) -> None:
    """Raise `Wrong` unless `dropout` and `dropout_backward` are right."""
    draw = np.random.default_rng(0)
    x = draw.uniform(0.5, 2.0, SHAPE) * draw.choice([-1.0, 1.0], SHAPE)
    for rate in (0.2, 0.65):
        rng = np.random.default_rng(1)
        y, kept = forward(learner, x, rate, rng)
        check_share(y, rate)
        check_scale(y / x, rate)
        later, _ = forward(learner, x, rate, rng)
        if np.array_equal(later == 0, y == 0):
            raise Wrong(
                "two calls drop the same entries: the mask must be drawn anew in every call, "
                "from rng"
            )
        check_backward(learner, x, y / x, later / x, kept, rate, draw)
        again, _ = forward(learner, x, rate, np.random.default_rng(1))
        if not np.array_equal(again == 0, y == 0):
            raise Wrong(
                "dropout drops other entries for the same rng: draw from rng, not from np.random"
            )
        check_chance(learner, x, rate, rng)
        check_eval(learner, x, rate, rng)
    y, _ = forward(learner, x, 0.0, np.random.default_rng(2))
    compare_numbers(y, x, "y at rate 0", ())


def forward(learner: Any, x: Any, rate: float, rng: Any) -> tuple[Any, Any]:
    """y in training mode as an array, and whatever the learner keeps."""
    y, kept = parts(learner.dropout(x.copy(), rate, rng, True), 2, "what dropout returns")
    return numbers(y, "y", x.shape), kept


def check_share(y: Any, rate: float) -> None:
    """About `rate` of the entries must be 0, each drawn for itself."""
    zero = y == 0
    share, spread = zero.mean(), 6 * np.sqrt(rate * (1 - rate) / y.size)
    if zero.any() and any((zero == zero[part]).all() for part in (np.s_[:1], np.s_[:, :1])):
        raise Wrong(
            "the mask is drawn once for a whole row or column, not for each entry: y[0, 0] and "
            "its neighbours are always dropped together"
        )
    found = f"{share:.0%} of the entries are 0 at a rate of {rate:.0%}"
    if share == 0:
        raise Wrong(f"nothing is dropped in training mode: {found}")
    if abs(share - (1 - rate)) < spread:
        raise Wrong(f"the mask is inverted, rate is the probability to drop, not to keep: {found}")
    if abs(share - rate) > spread:
        raise Wrong(f"the wrong share is dropped: {found}")


def check_chance(learner: Any, x: Any, rate: float, rng: Any) -> None:
    """How many entries are 0 must differ: each is dropped for itself."""
    counts = {int((forward(learner, x, rate, rng)[0] == 0).sum()) for _ in range(12)}
    if len(counts) == 1:
        raise Wrong(
            f"every call drops {counts.pop()} of {x.size} entries, never more or fewer: each entry "
            "must be dropped for itself"
        )


def check_scale(factor: Any, rate: float) -> None:
    """What is not 0 must be x / (1 - rate)."""
    right = 1 / (1 - rate)
    off = np.where(factor != 0, np.abs(factor - right), 0)
    i, j = np.unravel_index(int(np.argmax(off)), off.shape)
    found = factor[i, j] if off[i, j] else right
    mistakes = [
        ("what is kept is not scaled up by 1 / (1 - rate)", 1.0),
        ("what is kept is multiplied by 1 - rate instead of divided by it", 1 - rate),
        ("what is kept is divided by rate instead of 1 - rate", 1 / rate),
        ("what is kept is scaled up twice", right**2),
        ("what is kept is multiplied by 1 + rate instead of divided by 1 - rate", 1 + rate),
        ("divide by 1 - rate, not by the share that happens to be kept", 1 / (factor != 0).mean()),
    ]
    compare_numbers(found, right, f"y / x at entry ({i}, {j})", mistakes)


def check_backward(
    learner: Any, x: Any, factor: Any, later: Any, kept: Any, rate: float, draw: Any
) -> None:
    """dx must be dy times the factor that x had in the call of `kept`, not in the later one."""
    dy = draw.standard_normal(factor.shape)
    scale, mask = 1 / (1 - rate), factor != 0
    dx = numbers(learner.dropout_backward(dy.copy(), kept, rate), "dx", dy.shape)
    compare_numbers(
        dx,
        dy * factor,
        "dx",
        [
            ("the backward pass leaves the mask out", dy),
            ("the backward pass scales but leaves the mask out", dy * scale),
            ("the backward pass does not divide by 1 - rate", dy * mask),
            ("the backward pass divides by 1 - rate twice", dy * mask * scale**2),
            ("the backward pass multiplies by 1 - rate", dy * mask / scale),
            ("the backward pass uses the inverted mask", dy * ~mask * scale),
            ("the backward pass lets through what was dropped", dy * ~mask),
            ("the backward pass multiplies by y: `kept` must tell m", dy * factor * x * scale),
            ("the backward pass multiplies by y: `kept` must tell m", dy * factor * x),
            ("the backward pass has the mask of the latest call, not that of `kept`", dy * later),
            ("the backward pass has another mask than the forward pass", dy * scale * (dx != 0)),
        ],
    )


def check_eval(learner: Any, x: Any, rate: float, rng: Any) -> None:
    """In eval mode y is x."""
    y, _ = parts(learner.dropout(x.copy(), rate, rng, False), 2, "what dropout returns")
    y = numbers(y, "y in eval mode", x.shape)
    if (y == 0).any():
        raise Wrong(f"dropout is active in eval mode: {(y == 0).mean():.0%} of the entries are 0")
    mistakes = [
        ("in eval mode nothing is scaled, as training did that already", x * (1 - rate)),
        ("in eval mode nothing is scaled", x / (1 - rate)),
    ]
    compare_numbers(y, x, "y in eval mode", mistakes)
