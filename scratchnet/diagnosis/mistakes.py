"""The mistakes that are known: each predicts, from what is right, what a pullback gives with it.

An explanation holds where its prediction equals all that the pullback gave, at every point. They
come in the order in which they are tried, the simplest first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from scratchnet.diagnosis.trials import Found, Trial, Trials

MISTAKES = {
    "sign": "the gradient has the wrong sign",
    "constant factor": "a constant such as 2, 1/2 or 1/N is missing, or there is one too many",
    "factor of an input": "a factor equal to an input is missing, or there is one too many",
    "factor of the output": "a factor equal to the output is missing, or there is one too many",
    "factor of 1/x": "a factor of one over an input is missing, or there is one too many",
    "transposed": "the gradient is the transpose of the right one",
    "not summed": "the gradient was not summed over an axis along which the input was broadcast",
    "wrong axis": "a sum was taken over another axis than the right one",
    "use forgotten": "the input is used twice, and only one of its two parts was counted",
    "mask inverted": "what the mask lets through is what it should stop",
    "mask forgotten": "the mask is missing: what it should stop is let through",
    "open at the kink": "the mask is open at the kink itself, where it should be closed",
    "derivative at the output": "the derivative was taken at the output instead of at the input",
    "incoming gradient ignored": "dL/dy was not used, as if it were 1",
    "right only where x > 0": "the gradient is right for positive inputs only",
    "float32": "the gradient was rounded to float32 on its way",
    "overwritten": "a second gradient for one node replaced the first instead of being added",
    "changed later": "a gradient was stored by reference, and changed when another was added to it",
}


def everywhere(trials: Trials, predicted: Callable[[Trial], Any]) -> bool:
    """Whether the prediction of the pullback's matrix fits at every point."""
    return all(t.agrees(t.got, predicted(t)) for t in trials)


def sign(trials: Trials) -> Found:
    """The gradient is minus the right one."""
    if everywhere(trials, lambda t: -t.right):
        yield "sign", "the gradient has the wrong sign"


def constant_factor(trials: Trials) -> Found:
    """The gradient is c times the right one, for the same c everywhere."""
    c = constant_between(trials, lambda t: (t.got, t.right))
    if c is None or c in (1.0, -1.0):
        return
    size, where = constant_name(abs(c), trials[0])
    over, _ = constant_name(1 / abs(c), trials[0])
    turned = "has the wrong sign, and " if c < 0 else ""
    if abs(c) > 1:
        rest = f"is {size} times too large{where}: a factor {size} is too many, or {over} missing"
    else:
        rest = f"is {size} of the right one{where}: a factor {over} is missing, or {size} too many"
    yield "constant factor", f"the gradient {turned}{rest}"
    if np.isclose(c, 0.5, rtol=1e-6):
        yield "use forgotten", MISTAKES["use forgotten"]


def constant_between(trials: Trials, pair: Callable[[Trial], tuple[Any, Any]]) -> float | None:
    """The c, not 0, with a = c b at every point for its pair (a, b); None where there is none."""
    c = None
    for t in trials:
        a, b = pair(t)
        if np.shape(a) != np.shape(b):
            return None
        known = np.isfinite(t.error) if np.shape(b) == t.error.shape else np.ones(np.shape(b), bool)
        known &= np.isfinite(a) & np.isfinite(b)
        if c is None:
            square = float(np.sum(np.square(b[known])))
            if not square:
                continue
            with np.errstate(all="ignore"):
                c = float(np.sum(a[known] * b[known]) / square)
            if not 1e-9 < abs(c) < 1e9:
                return None
        if not np.all(t.equal(a, c * b) | ~known):
            return None
    return None if c is None else float(np.round(c, 12)) if abs(c - round(c)) < 1e-8 else c


def constant_name(c: float, t: Trial) -> tuple[str, str]:
    """2, 1/2, N or 1/N: the constant in the words of the shapes where it can be, and what N is."""
    for value, name in ((2.0, "2"), (0.5, "1/2")):
        if np.isclose(c, value, rtol=1e-6):
            return name, ""
    for n in [*t.x.shape, *t.y.shape, t.x.size, t.y.size]:
        if n < 3:
            continue
        named = {"N": n, "1/N": 1 / n, "N/(N - 1)": n / (n - 1), "(N - 1)/N": (n - 1) / n}
        for name, value in named.items():
            if np.isclose(c, value, rtol=1e-6):
                return name, f" (N = {n})"
    inverse = round(1 / c)
    if inverse > 1 and np.isclose(1 / c, inverse, rtol=1e-6):
        return f"1/{inverse}", ""
    return f"{c:.4g}", ""


