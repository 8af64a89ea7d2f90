"""Which mistake explains that a gradient is wrong."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.diagnosis.entries import ENTRIES, wrong_places
from scratchnet.diagnosis.factors import factors, functions_as_factors
from scratchnet.diagnosis.kinks import FoundAt, error_of_differences, faults_at_kinks
from scratchnet.diagnosis.mistakes import (
    LOCAL,
    SIMPLE,
    incoming_ignored,
    operand_transposed,
)
from scratchnet.diagnosis.rounding import rounded_to_decimals, rounded_to_float32
from scratchnet.diagnosis.subjects import Fault, Subject, of_arrays, of_tensors
from scratchnet.diagnosis.terms import TERMS, beside_a_part, entry_alone
from scratchnet.diagnosis.trials import (
    LARGEST,
    Trial,
    by_differences,
    drawn_points,
    nearby_points,
    telling_shapes,
    trials_at,
)
from scratchnet.diagnosis.uses import uses_forgotten
from scratchnet.tensor import Tensor

Named = tuple[str | None, str]
Graph = tuple[Callable[..., Tensor], Sequence[Tensor]]
"""The reference, and tensors like those that it is given."""
UNKNOWN = "none of the mistakes known here explains the gradient"

ROUNDING = 64 * float(np.finfo(float).eps)

NOT_LINEAR = "the pullback is not linear in dL/dy: must multiply it by what depends on x alone"


@dataclass(frozen=True)
class Explanation:
    """A mistake that explains a wrong gradient: `str()` gives the sentence and its evidence.

    `mistake` is a name from `MISTAKES`, or None where none of them explains it; then the sentence
    says what is known. `evidence` has the numbers of one entry. `argument` is the tensor's number.
    """

    mistake: str | None
    sentence: str
    evidence: str = ""
    argument: int | None = None

    def __str__(self) -> str:
        return f"{self.sentence} ({self.evidence})" if self.evidence else self.sentence


def explain_gradient(
    function: Callable[..., Tensor],
    *tensors: Tensor,
    reference: Callable[..., Tensor] | None = None,
    seed: int = 0,
) -> list[Explanation]:
    """The mistakes that explain why the gradients of function(*tensors) are wrong, simplest first.

    The gradient of each tensor that requires one is compared with differences of the function in
    float64, or with the gradient of `reference`, the same function with a right one. The tensors
    say which shapes and values the function takes: the gradient is tried at three points of that
    range, with axes of distinct lengths where the function takes those, and an explanation must
    fit at all of them. It is tried at the tensors as well, and where one of them is 0: kinks may
    lie there. At a kink it must be that of the reference. Without one any number between the slopes
    on both sides is right there, but for |x|, relu and leaky_relu, and where the engine's ops are
    used, which choose by the table in `scratchnet.ops`.

    Returns no explanation where every gradient is right, and one without a name where none of
    `MISTAKES` explains a wrong one, or where the function or its pullback fails. Never raises what
    the function raises; `InputError` for no tensors, for arguments that are none or not finite, and
    for a seed that is no integer of 0 or more.
    """
    if not tensors or not all(isinstance(each, Tensor) for each in tensors):
        raise InputError("explain_gradient(function, *tensors): must be given at least one Tensor")
    subject = of_tensors(function, tensors, "the function")
    right = reference and of_tensors(reference, tensors, "the reference")
    given = [_usable(tensor.numpy(), f"tensor {number}") for number, tensor in enumerate(tensors)]
    wanted = [number for number, tensor in enumerate(tensors) if tensor.requires_grad]
    graph = (reference, tensors) if reference else None
    return _explained(subject, right, given, wanted, _seed(seed), graph)


def explain_pullback(
    forward: Callable[..., Any],
    pullback: Callable[..., Any],
    *arrays: Any,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
) -> list[Explanation]:
    """As `explain_gradient`, for y = forward(*arrays) and a pullback by hand, of NumPy arrays.

    pullback(gradient, *arrays) gets dL/dy, of y's shape, and returns dL/d(array) for the only
    array, or a tuple of one per array. `reference` is a pullback that is right. The arrays say
    which shapes and values to try. They become float64, so none can be an index, and each needs a
    gradient: a constant, as a target, belongs into both functions. `InputError` for no arrays, for
    one that is not of finite real numbers, and for a seed that is no integer of 0 or more.
    """
    if not arrays:
        raise InputError("explain_pullback(forward, pullback, *arrays): must be given an array")
    subject = of_arrays(forward, pullback, len(arrays), "the pullback")
    right = reference and of_arrays(forward, reference, len(arrays), "the reference")
    given = [_usable(array, f"array {number}") for number, array in enumerate(arrays)]
    return _explained(subject, right, given, range(len(arrays)), _seed(seed), None)


def _usable(values: Any, name: str) -> Any:
    """A copy in float64."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is a ragged list: must be an array of real numbers") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has type {array.dtype}: must be an array of real numbers")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)].flat[0]
        raise InputError(f"{name} contains {bad}: must be finite")
    return np.array(array, "float64")


