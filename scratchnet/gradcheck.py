"""Is a gradient right? Compare it with differences of the function itself.

For a step h there are the differences to the right, r = (f(x + h) - f(x)) / h, and to the left,
l = (f(x) - f(x - h)) / h. Their mean D(h) = (r + l) / 2 differs from f'(x) by h^2 f'''/6, so that

    slope = D(h/2) + (D(h/2) - D(h)) / 3        is wrong by an order of h^4 only   (Richardson)

and three numbers say how far it can be trusted:

    rounding      16 (eps |f| + eps |D| |x| + n) / h, since f and x + h are rounded; n is by how
                  much f changes where x moves by a few units of rounding
    truncation    |D(h/2) - D(h)|, which shrinks as h^2 where f is smooth
    kink          |2 s(h/2) - s(h)| with s = r - l; s is h f'' where f is smooth, so that this
                  shrinks as h^3; at a kink or a jump it does not

A smaller step makes the first larger and the others smaller. So h starts at `step` times the size
of x, goes down or up by factors of 32 until the sum of the three is small, and the best is taken
(Press et al., "Numerical Recipes", 3rd edition 2007, section 5.7). The differences are taken for
each output and summed afterwards: a large constant cancels before it is summed.

A function with more than one output is checked through a weighted sum of its outputs, with random
weights: in a plain sum errors may cancel (the outputs of a softmax always sum to 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.diagnosis import (
    MISTAKES,
    Explanation,
    diagnosis,
    explain_gradient,
    explain_pullback,
    explain_walk,
)
from scratchnet.tensor import Tensor, no_grad

__all__ = [
    "MISTAKES",
    "Explanation",
    "GradientError",
    "KinkError",
    "UndecidedError",
    "check_directional_gradient",
    "check_gradients",
    "explain_gradient",
    "explain_pullback",
    "explain_walk",
    "numerical_gradients",
]

STEP = 1e-5
TOLERANCE = 1e-5

Function = Callable[..., Tensor]
Outputs = Callable[[float], Any]


class GradientError(AssertionError):
    """A gradient differs from the difference quotient."""


class KinkError(InputError):
    """A point lies at a kink or a jump of the function, where there is no derivative to check."""


class UndecidedError(InputError):
    """Rounding errors hide the slope: no step tells a right gradient from a wrong one."""


def numerical_gradients(function: Function, *tensors: Tensor, step: float = STEP) -> list[Any]:
    """d(sum of function(*tensors)) / d(each tensor) by differences, entry by entry.

    Returns a NumPy array per tensor, of its shape. `step` is relative to the largest entry of a
    tensor, and the first that is tried; each takes four evaluations per entry. Raises `KinkError`
    for an entry at a kink, `UndecidedError` where rounding hides the slope, and `InputError` where
    the function is not finite, and for tensors other than float64: float32 leaves no good step.
    """
    return [values for values, _ in _measure(function, tensors, step)]


def check_gradients(
    function: Function,
    *tensors: Tensor,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> None:
    """Compare every entry of every tensor's gradient with its difference quotient.

    The two may differ by `tolerance` times the quotient, plus the error that the quotient may have.
    Raises `GradientError`, which names the worst entry and both values, or says that a gradient has
    another shape than its tensor, and which mistake explains it (see `explain_gradient`); and as
    `numerical_gradients` does.
    """
    weighted = _weighted(function, tensors, seed)
    try:
        gradients = _gradients(weighted, tensors)
    except GradientError as misshaped:
        raise GradientError(f"{misshaped}{diagnosis(function, tensors)}") from None
    measured = _measure(weighted, tensors, step)
    for number, (gradient, (numerical, error)) in enumerate(zip(gradients, measured, strict=True)):
        if gradient.size == 0:
            continue
        allowed = error + tolerance * np.abs(numerical)
        excess = np.nan_to_num(np.abs(gradient - numerical) - allowed, nan=np.inf)
        worst = np.unravel_index(np.argmax(excess), excess.shape)
        if excess[worst] > 0:
            raise GradientError(
                f"gradient of tensor {number} at {tuple(int(i) for i in worst)} is "
                f"{gradient[worst]:.9g}, the difference quotient {numerical[worst]:.9g}"
                + diagnosis(function, tensors, number)
            )


def check_directional_gradient(
    function: Function,
    *tensors: Tensor,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> None:
    """Compare the slope along one random direction u, over all tensors at once, with sum g u.

    Five evaluations for the first step, however many entries there are: for whole networks. `step`
    is relative to the largest entry of all tensors. Raises as `check_gradients` does.
    """
    weighted = _weighted(function, tensors, seed)
    gradients = _gradients(weighted, tensors)
    rng = np.random.default_rng(seed)
    direction = [rng.standard_normal(tensor.shape) for tensor in tensors]
    norm = np.sqrt(sum(float((u * u).sum()) for u in direction)) or 1.0
    direction = [u / norm for u in direction]
    slope = sum(float((g * u).sum()) for g, u in zip(gradients, direction, strict=True))
    size = _size(*tensors)
    with no_grad():
        middle, noise = weighted(*tensors).numpy(), _noise(weighted, tensors, step)
        at = _along(weighted, tensors, direction)
        measured = _slope(at, middle, noise, size, step * size)
    _require_decided([measured], ["the random direction"], 0.0)
    allowed = measured.error + tolerance * abs(measured.value)
    allowed += _negligible(_largest([measured]))
    if not abs(slope - measured.value) <= allowed:
        raise GradientError(
            f"slope along the random direction is {slope:.9g}, the difference quotient "
            f"{measured.value:.9g}"
        )


# Measuring a slope.


@dataclass(frozen=True)
class Slope:
    """A slope measured with one step, the larger of its one-sided differences, and its errors."""

    value: float = 0.0
    one_sided: float = 0.0
    rounding: float = 0.0
    truncation: float = np.inf
    kink: float = 0.0

    @property
    def error(self) -> float:
        """By how much the slope may be wrong: the three errors together."""
        return self.rounding + self.truncation + self.kink

    @property
    def is_hidden(self) -> bool:
        """What was measured is no larger than rounding errors."""
        return abs(self.value) <= self.rounding and not self.is_rough

    @property
    def is_rough(self) -> bool:
        """The function is not smooth here, by more than rounding errors."""
        return self.truncation + self.kink > 4 * self.rounding


def _slope(at: Outputs, middle: Any, noise: Any, x: float, step: float) -> Slope:
    """The slope at distance 0, of all steps tried the one with the smallest error.

    `x` is the size of what is moved: a step as large as that, or 1, is the largest. The one-sided
    difference is the first step's where that is larger: at 0, that of x^3 shrinks with its errors.
    """
    best, first, tried, power = Slope(), 0.0, set[int](), 0
    while power not in tried and power > -13 and (power <= 0 or step * 32.0**power <= max(x, 1.0)):
        tried.add(power)
        now = _slope_with(at, middle, noise, x, step * 32.0**power)
        first = first or max(0.0, now.one_sided - now.rounding)
        if now.error < best.error:
            best = now
        if now.error <= 0.1 * TOLERANCE * abs(now.value):
            break
        power += 1 if now.rounding > now.truncation + now.kink else -1
    return replace(best, one_sided=max(best.one_sided, first))


def _slope_with(at: Outputs, middle: Any, noise: Any, x: float, step: float) -> Slope:
    """The slope along a direction by this step and its half, with bounds of its errors."""
    with np.errstate(all="ignore"):
        slopes, gaps, sizes, has_moved = [], [], [], np.zeros(middle.shape, bool)
        for h in (step, step / 2):
            right, left = at(h), at(-h)
            has_moved |= (right != middle) | (left != middle)
            rise, fall = (right - middle).sum() / h, (middle - left).sum() / h
            slopes.append((rise + fall) / 2)
            gaps.append(rise - fall)
            sizes.append(max(abs(rise), abs(fall)))
        if not np.isfinite([*slopes, *gaps]).all():
            return Slope()
        eps = np.finfo(middle.dtype).eps
        # An output that does not depend on what is moved does not add its noise.
        hidden = noise[has_moved].sum()
        return Slope(
            value=float(slopes[1] + (slopes[1] - slopes[0]) / 3),
            one_sided=float(sizes[1]),
            rounding=float(16 * (eps * (np.abs(right).sum() + sizes[1] * x) + hidden) / step),
            truncation=float(abs(slopes[1] - slopes[0])),
            kink=float(abs(2 * gaps[1] - gaps[0])),
        )


def _require_decided(slopes: list[Slope], names: list[str], largest: float) -> None:
    """Raise unless each slope is known well enough to reject a gradient that is wrong by 0.01.

    Its error must be below 0.003 of the slope, or 1e-6 of the largest slope of any tensor. Where a
    tensor's slopes are all hidden by rounding they count as 0 if the errors are below 0.001.
    """
    all_hidden = 1e-3 * all(slope.is_hidden for slope in slopes)
    smallest = max(1e-6 * largest, all_hidden)
    for name, slope in zip(names, slopes, strict=True):
        if not np.isfinite(slope.error):
            raise InputError(f"the function is not finite near {name}")
        if slope.error <= max(3e-3 * slope.one_sided, smallest):
            continue
        if slope.is_rough:
            raise KinkError(f"{name} lies at a kink or a jump: check another point")
        raise UndecidedError(
            f"{name} cannot be decided: the slope is {slope.value:.3g}, with a rounding error of "
            f"up to {slope.rounding:.3g}; the outputs or the inputs are too large beside it"
        )


def _measure(function: Function, tensors: tuple[Tensor, ...], step: float) -> list[tuple[Any, Any]]:
    """For each tensor the slopes at its entries and their errors, as arrays of its shape."""
    _check_tensors(tensors)
    with no_grad():
        middle, noise = function(*tensors).numpy(), _noise(function, tensors, step)
        found: list[list[Slope]] = []
        for tensor in tensors:
            found.append([])
            for place in np.ndindex(*tensor.shape):
                one = np.zeros(tensor.shape)
                one[place] = 1.0
                at = _along(lambda *_: function(*tensors), (tensor,), [one])
                x = abs(float(tensor.data[place]))
                found[-1].append(_slope(at, middle, noise, x, step * _size(tensor)))
    largest = _largest([slope for slopes in found for slope in slopes])
    measured = []
    for number, (tensor, slopes) in enumerate(zip(tensors, found, strict=True)):
        names = [f"tensor {number} at {place}" for place in np.ndindex(*tensor.shape)]
        _require_decided(slopes, names, largest)
        values = [slope.value for slope in slopes]
        errors = [slope.error + _negligible(largest) for slope in slopes]
        measured.append((np.reshape(values, tensor.shape), np.reshape(errors, tensor.shape)))
    return measured


def _along(function: Function, tensors: tuple[Tensor, ...], direction: Sequence[Any]) -> Outputs:
    """The outputs with all tensors moved by a distance along a direction; they are put back."""

    def at(distance: float) -> Any:
        """The outputs at this distance."""
        before = [tensor.backend.copy(tensor.data) for tensor in tensors]
        try:
            # Added, not set: one tensor may be given twice, and moves along both of its directions.
            for tensor, u in zip(tensors, direction, strict=True):
                tensor.data[...] += tensor.backend.asarray(distance * u)
            return function(*tensors).numpy()
        finally:
            for tensor, start in zip(tensors, before, strict=True):
                tensor.data[...] = start

    return at


def _noise(function: Function, tensors: tuple[Tensor, ...], step: float) -> Any:
    """By how much rounding changes each output: what cancels inside leaves more than outputs show.

    The outputs at eight points, a fraction of a step or a few units of rounding apart, differ
    smoothly but for rounding. Fourth differences of numbers with a standard deviation s have one of
    s sqrt(70), and leave nothing of a smooth curve (More and Wild, "Estimating computational
    noise", 2011). On the two sides of x each for itself, so that a kink at x or beside it is none.
    """
    rng = np.random.default_rng(0)
    signs = [rng.choice([-1.0, 1.0], tensor.shape) for tensor in tensors]
    found = []
    with np.errstate(all="ignore"):
        for distance in (step / 8, np.finfo(float).eps):
            moves = [distance * sign * t.numpy() for sign, t in zip(signs, tensors, strict=True)]
            at = _along(function, tensors, moves)
            sides = [[at(side * k) for k in range(1, 9)] for side in (1.0, -1.0)]
            bends = [np.abs(np.diff(values, 4, axis=0)).max(axis=0) for values in sides]
            found.append(np.fmin(*bends) / np.sqrt(70))
        return np.nan_to_num(np.fmax(*found), nan=0.0, posinf=0.0)


def _largest(slopes: list[Slope]) -> float:
    """The largest slope that is not hidden by rounding; 0 where there is none."""
    return max((slope.one_sided for slope in slopes if not slope.is_hidden), default=0.0)


def _negligible(largest: float) -> float:
    """What a gradient's own rounding leaves where it should be 0."""
    return 1e-12 * (largest or 1.0)


def _size(*tensors: Tensor) -> float:
    """The largest magnitude of an entry; 1 where all are 0, or would be when raised to a power."""
    size = max((float(np.abs(t.numpy()).max(initial=0.0)) for t in tensors), default=0.0)
    return size if size > 1e-30 else 1.0


def _weighted(function: Function, tensors: tuple[Tensor, ...], seed: int) -> Function:
    """The function's outputs times random weights between 0.5 and 1.5."""
    _check_tensors(tensors)
    with no_grad():
        output = function(*tensors)
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, output.shape)
    constant = output.backend.asarray(weights)
    return lambda *tensors: function(*tensors) * constant


