"""Which entries of a gradient are wrong: a mask, an order, a factor of each entry, or a place.

What is told here holds entry by entry of the two matrices, whatever the function is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchnet.diagnosis.factors import Factor, known_factors
from scratchnet.diagnosis.mistakes import MISTAKES, axes_named, everywhere, is_masked
from scratchnet.diagnosis.trials import Found, Trial, Trials


def other_zeros(trials: Trials) -> Found:
    """Both are equal where neither is 0, but one is 0 where the other is not."""
    if not all(t.has_right_shape for t in trials):
        return
    sets = [_zeros(t) for t in trials]
    if not all(
        np.all(t.equal(t.got, t.right)[~a & ~b]) for t, (a, b) in zip(trials, sets, strict=True)
    ):
        return
    both = sum(int((~a & ~b).sum()) for a, b in sets)
    lost = sum(int((a & ~b).sum()) for a, b in sets)
    extra = sum(int((~a & b).sum()) for a, b in sets)
    if both < 3 or not lost + extra:
        return
    if extra and not lost and is_masked(sets):
        yield "mask forgotten", MISTAKES["mask forgotten"]
    elif lost and not extra and all(_keeps_one(a, b) for a, b in sets):
        yield (
            "overwritten",
            "of the contributions that several entries of y send to one entry of x only one was "
            "kept: each replaced the one before instead of being added",
        )
    elif lost and not extra:
        yield (
            None,
            f"the gradient is right in {both} entries of the matrix dy/dx, and 0 in {lost} "
            "others: parts of it are missing",
        )
    elif lost:
        yield (
            None,
            "another mask was used than the right one: the gradient is right where both let it "
            f"through, but {lost} entries of the matrix dy/dx should not be 0, and {extra} should",
        )


def _zeros(t: Trial) -> tuple[Any, Any]:
    """Where what was got is 0, and where the right matrix is."""
    least = 1e-12 * max(np.abs(t.right).max(initial=0.0), 1.0)
    return abs(t.got) <= least, abs(t.right) <= 10 * t.error + least


def _keeps_one(got: Any, right: Any) -> bool:
    """Whether one entry is left of each row that has any, and some have more."""
    kept, full = (~got).sum(axis=1), (~right).sum(axis=1)
    return bool(np.all(kept == np.minimum(full, 1)) and np.any(full > 1))


def other_sum(trials: Trials) -> Found:
    """The right gradient of what was broadcast, summed over axes of x as well, and spread again."""
    if not all(t.has_right_shape and t.x.size < t.y.size for t in trials):
        return
    axes = range(trials[0].x.ndim)
    for some in itertools.chain(*(itertools.combinations(axes, n) for n in (1, 2, 3))):

        def summed(t: Trial, some: tuple[int, ...] = some) -> Any:
            """The right Jacobian, summed over these axes of x and spread again."""
            parts = t.right.reshape(*t.x.shape, t.y.size)
            whole = np.broadcast_to(parts.sum(some, keepdims=True), parts.shape)
            return whole.reshape(t.right.shape)

        if everywhere(trials, summed):
            over = axes_named(set(some))
            yield "wrong axis", f"the gradient was summed over {over} as well, and spread again"
            return


def other_order(trials: Trials) -> Found:
    """The numbers of the gradient, or of dL/dy, are in another order."""
    if not all(t.has_right_shape for t in trials):
        return
    for what, is_of_x in (("the gradient", True), ("the incoming gradient", False)):
        shapes = [t.x.shape if is_of_x else t.y.shape for t in trials]
        for orders in zip(*map(_orders, shapes), strict=False):
            name, sentence, _ = orders[0]
            if all(
                _is_reordered(t, order, is_of_x)
                for t, (*_, order) in zip(trials, orders, strict=True)
            ):
                yield name, f"{what} {sentence}"
                return


def _orders(shape: tuple[int, ...]) -> Iterator[tuple[str | None, str, Any]]:
    """Orders of all entries, -1 for one that is lost."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    for axis, size in enumerate(shape):
        if size < 3:
            continue
        yield None, f"is in reverse order along axis {axis}", np.flip(places, axis).ravel()
        for step in (1, -1):
            rolled = np.roll(places, step, axis)
            sentence = f"is shifted by one along axis {axis}"
            yield None, sentence, rolled.ravel()
            filled = np.moveaxis(rolled.copy(), axis, 0)
            filled[0 if step > 0 else -1] = -1
            yield None, sentence, np.moveaxis(filled, 0, axis).ravel()
    for order in itertools.permutations(range(len(shape)) if len(shape) < 4 else ()):
        for turned in (places.transpose(order), places.reshape(np.array(shape)[[*order]])):
            if order != tuple(sorted(order)):
                yield (
                    "transposed",
                    "has the numbers in the order of the transpose: reshaped, where axes must be "
                    "swapped",
                    np.argsort(turned.ravel()) if turned.shape == shape else turned.ravel(),
                )


