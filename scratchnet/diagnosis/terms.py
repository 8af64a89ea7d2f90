"""Mistakes in one term of a derivative that has several.

Where entries of y depend on several of x along an axis, as in a softmax or a normalisation, the
matrix of derivatives is, for the entries along that axis, a sum of few terms: for softmax
diag(y) - y y^T, for a standardisation (I - 1 1^T / N - y y^T / N) / s. Least squares finds the
coefficients of such terms in both matrices, and a mistake changes one: its sign, its factor, or it
is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from scratchnet.diagnosis.mistakes import (
    MISTAKES,
    SIMPLE,
    axes_named,
    constant_between,
    constant_name,
    everywhere,
    operand_transposed,
)
from scratchnet.diagnosis.subjects import Fault
from scratchnet.diagnosis.trials import Found, Trial, Trials

Part = Callable[[Trial], Any]


def wrong_axis(trials: Trials) -> Found:
    """dL/dy flows to x along other axes than those along which y depends on x."""
    if not all(t.keeps_shape for t in trials):
        return
    right = set().union(*(_coupled(t.right, t.x.shape) for t in trials))
    got = set().union(*(_coupled(t.got, t.x.shape) for t in trials))
    if right and got - right:
        wrong, must = (axes_named(set().union(*sets)) for sets in (got - right, right))
        yield "wrong axis", f"a sum was taken, or spread, over {wrong}: must be over {must} alone"


def _coupled(matrix: Any, shape: tuple[int, ...]) -> set[frozenset[int]]:
    """The sets of axes in which two entries differ of which one sends something to the other."""
    if not shape:
        return set()
    largest = np.abs(matrix).max(initial=0.0)
    rows, columns = np.nonzero(np.abs(matrix) > 1e-9 * largest)
    a, b = (np.array(np.unravel_index(each, shape)) for each in (rows, columns))
    differ = np.unique((a != b).T, axis=0)
    return {frozenset(map(int, np.flatnonzero(each))) for each in differ if each.any()}


def entry_alone(trials: Trials) -> Found:
    """Of y that depends on several entries of x, only the same entry counts, or all but that."""
    if not all(t.keeps_shape for t in trials):
        return
    same = "the part of an entry of x in the same entry of y"
    if everywhere(trials, lambda t: np.diag(np.diag(t.right))):
        rest = "other entries of y depend on it as well"
        yield "use forgotten", f"only {same} was counted, and {rest}"
        yield "not summed", f"a sum over the entries of y was left out: {rest}"
    elif everywhere(trials, lambda t: t.right - np.diag(np.diag(t.right))):
        yield "use forgotten", f"{same} was not counted, only the parts in other entries"


# Terms of the matrix for the entries along one axis, from a vector u of them.

TERMS_OF = ("I", "diag u", "1 1^T", "1 u^T", "u 1^T", "u u^T")
VECTORS: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("y", lambda x, y: y),
    ("x - mean", lambda x, y: x - x.mean()),
    ("exp y", lambda x, y: np.exp(np.minimum(y, 50.0))),
)


def one_term(trials: Trials) -> Found:
    """Along the one axis that couples entries, one term differs, or several by one factor."""
    if not all(t.keeps_shape for t in trials):
        return
    axes = set().union(*(_coupled(t.right, t.x.shape) for t in trials))
    if len(axes) != 1 or len(axis := next(iter(axes))) != 1:
        return
    for name, vector in VECTORS:
        for weight in (None, *range(len(trials[0].inputs))):
            pairs = [_coefficients(t, min(axis), vector, weight) for t in trials]
            if all(pair is not None for pair in pairs):
                right, got = (np.concatenate(each, axis=1) for each in zip(*pairs, strict=True))
                if found := list(_changed(right, got, name, trials[0])):
                    yield from found
                    return


def _coefficients(
    t: Trial, axis: int, vector: Callable[[Any, Any], Any], weight: int | None
) -> tuple[Any, Any] | None:
    """Of all terms, for every line along the axis: in the right matrix, and in what was got.

    `weight` is the number of an input by which dL/dy is multiplied before. None where the terms do
    not make up both matrices.
    """
    w = np.ones(t.y.shape)
    if weight is not None:
        if weight == t.argument or np.ndim(t.inputs[weight]) == 0:
            return None
        try:
            w = np.broadcast_to(t.inputs[weight], t.y.shape)
        except ValueError:
            return None
    places = np.moveaxis(np.arange(t.x.size).reshape(t.x.shape), axis, -1)
    found: tuple[list[Any], list[Any]] = ([], [])
    for line in places.reshape(-1, t.x.shape[axis]):
        u = vector(t.x.ravel()[line], t.y.ravel()[line])
        one = np.ones_like(u)
        terms = [
            *(np.diag(one), np.diag(u), np.outer(one, one)),
            *(np.outer(one, u), np.outer(u, one), np.outer(u, u)),
        ]
        design = np.stack([(term * w.ravel()[line]).ravel() for term in terms], axis=1)
        scale = np.linalg.norm(design, axis=0)
        if not np.all(np.isfinite(scale) & (scale > 0)):
            return None
        for matrix, coefficients in zip((t.right, t.got), found, strict=True):
            values = matrix[np.ix_(line, line)].ravel()
            fit, _, rank, _ = np.linalg.lstsq(design / scale, values, rcond=1e-9)
            if rank < len(terms) or np.abs(design / scale @ fit - values).max() > 1e-6 * max(
                np.abs(values).max(), 1e-12
            ):
                return None
            coefficients.append(fit)
    return np.array(found[0]).T, np.array(found[1]).T


def _changed(right: Any, got: Any, vector: str, t: Trial) -> Found:
    """What the coefficients say, (terms, lines)."""
    close = 1e-5 * np.abs(right).max()
    equal = np.all(np.abs(right - got) <= close, axis=1)
    changed = np.flatnonzero(~equal)
    lost = [k for k in changed if np.all(np.abs(got[k]) <= close)]
    gained = [k for k in changed if np.all(np.abs(right[k]) <= close)]
    names = " and ".join(f"{TERMS_OF[k]}".replace("u", f"({vector})") for k in changed)
    if len(changed) and len(lost) == len(changed):
        yield (
            "use forgotten",
            f"a part of the derivative was forgotten, the one with {names}: the input is used in "
            "more than one place",
        )
    elif len(lost) == len(gained) == 1 and len(changed) == 2:
        kind = "factor of the output" if vector == "y" else "factor of an input"
        yield kind, f"in one part of the derivative a factor {vector} is missing or too many"
    elif len(changed) and not gained:
        ratios = got[changed] / right[changed]
        c = float(np.median(ratios))
        if not np.allclose(ratios, c, rtol=1e-4):
            return
        yield _multiplied(c, names, t)


# Of a derivative that is a difference, such as p - t, one of the two parts.


def one_part(trials: Trials) -> Found:
    """What is there, or what is missing, is a known function of x: one part of a difference."""
    if not all(t.has_right_shape and np.all(_reached(t).sum(axis=0) >= 3) for t in trials):
        return
    for name, part, inputs in _parts(trials[0]):

        def multiple(of: Callable[[Trial], Any], part: Part = part) -> float | None:
            """The constant by which the part was multiplied; NaN for one of each column's own."""

            def pair(t: Trial) -> tuple[Any, Any]:
                return of(t), np.where(_reached(t), part(t), 0)

            c = constant_between(trials, pair)
            return np.nan if c is None and all(_is_multiple(t, *pair(t)) for t in trials) else c

        if multiple(lambda t: t.right) is not None:
            continue
        there, missing = multiple(lambda t: t.got), multiple(lambda t: t.right - t.got)
        right = _coefficient(trials, part, inputs) if there is not None or missing else None
        if there is not None and np.isfinite(there) and right is None:
            # What is left must be a part as well: got = x is no part of sign x.
            others = [other for _, other, _ in _parts(trials[0])]
            if all(multiple(lambda t: t.right - t.got, other) is None for other in others):
                continue
        if there is None and right and missing and abs(missing - right) > 1e-6 * abs(right):
            yield _multiplied((right - missing) / right, name, trials[0])
            return
        if there is not None or missing is not None:
            which = "all but" if there is None else "only"
            yield "use forgotten", f"{which} the part of the derivative with {name} was counted"
            return
        if multiple(lambda t: t.right + t.got) is not None:
            yield (
                "sign",
                f"one part of the derivative has the wrong sign, beside the one with {name}",
            )
            return