def incoming_ignored(trials: Trials) -> Found:
    """The pullback gives the same for every dL/dy: the right gradient for dL/dy = 1."""
    if all(t.agrees(t.pulled, t.pulled_again, 1e-12) for t in trials):
        ones = [t.right.sum(1).reshape(t.x.shape) for t in trials]
        fits = all(t.agrees(t.pulled, one) for t, one in zip(trials, ones, strict=True))
        if any(np.any(t.pulled) for t in trials):
            rest = "as if it were 1" if fits else "whatever it is, the gradient is the same"
            yield "incoming gradient ignored", f"the incoming gradient dL/dy was not used, {rest}"


def transposed(trials: Trials) -> Found:
    """The axes of the gradient, of the matrix or of dL/dy are in another order."""
    t = trials[0]
    axes = range(len(t.got_shape))
    for order in itertools.permutations(axes):
        if len(axes) < 2 or len(axes) > 4 or order == tuple(axes):
            continue
        if all(_in_order(t, order) for t in trials):
            yield "transposed", f"the gradient is the transpose of the right one{_shapes(t)}"
            if t.has_right_shape and t.y.size < t.x.size:
                yield (
                    "wrong axis",
                    "dL/dy was spread over another axis than the one that was summed",
                )
            return
    is_square = all(t.keeps_shape for t in trials)
    if is_square and everywhere(trials, lambda t: t.right.T):
        yield (
            "transposed",
            "the pullback multiplies dL/dy by the matrix of derivatives instead of its transpose",
        )
        return
    if all(t.has_right_shape and t.y.ndim == 2 and len({*t.y.shape}) == 1 for t in trials):

        def other(t: Trial) -> Any:
            return t.right.reshape(-1, *t.y.shape).swapaxes(1, 2).reshape(t.right.shape)

        if everywhere(trials, other):
            yield "transposed", "the incoming gradient was transposed"


def _in_order(t: Trial, order: Sequence[int]) -> bool:
    """Whether the gradient is right once its axes are in this order."""
    turned = t.got.reshape(*t.got_shape, t.y.size).transpose(*order, len(order))
    return turned.shape[:-1] == t.x.shape and t.agrees(turned.reshape(t.right.shape), t.right)


def _shapes(t: Trial) -> str:
    """Words for a gradient's wrong shape, none for a right one."""
    if t.has_right_shape:
        return ""
    return f", of shape {t.got_shape} instead of {t.x.shape}"


def wrong_product(trials: Trials) -> Found:
    """Of y = x o or y = o x: dL/dy times o in another order, or with another transpose."""
    for o in range(len(trials[0].inputs)):
        for name, product in _PRODUCTS.items():
            if all(_is_product(t, o) and _equals(t, _made(product, t, o)) for t in trials):
                right = "dL/dy o^T" if _is_product(trials[0], o) == "x o" else "o^T dL/dy"
                yield (
                    "transposed",
                    f"the gradient is {name}: must be {right}, for the other factor o",
                )
                return


_PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "dL/dy o": lambda dy, o: dy @ o,
    "dL/dy o^T": lambda dy, o: dy @ o.T,
    "o dL/dy": lambda dy, o: o @ dy,
    "o^T dL/dy": lambda dy, o: o.T @ dy,
    "dL/dy^T o": lambda dy, o: dy.T @ o,
    "dL/dy^T o^T": lambda dy, o: dy.T @ o.T,
    "o dL/dy^T": lambda dy, o: o @ dy.T,
    "o^T dL/dy^T": lambda dy, o: o.T @ dy.T,
}


def _made(product: Callable[[Any, Any], Any], t: Trial, number: int) -> Any:
    """The product of dy and that input, or None where their shapes do not fit."""
    try:
        return product(t.dy, t.inputs[number])
    except ValueError:
        return None


