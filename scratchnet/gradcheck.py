"""Is a gradient right? Compare it with differences of the function itself.

The central difference (f(x + h) - f(x - h)) / 2h differs from f'(x) by h^2 f'''/6, and by rounding
of about 1e-16 |f| / h. In float64 with h = 1e-5 both are near 1e-10, so that a gradient which is
wrong by a thousandth stands out clearly; float32 leaves no such h, so it is refused.

A function with more than one output is checked through a weighted sum of its outputs, with random
weights: in a plain sum errors may cancel (the outputs of a softmax always sum to 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.tensor import Tensor, no_grad

STEP = 1e-5
TOLERANCE = 1e-5

Function = Callable[..., Tensor]


class GradientError(AssertionError):
    """A gradient differs from the difference quotient."""


class KinkError(InputError):
    """A point lies at a kink or a jump of the function, where there is no derivative to check."""


def numerical_gradients(function: Function, *tensors: Tensor, step: float = STEP) -> list[Any]:
    """d(sum of function(*tensors)) / d(each tensor) by central differences, entry by entry.

    Returns a NumPy array per tensor, of its shape. Two evaluations per entry. Raises `KinkError`
    where an entry lies within `step` of a kink, and `InputError` for tensors other than float64.
    """
    _check_tensors(tensors)

    def evaluate() -> float:
        return float(function(*tensors).numpy().sum())

    with no_grad():
        floor = _smallest_slope(function, tensors)
        return [
            _numerical_gradient(evaluate, t, number, step, floor)
            for number, t in enumerate(tensors)
        ]


def check_gradients(
    function: Function,
    *tensors: Tensor,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> None:
    """Compare every entry of every tensor's gradient with its central difference.

    The two may differ by `tolerance` times the largest difference quotient of that tensor, or times
    a thousandth of the function's size (at least 0.001) where that is larger. Raises
    `GradientError`, which names the worst entry and both values, or says that a gradient has
    another shape than its tensor; and as `numerical_gradients` does.
    """
    weighted = _weighted(function, tensors, seed)
    gradients = _gradients(weighted, tensors)
    floor = _smallest_slope(weighted, tensors)
    expected = numerical_gradients(weighted, *tensors, step=step)
    for number, (gradient, numerical) in enumerate(zip(gradients, expected, strict=True)):
        if gradient.size == 0:
            continue
        difference = np.abs(gradient - numerical)
        worst = np.unravel_index(np.argmax(np.nan_to_num(difference, nan=np.inf)), difference.shape)
        if not difference[worst] <= tolerance * max(floor, np.abs(numerical).max()):
            raise GradientError(
                f"gradient of tensor {number} at {tuple(int(i) for i in worst)} is "
                f"{gradient[worst]:.9g}, the difference quotient {numerical[worst]:.9g}"
            )


def check_directional_gradient(
    function: Function,
    *tensors: Tensor,
    step: float = STEP,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> None:
    """Compare the slope along one random direction u, over all tensors at once, with sum g u.

    Two evaluations in all, however many entries there are: for whole networks. Raises
    `GradientError` and `KinkError` as `check_gradients` does.
    """
    weighted = _weighted(function, tensors, seed)
    gradients = _gradients(weighted, tensors)
    rng = np.random.default_rng(seed)
    direction = [rng.standard_normal(tensor.shape) for tensor in tensors]
    norm = np.sqrt(sum(float((u * u).sum()) for u in direction)) or 1.0
    direction = [u / norm for u in direction]
    slope = sum(float((g * u).sum()) for g, u in zip(gradients, direction, strict=True))
    before = [tensor.backend.copy(tensor.data) for tensor in tensors]

    def restore() -> None:
        for tensor, start in zip(tensors, before, strict=True):
            tensor.data[...] = start

    def at(distance: float) -> float:
        restore()
        # Added, not set: one tensor may be given twice, and moves along both of its directions.
        for tensor, u in zip(tensors, direction, strict=True):
            tensor.data[...] += tensor.backend.asarray(distance * u)
        return float(weighted(*tensors).numpy().sum())

    floor = _smallest_slope(weighted, tensors)
    try:
        with no_grad():
            numerical = _slope(at, step, floor, "the random direction")
    finally:
        restore()
    if not abs(slope - numerical) <= tolerance * max(floor, abs(numerical)):
        raise GradientError(
            f"slope along the random direction is {slope:.9g}, the difference quotient "
            f"{numerical:.9g}"
        )


def _numerical_gradient(
    evaluate: Callable[[], float], tensor: Tensor, number: int, step: float, floor: float
) -> Any:
    gradient = np.empty(tensor.shape)
    for place in np.ndindex(*tensor.shape):
        value = tensor.data[place].copy()

        def at(distance: float, place: Any = place, value: Any = value) -> float:
            tensor.data[place] = value + distance
            try:
                return evaluate()
            finally:
                tensor.data[place] = value

        gradient[place] = _slope(at, step, floor, f"tensor {number} at {place}")
    return gradient


def _slope(at: Callable[[float], float], step: float, floor: float, what: str) -> float:
    """The central difference at 0, or `KinkError` where the function has no slope there.

    The slopes to the right and to the left differ by h f'' where f is smooth, so they grow together
    as h shrinks, and the central differences hardly change. At a kink the two slopes stay apart; a
    kink beside the point makes the central differences jump.
    """
    central, gap = _slopes(at, step)
    small = 1e-4 * max(floor, abs(central))
    if gap > small:
        finer, finer_gap = _slopes(at, step / 8)
        if finer_gap > gap / 4 or abs(finer - central) > small:
            raise KinkError(f"{what} lies within {step} of a kink or a jump: check another point")
    if not np.isfinite(central):
        raise InputError(f"the function is not finite within {step} of {what}")
    return central


def _slopes(at: Callable[[float], float], step: float) -> tuple[float, float]:
    """The central difference, and how far the slopes to the right and to the left are apart."""
    left, middle, right = at(-step), at(0.0), at(step)
    return (right - left) / (2 * step), abs(right - 2 * middle + left) / step


def _smallest_slope(function: Function, tensors: tuple[Tensor, ...]) -> float:
    """The smallest slope that differences can measure well.

    They hold rounding errors of about 1e-11 times the function's size, and where the slope is 0, a
    truncation error; both stay below 1e-8 times the size, which is TOLERANCE times this.
    """
    with no_grad():
        return 1e-3 * max(1.0, float(np.abs(function(*tensors).numpy()).sum()))


def _weighted(function: Function, tensors: tuple[Tensor, ...], seed: int) -> Function:
    """The function's outputs times random weights between 0.5 and 1.5."""
    _check_tensors(tensors)
    with no_grad():
        output = function(*tensors)
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, output.shape)
    constant = output.backend.asarray(weights)
    return lambda *tensors: function(*tensors) * constant


def _gradients(weighted: Function, tensors: tuple[Tensor, ...]) -> list[Any]:
    """The gradients that `backward()` leaves, as NumPy arrays."""
    # Set aside, since a model's gradients are views of its buffer.
    kept = [tensor.grad for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    try:
        weighted(*tensors).backward()
        return [_as_numpy(tensor, number) for number, tensor in enumerate(tensors)]
    finally:
        for tensor, gradient in zip(tensors, kept, strict=True):
            tensor.grad = gradient


def _as_numpy(tensor: Tensor, number: int) -> Any:
    """The tensor's gradient; zeros where the function does not depend on it."""
    if tensor.grad is None:
        return np.zeros(tensor.shape)
    if tensor.grad.shape != tensor.shape:
        raise GradientError(
            f"gradient of tensor {number} has shape {tensor.grad.shape}, the tensor "
            f"{tensor.shape}: a forgotten sum over the axes that were broadcast?"
        )
    return tensor.backend.to_numpy(tensor.grad)


def _check_tensors(tensors: tuple[Tensor, ...]) -> None:
    for number, tensor in enumerate(tensors):
        if tensor.dtype != "float64":
            raise InputError(f"tensor {number} is {tensor.dtype}: differences need float64")