def _gradients(weighted: Function, tensors: tuple[Tensor, ...]) -> list[Any]:
    """The gradients that `backward()` leaves, as NumPy arrays; afterwards all are as before."""
    copies = [None if t.grad is None else t.backend.copy(t.grad) for t in tensors]
    kept = [(t.grad, copied, t.reached) for t, copied in zip(tensors, copies, strict=True)]
    for tensor in tensors:
        tensor.grad = None
    try:
        weighted(*tensors).backward()
        return [_as_numpy(tensor, number) for number, tensor in enumerate(tensors)]
    finally:
        for tensor, (gradient, numbers, reached) in zip(tensors, kept, strict=True):
            tensor.grad, tensor.reached = gradient, reached
            if tensor.grad is not None:
                tensor.grad[...] = numbers  # of a model's parameter it is always the same array


def _as_numpy(tensor: Tensor, number: int) -> Any:
    """A copy of the tensor's gradient; zeros where the function does not depend on it."""
    if tensor.grad is None:
        return np.zeros(tensor.shape)
    if tensor.grad.shape != tensor.shape:
        raise GradientError(
            f"gradient of tensor {number} has shape {tensor.grad.shape}, the tensor "
            f"{tensor.shape}: a forgotten sum over the axes that were broadcast?"
        )
    return np.array(tensor.backend.to_numpy(tensor.grad))


def _check_tensors(tensors: tuple[Tensor, ...]) -> None:
    """Raise `InputError` unless all tensors are float64."""
    for number, tensor in enumerate(tensors):
        if tensor.dtype != "float64":
            raise InputError(f"tensor {number} is {tensor.dtype}: differences need float64")