def _parts(t: Trial) -> Iterator[tuple[str, Part, Sequence[int]]]:
    """Names, functions, and the numbers of the inputs that each depends on."""
    functions: list[tuple[str, Callable[[Any], Any]]] = [
        ("x", lambda x: x),
        ("sigmoid x", lambda x: 1 / (1 + np.exp(-x))),
        ("tanh x", np.tanh),
        ("exp x", np.exp),
    ]
    for axis in range(t.x.ndim):
        functions.append((f"softmax x over axis {axis}", partial(_softmax, axis=axis)))
        functions.append((f"the mean of x over axis {axis}", partial(_mean, axis=axis)))
    if t.y.size == 1 or np.all(t.right != 0):
        functions.append(("1", np.ones_like))
    for name, function in functions:

        def part(t: Trial, f: Callable[[Any], Any] = function) -> Any:
            return f(np.clip(t.x, -50, 50)).ravel()[:, None]

        yield name, part, [t.argument]
    others = [j for j in range(len(t.inputs)) if j != t.argument and t.inputs[j].ndim == 2]
    for a, b in itertools.permutations(others, 2):

        def product(t: Trial, a: int = a, b: int = b) -> Any:
            return (t.inputs[a].T @ t.inputs[b]).reshape(-1, 1)

        if (t.inputs[a].shape[1], t.inputs[b].shape[1]) == t.x.shape:
            if len(t.inputs[a]) == len(t.inputs[b]):
                yield f"(input {a})^T (input {b})", product, [a, b]