def _seed(seed: Any) -> int:
    """The seed as an integer; `InputError` unless it is one of 0 or more."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise InputError(f"seed is {seed!r}: must be an integer of 0 or more")
    return number


def diagnosis(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], argument: int | None = None
) -> str:
    """What to append to the message of a gradient that is wrong: at most two sentences.

    Of one tensor, or of all. Empty where nothing is found to say, and whatever goes wrong here.
    """
    try:
        subject = of_tensors(function, tensors, "the function")
        given = [np.array(tensor.numpy(), "float64") for tensor in tensors]
        wanted = [argument] if argument is not None else range(len(tensors))
        wanted = [number for number in wanted if tensors[number].requires_grad]
        found = _explained(subject, None, given, wanted, 0, None)
    except Exception:
        return ""
    return "".join(f"{mark}{e.sentence}" for mark, e in zip(("; ", "; or: "), found, strict=False))


@np.errstate(all="ignore")
def _explained(
    subject: Subject,
    reference: Subject | None,
    given: Sequence[Any],
    wanted: Sequence[int],
    seed: int,
    graph: Graph | None,
) -> list[Explanation]:
    """The explanations of all wrong gradients of these arguments, or of what was raised."""
    rng = np.random.default_rng(seed)
    if any(np.size(each) == 0 for each in given):
        return []
    try:
        _require_sound(subject, reference, given)
        near, far = _drawn(subject, reference, given, rng)
        points = near or far
        found: list[Explanation] = []
        trials: list[list[Trial]] = [[] for _ in wanted]
        if reference or not all(_is_right_along(subject, p, wanted, rng) for p in points):
            trials = _by_argument(subject, reference, points, wanted, rng)
        far_trials: list[list[Trial]] = []
        for place, argument in enumerate(wanted):
            these: Sequence[Trial] = trials[place]
            named = list(rounded_to_float32(subject, these, rng)) if these else []
            if not named and not _are_right(these):
                if not near and _is_right_along(subject, given, [argument], rng, 1e-6) is not False:
                    continue
                named = _fitting(these, graph)
                if near and far:
                    far_trials = far_trials or _by_argument(subject, reference, far, wanted, rng)
                    named, these = _in_both(named, these, far_trials[place], graph)
                if named[0][0] in (None, "wrong axis"):
                    named = _swapped(trials, place) or named
                elif [name for name, _ in named] == ["mask inverted"]:
                    named += _swapped(trials, place)
            if not named:
                at_given = near and _at_given(subject, reference, given, argument, rng)
                at_point = at_given or _at_zero(subject, reference, given, argument, points[0], rng)
                for name, sentence, t in at_point[:1]:
                    named, these = [(name, sentence)], [t]
            if not named:
                named = list(_changed_later(subject, points, argument))
            evidence = (
                _evidence(next((t for t in these if not t.is_right), these[0])) if these else ""
            )
            found += [Explanation(*pair, evidence, argument) for pair in named]
        return found
    except Fault as fault:
        return [Explanation(fault.mistake, fault.sentence)]


def _require_sound(subject: Subject, reference: Subject | None, given: Sequence[Any]) -> None:
    """Raise `Fault` where the function has no value to differentiate, or another every time."""
    y = subject.value(given)
    if not np.isfinite(y).all():
        raise Fault("the function is not finite at the given inputs: give others")
    if not np.array_equal(y, subject.value(given)):
        raise Fault("the function gives another value each time: fix what it draws at random")
    if reference is not None:
        other = reference.value(given)
        if other.shape != y.shape or not np.allclose(other, y, rtol=1e-6, atol=1e-12):
            raise Fault("the reference is another function: its value differs")
    subject.at(given)[1](np.ones(y.shape))


Points = list[tuple[Any, ...]]


def _drawn(
    subject: Subject, reference: Subject | None, given: Sequence[Any], rng: Any
) -> tuple[Points, Points]:
    """Points with the shapes given, and points with others that tell more, where there are any.

    Of the first there are none where the arrays are too large. A gradient that is right for the
    shapes given is not blamed: a function may work with those alone, and compute nonsense for
    others without an error.
    """

    def usable(inputs: Sequence[Any], is_pulled: bool = False) -> bool:
        """Whether values are finite and few at these inputs, and with `is_pulled` pull back."""
        try:
            y = subject.value(inputs)
            if reference is not None:
                reference.value(inputs)
            if not (np.isfinite(y).all() and _is_small(inputs, y)):
                return False
            if is_pulled:
                subject.at(inputs)[1](np.ones(y.shape))
        except Fault:
            return False
        return True

    near: Points = []
    if _is_small(given, subject.value(given)):
        shapes = [np.shape(x) for x in given]
        near = drawn_points(given, shapes, rng, usable) or nearby_points(given, rng, usable)
    for shapes in telling_shapes(given):
        if far := drawn_points(given, shapes, rng, partial(usable, is_pulled=True)):
            return near, far
    if not near:
        raise Fault("the arrays are too large to explain a gradient: give smaller ones")
    return near, []


def _is_small(inputs: Sequence[Any], y: Any) -> bool:
    """Whether a Jacobian between arrays of these sizes is affordable."""
    return max(map(np.size, inputs)) + y.size <= LARGEST


def _by_argument(
    subject: Subject, reference: Subject | None, points: Points, wanted: Sequence[int], rng: Any
) -> list[list[Trial]]:
    """For each argument, its trials at all points."""
    at_points = [trials_at(subject, reference, point, wanted, rng) for point in points]
    return [list(trials) for trials in zip(*at_points, strict=True)]


def _are_right(trials: Sequence[Trial]) -> bool:
    """Whether all gradients are right, and linear in dy."""
    return all(t.is_right and _is_linear(t) for t in trials)


def _is_linear(t: Trial) -> bool:
    """Whether the pullback of dy is the sum of the pullbacks of its entries, up to rounding."""
    pulled, added = t.pulled.ravel(), t.got @ t.dy.ravel()
    if t.got.shape != t.right.shape:
        return t.agrees(pulled, added)
    # Of slopes that cancel, as in the sum of x - mean(x), the pullback's own terms leave rounding.
    cancels = np.all(np.abs(t.right) <= 10 * t.error + ROUNDING * (not t.error.any()), axis=1)
    rounding = (t.rounding + ROUNDING * cancels) * np.abs(t.dy).sum()
    return t.agrees(pulled, added) or bool(np.all(np.abs(pulled - added) <= rounding))


def _is_right_along(
    subject: Subject, point: Sequence[Any], wanted: Sequence[int], rng: Any, tolerance: float = 1e-9
) -> bool | None:
    """Whether the slope along one direction is the gradient's, for two random dL/dy.

    A gradient that is wrong anywhere is wrong along a random direction. None where the slope is not
    known well enough, as at a kink, and for another type than float64.
    """
    y, pull = subject.at(point)
    directions = [rng.standard_normal(np.shape(point[number])) for number in wanted]

    def at(distance: Sequence[Any]) -> Any:
        """The value where each argument is moved by that distance along its direction."""
        moved = [*point]
        for number, u in zip(wanted, directions, strict=True):
            moved[number] = point[number] + distance[0] * u
        return subject.value(moved)

    (slopes,), (errors,) = by_differences(Subject(at, subject.at), 0)([np.zeros(())])
    for _ in range(2):
        dy = rng.standard_normal(y.shape)
        pulled = pull(dy)
        gradients = [pulled[number] for number in wanted]
        if any(g.shape != u.shape for g, u in zip(gradients, directions, strict=True)):
            return False
        if any(g.dtype != float for g in gradients):
            return None
        parts = [(g * u).ravel() for g, u in zip(gradients, directions, strict=True)]
        along = dy.ravel() * slopes
        size = sum(abs(each).sum() for each in (*parts, along))
        error = abs(dy.ravel()) @ errors
        gap = abs(sum(each.sum() for each in parts) - along.sum())
        if gap > tolerance * size + 10 * error:
            return False
        if not (np.isfinite(gap) and error <= tolerance * size):
            return None
    return True


def _in_both(
    named: list[Named], near: Sequence[Trial], far: Sequence[Trial], graph: Graph | None
) -> tuple[list[Named], Sequence[Trial]]:
    """Of the explanations for the shapes given, those that fit the other shapes as well."""
    if _are_right(far):
        return named, near
    more = _fitting(far, graph)
    names = {name for name, _ in named} - {None}
    common = [pair for pair in more if pair[0] in names]
    return (common, far) if common else (named, near)


def _swapped(trials: Sequence[Sequence[Trial]], place: int) -> list[Named]:
    """The gradient is that of another input."""
    for other in trials:
        pairs = list(zip(trials[place], other, strict=True))
        if other is not trials[place] and all(
            a.got_shape == b.x.shape and b.agrees(a.got, b.right) for a, b in pairs
        ):
            return [(None, f"this is the gradient of input {other[0].argument}")]
    return []


def _fitting(trials: Sequence[Trial], graph: Graph | None) -> list[Named]:
    """All explanations of the first stage in which there are some."""
    if not all(np.isfinite(t.got).all() for t in trials):
        return [(None, "the gradient is not finite where the function is")]
    if any(np.abs(t.right).max(initial=0) > 0 for t in trials) and not any(
        np.any(t.got) for t in trials
    ):
        return [(None, "the gradient is 0 everywhere, and should not be")]
    if not all(map(_is_linear, trials)):
        return list(incoming_ignored(trials)) or [(None, rounded_to_decimals(trials) or NOT_LINEAR)]
    uses = (lambda trials: uses_forgotten(trials, *graph),) if graph else ()
    with_constant = partial(factors, constant=True)
    involved = (operand_transposed, with_constant, beside_a_part)
    functions = (functions_as_factors,)
    first = (*SIMPLE, *LOCAL, *uses, factors)
    for stage in (first, (entry_alone,), TERMS, involved, functions, *ENTRIES):
        found: dict[str | None, str] = {}
        for mistake in stage:
            for name, sentence in mistake(trials):
                found.setdefault(name, sentence)
        twins = [name for name in found if name in ("factor of an input", "factor of 1/x")]
        if len(found) > 2 and len(twins) == 2:
            del found[twins[1]]  # the same factor, less likely
        if found:
            return list(found.items())
    t = trials[0]
    if all(_equal_when_spread(t) for t in trials):
        spread = "dL/dy was not spread over the axes that the function sums"
        return [(None, f"{spread}: the gradient has shape {t.got_shape}, must be {t.x.shape}")]
    if not t.has_right_shape:
        return [(None, f"the gradient has shape {t.got_shape}: must be the input's, {t.x.shape}")]
    return [(None, f"{UNKNOWN}: it is wrong {wrong_places(trials)}")]


def _equal_when_spread(t: Trial) -> bool:
    """Whether the gradient has too few axes or entries, and is right where it is broadcast."""
    try:
        whole = np.broadcast_to(t.pulled, t.x.shape)
    except ValueError:
        return False
    return not t.has_right_shape and bool(np.allclose(whole, t.expected, rtol=1e-6, atol=1e-12))


def _at_given(
    subject: Subject, reference: Subject | None, given: Sequence[Any], argument: int, rng: Any
) -> list[FoundAt]:
    """At the given inputs alone the gradient is wrong."""
    if not reference and _is_right_along(subject, given, [argument], rng):
        return []
    (t,) = trials_at(subject, reference, given, [argument], rng)
    if reference and t.is_right:
        return []
    smooth = replace(t, error=error_of_differences(t, subject))
    if not np.isfinite(t.got).all():
        return [(None, "the gradient is not finite at the given inputs, where the function is", t)]
    if not smooth.is_right:
        if not reference and (_ties(t) or not subject.is_own(given)):
            return []
        return [(None, "the gradient is wrong at the given inputs, and right at others", smooth)]
    return list(faults_at_kinks(t, subject, reference is not None))


def _ties(t: Trial) -> bool:
    """Whether entries are equal, so that a function that orders them has kinks: not all show."""
    values, counts = np.unique(np.concatenate([*map(np.ravel, t.inputs)]), return_counts=True)
    return bool(np.isin(t.x, values[counts > 1]).any())


def _at_zero(
    subject: Subject,
    reference: Subject | None,
    given: Sequence[Any],
    argument: int,
    others: Sequence[Any],
    rng: Any,
) -> list[FoundAt]:
    """Where the input is 0 everywhere, if it may be: at the kink of relu and its like."""
    if not given[argument].min() <= 0 <= given[argument].max():
        return []
    inputs = [*others]
    inputs[argument] = np.zeros(np.shape(inputs[argument]))
    try:
        if not reference and not subject.is_own(inputs):
            return []
        (t,) = trials_at(subject, reference, inputs, [argument], rng)
        if not all(np.isfinite(each).all() for each in (t.y, t.got, t.right)):
            return []
        return list(faults_at_kinks(t, subject, reference is not None))
    except Fault:
        return []


def _changed_later(subject: Subject, points: Points, argument: int) -> Iterator[Named]:
    """The pullback gives something else once the function was called with other inputs."""
    if subject.at_before is not None:
        y, pull = subject.at(points[0])
        dy = np.ones(y.shape)
        at_once = pull(dy)[argument]
        later = subject.at_before(points[0], points[-1])[1](dy)[argument]
        if not np.array_equal(later, at_once, equal_nan=True):
            yield (
                "changed later",
                "a value that the pullback needs was stored by reference, and changed when the "
                "function was called again",
            )


def _evidence(t: Trial) -> str:
    """The entry with the largest difference."""
    if not t.has_right_shape:
        return f"shape {t.got_shape}, should be {t.x.shape}"
    gap = np.where(np.isfinite(t.expected), np.abs(t.pulled - t.expected), 0)
    if not gap.size:
        return ""
    place = np.unravel_index(int(np.argmax(gap)), gap.shape)
    digits = 9 if gap[place] < 1e-4 * abs(t.expected[place]) else 6
    index = tuple(int(i) for i in place)
    which = f" of input {t.argument}," if len(t.inputs) > 1 else ""
    where = f" at {index}{which} of shape {t.x.shape}" if index else which.rstrip(",")
    got, right = (f"{float(each[place]):.{digits}g}" for each in (t.pulled, t.expected))
    return f"got {got}{where}, should be {right}, where the input is {float(t.x[place]):.4g}"