def _is_product(t: Trial, number: int) -> str | None:
    """Whether y is x o, or o x, for the input of that number."""
    x, o = t.x, t.inputs[number]
    if number == t.argument or x.ndim != 2 or o.ndim != 2 or t.y.ndim != 2:
        return None
    for name, a, b in (("x o", x, o), ("o x", o, x)):
        if a.shape[1] == b.shape[0] and _equals(t, a @ b, t.y):
            return name
    return None


def _equals(t: Trial, a: Any, b: Any = None) -> bool:
    """Whether a has the shape and the numbers of b, the pulled gradient unless it is given."""
    b = t.pulled if b is None else b
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=1e-7, atol=1e-12))


def operand_transposed(trials: Trials) -> Found:
    """Of a product with a square matrix: the right gradient where another input is transposed."""

    def square(t: Trial) -> list[int]:
        return [j for j, x in enumerate(t.inputs) if x.ndim >= 2 and x.shape[-1] == x.shape[-2]]

    for j in square(trials[0]):
        if all(_fits_at(t, j, t.inputs[j].swapaxes(-1, -2)) for t in trials):
            yield "transposed", f"input {j} is used where its transpose should be, or the reverse"


def _fits_at(t: Trial, number: int, values: Any) -> bool:
    """The pullback gives what is right where one input has other values."""
    if not t.has_right_shape:
        return False
    changed = [*t.inputs]
    changed[number] = values
    try:
        right, error = t.truth(changed)
    except Exception:
        return False
    # At a kink, as relu has at all outputs that are 0, nothing is known that could fit.
    if right.shape != t.got.shape or np.isfinite(error).all(axis=1).mean() < 0.8:
        return False
    return bool(np.all(t.equal(t.got, right) | (abs(t.got - right) <= error)))


def not_summed(trials: Trials) -> Found:
    """The gradient has a broadcast shape, and summed to the input's it is right."""
    if all(not t.has_right_shape and t.agrees(_summed(t), t.right) for t in trials):
        t = trials[0]
        if t.got.size == t.right.size:
            yield (
                None,
                f"the numbers are right, but in shape {t.got_shape}: must be the input's, "
                f"{t.x.shape}",
            )
        else:
            yield (
                "not summed",
                f"the gradient was not summed over the axes along which the input was broadcast: "
                f"it has shape {t.got_shape}, the input {t.x.shape}",
            )


def _summed(t: Trial) -> Any:
    """What was got, summed to the shape of the input."""
    got = t.got.reshape(*t.got_shape, t.y.size)
    added = len(t.got_shape) - t.x.ndim
    if added < 0:
        return t.got
    got = got.sum(axis=tuple(range(added)))
    stretched = tuple(i for i, n in enumerate(t.x.shape) if n == 1 and got.shape[i] != 1)
    return got.sum(axis=stretched, keepdims=True).reshape(-1, t.y.size)


def over_axes(trials: Trials) -> Found:
    """Sums of the parts that each entry of y sends, over every set of its axes."""
    if not all(_sends_to_one(t) for t in trials):
        return
    t = trials[0]
    right = _summed_axes(t)
    for count in range(t.y.ndim + 1):
        for axes in itertools.combinations(range(t.y.ndim), count):
            if set(axes) == right:
                continue
            for how, name in ((np.sum, "summed"), (np.mean, "averaged"), (_first, "taken first")):
                if all(_fits_sum(t, axes, how) for t in trials):
                    yield _of_axes(axes, right, name, t)
                    return
    for how, name in ((_first, "first"), (_last, "last")):
        if right and all(_fits_sum(t, tuple(sorted(right)), how) for t in trials):
            yield "not summed", f"only the {name} entry along the broadcast axes was taken, no sum"


def _summed_axes(t: Trial) -> set[int]:
    """The axes of y along which all entries depend on the same one of x."""
    if np.all(t.right.any(axis=0)):
        source = np.argmax(t.right != 0, axis=0).reshape(t.y.shape)
        return {
            i for i in range(t.y.ndim) if t.y.shape[i] > 1 and not np.diff(source, axis=i).any()
        }
    added = t.y.ndim - t.x.ndim
    return {i for i in range(t.y.ndim) if i < added or t.x.shape[i - added] < t.y.shape[i]}