def _coefficient(trials: Trials, part: Part, inputs: Sequence[int]) -> float | None:
    """The c of right = c part + the rest, where that does not depend on one of these inputs."""
    for number in inputs:
        moved = []
        try:
            for t in trials:
                values = t.inputs[number] * np.linspace(0.9, 1.1, t.inputs[number].size).reshape(
                    t.inputs[number].shape
                )
                changed = (*t.inputs[:number], values, *t.inputs[number + 1 :])
                right, error = t.truth(changed)
                moved.append(replace(t, inputs=changed, right=right, error=t.error + error))
        except Fault:
            return None
        steps = [
            replace(m, right=m.right - t.right, got=part(m) - part(t))
            for m, t in zip(moved, trials, strict=True)
        ]
        if (c := constant_between(steps, lambda t: (t.right, t.got))) is not None:
            return c
    return None


def _multiplied(c: float, what: str, t: Trial) -> tuple[str, str]:
    """One part of a derivative is c times what it should be."""
    if np.isclose(c, -1, rtol=1e-4):
        return "sign", f"one part of the derivative has the wrong sign, the one with {what}"
    size, where = constant_name(abs(c), t)
    return (
        "constant factor",
        f"one part of the derivative is {'-' * (c < 0)}{size} times what it should be, the one "
        f"with {what}{where}",
    )


def _reached(t: Trial) -> Any:
    """Which entries of x an entry of y depends on."""
    return (t.right != 0) | (t.got != 0)


def _is_multiple(t: Trial, a: Any, b: Any) -> bool:
    """Whether each column of a is that of b, which varies, times a number of its own, not 0."""
    support = _reached(t)
    varies = np.ptp(np.where(support, b, b.max(axis=0, where=support, initial=-np.inf)), axis=0)
    with np.errstate(all="ignore"):
        c = (a * b).sum(axis=0) / (b * b).sum(axis=0)
    is_factor = np.isfinite(c) & (abs(c) > 1e-9)
    return bool(np.all(is_factor & (varies > 1e-9)) and t.agrees(a, c * b))


def _softmax(x: Any, axis: int) -> Any:
    """e^x / (sum of e^x along the axis), shifted by the largest entry."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _mean(x: Any, axis: int) -> Any:
    """The mean along the axis, in x's shape."""
    return np.broadcast_to(x.mean(axis, keepdims=True), x.shape)