def _is_reordered(t: Trial, order: Any, is_of_x: bool) -> bool:
    """Whether the gradient is the right one with its entries in this order, -1 for a 0."""
    right = t.right if is_of_x else t.right.T
    made = np.where((order < 0)[:, None], 0.0, right[order])
    return t.agrees(t.got, made if is_of_x else made.T)


def other_multiplier(trials: Trials) -> Found:
    """Each entry of y depends on one of x, and dL/dy was multiplied by an input, or by y."""
    if not all(t.has_right_shape and np.all((t.right != 0).sum(axis=0) <= 1) for t in trials):
        return
    for factor in known_factors(trials[0]):

        def multiplied(t: Trial, factor: Factor = factor) -> Any:
            return np.where(t.right != 0, factor.values(t), 0)

        if everywhere(trials, multiplied):
            yield None, f"dL/dy was multiplied by {factor.name}: must be by another number"
            return


def factor_of_entries(trials: Trials) -> Found:
    """The derivatives are wrong by factors, which depend on few axes of x and of y."""
    if not all(t.has_right_shape for t in trials):
        return
    t = trials[0]
    names = [
        *(f"axis {i} of x" for i in range(t.x.ndim)),
        *(f"axis {i} of y" for i in range(t.y.ndim)),
    ]
    is_of_one = all(np.all((t.right != 0).sum(axis=0) <= 1) for t in trials)
    differing, free, low, high = set[str](), set[str](), np.inf, -np.inf
    for t in trials:
        known = np.isfinite(t.error)
        used = known & (abs(t.right) > 10 * t.error + 1e-12)
        if not used.any() or np.any((t.got != 0) & known & ~used):
            return
        ratios = np.divide(t.got, t.right, out=np.full(t.got.shape, np.nan), where=used)
        low, high = np.fmin(low, ratios[used].min()), np.fmax(high, ratios[used].max())
        if is_of_one:
            ratios = np.fmax.reduce(ratios, axis=0).reshape(t.y.shape)
        else:
            ratios = ratios.reshape(*t.x.shape, *t.y.shape)
        for axis, name in enumerate(names[-ratios.ndim :] if ratios.ndim else ()):
            spread = np.fmax.reduce(ratios, axis=axis) - np.fmin.reduce(ratios, axis=axis)
            differing |= {name} if np.any(spread > 1e-5 * max(abs(low), abs(high))) else set()
            free |= {name} if np.any(np.isfinite(ratios).sum(axis=axis) > 1) else set()
    if is_of_one or free - differing:
        along = f", by factors that differ along {' and '.join(sorted(differing))}"
        yield (
            None,
            "a factor is missing or too many: the derivatives dy/dx are "
            f"{low:.3g} to {high:.3g} times what they should be{along if differing else ''}",
        )


def wrong_places(trials: Trials) -> str:
    """In how many entries of the gradient it is wrong, where they lie, and by which factors."""
    t = trials[0]
    right, got = (
        np.concatenate([np.ravel(m) for m in each])
        for each in zip(*((t.expected, t.pulled) for t in trials), strict=True)
    )
    ratios = got[right != 0] / right[right != 0]
    by = (
        f", {ratios.min():.3g} to {ratios.max():.3g} times what it should be" if ratios.size else ""
    )
    wrong = [~np.all(t.equal(t.got, t.right), axis=1) for t in trials]
    if not t.x.ndim or any(each.x.shape != t.x.shape for each in trials):
        return f"at {sum(map(np.any, wrong))} of {len(wrong)} points{by}"
    places = np.argwhere(np.any(wrong, axis=0).reshape(t.x.shape))
    if len(places) == t.x.size:
        return f"in all entries{by}"
    for axis, size in enumerate(t.x.shape):
        if size > 1 and not np.ptp(places[:, axis]):
            return f"at index {places[0, axis]} of axis {axis} alone{by}"
    return f"in {len(places)} of {t.x.size} entries, the first at {(*map(int, places[0]),)}{by}"


ENTRIES = ((other_order, other_sum), (other_zeros,), (other_multiplier,), (factor_of_entries,))
"""From what tells most to what tells least."""