def _of_axes(axes: tuple[int, ...], right: set[int], how: str, t: Trial) -> tuple[str, str]:
    """The mistake and the sentence for sums over these axes in place of the right ones."""
    should = f"must be summed over {axes_named(right)}" if right else "must not be summed"
    if set(axes) < right:
        over = f" over {axes_named(right - set(axes))}"
        return "not summed", f"the gradient of shape {t.got_shape} was not summed{over}: {should}"
    return "wrong axis", f"the gradient was {how} over {axes_named(set(axes))}: it {should}"


def axes_named(axes: set[int]) -> str:
    """The axes in words."""
    return f"ax{'i' if len(axes) == 1 else 'e'}s " + " and ".join(map(str, sorted(axes)))


def _first(values: Any, axis: tuple[int, ...]) -> Any:
    """The first entries along these axes."""
    return values[tuple(0 if i in axis else slice(None) for i in range(values.ndim))]


def _last(values: Any, axis: tuple[int, ...]) -> Any:
    """The last entries along these axes."""
    return values[tuple(-1 if i in axis else slice(None) for i in range(values.ndim))]


def _sends_to_one(t: Trial) -> bool:
    """Whether no entry of y depends on two entries of x."""
    return t.y.ndim > 0 and t.y.size >= t.x.size and bool(np.all((t.right != 0).sum(0) <= 1))


def _fits_sum(t: Trial, axes: tuple[int, ...], how: Callable[..., Any]) -> bool:
    """Whether the gradient is the unsummed one reduced over these axes in this way."""
    parts = np.diag(t.right.sum(0)).reshape(*t.y.shape, t.y.size)
    made = how(parts, axis=axes) if axes else parts
    if made.size != t.got.size:
        return False
    is_shaped = t.has_right_shape or made.shape[:-1] == tuple(n for n in t.got_shape if n != 1)
    is_shaped = is_shaped or made.shape[:-1] == t.got_shape
    return is_shaped and t.agrees(t.got, made.reshape(t.got.shape))


def mask_inverted(trials: Trials) -> Found:
    """The gradient is 0 where the right one is not, and the reverse; or two slopes are swapped."""
    if not all(t.has_right_shape and np.isfinite(t.got).all() for t in trials):
        return
    zero = [(abs(t.got) <= 1e-12, abs(t.right) <= 10 * t.error + 1e-12) for t in trials]
    if len({t.right.shape for t in trials}) == 1:
        reached = np.any([~a | ~b for a, b in zero], axis=0)
        known = [np.isfinite(t.error) for t in trials]
        is_split = any((~a).any() for a, _ in zero) and any((~b).any() for _, b in zero)
        if (
            is_split
            and is_masked(zero)
            and all(
                np.array_equal(a[reached & k], ~b[reached & k])
                for (a, b), k in zip(zero, known, strict=True)
            )
        ):
            yield "mask inverted", "the mask is inverted: it lets through what it should stop"
            return
    values = np.concatenate([t.right[np.isfinite(t.error) & (t.right != 0)] for t in trials])
    two = [] if not values.size else [values.min(), values.max()]
    if (
        two
        and two[0] < two[1] - 1e-6
        and np.all(np.isclose(values, two[0]) | np.isclose(values, two[1]))
    ):
        if two[0] != -two[1] and everywhere(
            trials, lambda t: np.where(t.right == 0, 0.0, two[0] + two[1] - t.right)
        ):
            yield (
                "mask inverted",
                f"the mask is inverted: {two[0]:.4g} stands where {two[1]:.4g} should, and the "
                "reverse",
            )


def is_masked(sets: Sequence[tuple[Any, Any]]) -> bool:
    """Whether what should be 0 and is not is so at some points alone, or in whole lines."""
    if len({b.shape for _, b in sets}) > 1:
        return False
    always = np.all([b for _, b in sets], axis=0)
    lines = always.all(axis=0)[None, :] | always.all(axis=1)[:, None]
    return all(not np.any(~a & always & ~lines) for a, _ in sets)