def other_softmax(trials: Trials) -> Found:
    """A softmax over the wrong axis: alone, as of logsumexp, or beside what it is taken from."""
    if not all(t.has_right_shape and t.x.ndim == 2 for t in trials):
        return

    def turned(t: Trial, axis: int) -> Any:
        right, wrong = (_softmax(t.x, each).reshape(-1, 1) for each in (axis, 1 - axis))
        return t.right / right * wrong

    def difference(t: Trial) -> tuple[Any, Any]:
        return t.got - t.right, (_softmax(t.x, 0) - _softmax(t.x, 1)).reshape(-1, 1)

    if any(everywhere(trials, partial(turned, axis=axis)) for axis in (0, 1)) or (
        all(t.y.size == 1 for t in trials) and constant_between(trials, difference)
    ):
        yield "wrong axis", "the softmax was taken over the wrong axis"


def other_extreme(trials: Trials) -> Found:
    """The mask of a max or min along another axis."""
    if not all(t.has_right_shape and t.x.ndim > 1 for t in trials):
        return
    if len({t.right.shape for t in trials}) > 1:
        return
    reached = np.any([_reached(t) for t in trials], axis=0)
    for axis in range(trials[0].x.ndim):
        for extreme in (np.max, np.min):

            def masked(t: Trial, axis: int = axis, extreme: Any = extreme) -> Any:
                """The gradient with its mask at the extremes of this axis."""
                mask = (t.x == extreme(t.x, axis=axis, keepdims=True)).reshape(-1, 1)
                return np.where(mask & reached, np.abs(t.right).max(axis=0), 0)

            if everywhere(trials, masked):
                yield "wrong axis", f"the mask is that of the extremes along axis {axis}"
                return


def one_of_a_pair(trials: Trials) -> Found:
    """y = x x^T and its like: the other part has dL/dy transposed."""
    if not all(t.has_right_shape and t.y.ndim == 2 and len({*t.y.shape}) == 1 for t in trials):
        return

    def both(t: Trial) -> Any:
        turned = t.got.reshape(-1, *t.y.shape).swapaxes(1, 2).reshape(t.got.shape)
        return t.got + turned

    if all(t.agrees(both(t), t.right) for t in trials):
        yield (
            "use forgotten",
            "the input is used twice, and only one of the two parts was counted: the other has "
            "dL/dy transposed",
        )


def beside_a_part(trials: Trials) -> Found:
    """y = x + f(x), as in a residual network, or y = x f(x): a part is wrong, or what is beside it.

    The parts are dL/dy itself, and dL/dy y/x.
    """
    if not all(t.keeps_shape for t in trials):
        return
    parts: list[tuple[str, str, Part]] = [
        ("x + ...", "dL/dy itself", lambda t: np.eye(t.x.size)),
        ("x * ...", "dL/dy y / x", lambda t: np.diag((t.y / t.x).ravel())),
    ]
    for what, name, part in parts:

        def pair(t: Trial, part: Part = part) -> tuple[Any, Any]:
            return t.got - t.right, part(t)

        extra = constant_between(trials, pair)
        if extra == -1 or everywhere(trials, part):
            yield "use forgotten", f"{MISTAKES['use forgotten']}, as if y = {what}"
        elif extra is not None:
            yield _multiplied(1 + extra, name, trials[0])
        else:
            rest = [_without(t, part(t)) for t in trials]
            found = {n: s for mistake in (*SIMPLE, operand_transposed) for n, s in mistake(rest)}
            yield from ((n, f"beside {name}, {s}") for n, s in found.items())
            if not found:
                continue
        return


def _without(t: Trial, part: Any) -> Trial:
    """The trial with a part taken off the right gradient and off the one that was found."""

    def truth(inputs: Sequence[Any]) -> tuple[Any, Any]:
        right, error = t.truth(inputs)
        return right - part, error

    pulled, again = ((part @ dy.ravel()).reshape(t.x.shape) for dy in (t.dy, 2 * t.dy + 1))
    return replace(
        t,
        right=t.right - part,
        got=t.got - part,
        truth=truth,
        pulled=t.pulled - pulled,
        pulled_again=t.pulled_again - again,
    )


TERMS = (wrong_axis, one_term, other_softmax, other_extreme, one_part, one_of_a_pair)