def right_only_where_positive(trials: Trials) -> Found:
    """All entries that are wrong belong to negative entries of an input."""
    if not all(t.has_right_shape for t in trials):
        return
    for name, sign_of in _signs(trials[0]):
        positive = wrong = negative = 0
        for t in trials:
            signs = sign_of(t)
            equal = t.equal(t.got, t.right)
            used = (t.right != 0) | (t.got != 0)
            signs = np.broadcast_to(signs, used.shape)
            if not np.all(equal[signs > 0]):
                break
            positive += int((used & (signs > 0) & (t.right != 0)).sum())
            negative += int((used & (signs < 0)).sum())
            wrong += int((~equal & (signs < 0)).sum())
        else:
            if positive >= 3 and wrong >= max(3, 0.7 * negative):
                yield "right only where x > 0", f"the gradient is right only where {name} > 0"
                return


def _signs(t: Trial) -> Iterator[tuple[str, Callable[[Trial], Any]]]:
    """Names of inputs, with their signs at the rows or columns of the matrix."""
    for j in this_first(t):
        name = "x" if j == t.argument else f"input {j}"
        if reaches(t.inputs[j], t.x.shape):
            yield name, rows_of(j)
        elif reaches(t.inputs[j], t.y.shape):
            yield name, columns_of(j)


def derivative_at_output(trials: Trials) -> Found:
    """The gradient is the right one at y, or its formula in y was given x."""
    if all(t.keeps_shape for t in trials):
        if all(_fits_at(t, t.argument, t.y) for t in trials):
            yield "derivative at the output", MISTAKES["derivative at the output"]
        elif all(_fits_formula_of_output(t) for t in trials):
            yield (
                "derivative at the output",
                "the derivative's formula in terms of the output y was given the input x",
            )


def _fits_formula_of_output(t: Trial) -> bool:
    """dy/dx = p(y) for a polynomial p with a term in 1/y, and what was got is p(x)."""
    if np.count_nonzero(t.right - np.diag(np.diag(t.right))) or t.y.size < 8:
        return False
    slopes, got = np.diag(t.right), np.diag(t.got)
    x, y = t.x.ravel(), t.y.ravel()
    if not np.all(x * y):
        return False

    def terms(v: Any) -> Any:
        return np.stack([np.ones_like(v), v, v * v, 1 / v], axis=1)

    if not np.isfinite([terms(x), terms(y)]).all():
        return False
    scale = np.abs(slopes).max()
    found, *_ = np.linalg.lstsq(terms(y), slopes, rcond=None)
    is_formula = np.abs(terms(y) @ found - slopes).max() <= 1e-7 * scale
    fits = np.abs(terms(x) @ found - got).max() <= 1e-5 * np.abs(got).max()
    is_diagonal = not np.count_nonzero(t.got - np.diag(got))
    return bool(is_formula and fits and is_diagonal)


def reaches(array: Any, shape: tuple[int, ...]) -> bool:
    """Whether it broadcasts to the shape, axes of size 1 put behind it if need be."""
    return _aligned(array, shape) is not None


def spread(array: Any, shape: tuple[int, ...]) -> Any:
    """The array broadcast to the shape, as one row."""
    return np.broadcast_to(_aligned(array, shape), shape).ravel()


def rows_of(number: int) -> Callable[[Trial], Any]:
    """An input's values beside the rows of the matrix, which belong to entries of x."""
    return lambda t: spread(t.inputs[number], t.x.shape)[:, None]


def columns_of(number: int) -> Callable[[Trial], Any]:
    """An input's values beside the columns of the matrix, which belong to entries of y."""
    return lambda t: spread(t.inputs[number], t.y.shape)[None, :]


def this_first(t: Trial) -> list[int]:
    """The numbers of all inputs, that of x first."""
    return sorted(range(len(t.inputs)), key=lambda j: j != t.argument)


def _aligned(array: Any, shape: tuple[int, ...]) -> Any:
    """The array with axes of length 1 behind it, so that it broadcasts to the shape, or None."""
    for behind in range(len(shape) - np.ndim(array) + 1):
        column = np.reshape(array, (*np.shape(array), *[1] * behind))
        try:
            if np.broadcast_shapes(column.shape, shape) == shape:
                return column
        except ValueError:
            continue
    return None


SIMPLE = (sign, constant_factor, wrong_product, transposed, not_summed, over_axes)
LOCAL = (mask_inverted, right_only_where_positive, derivative_at_output)
