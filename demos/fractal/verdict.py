"""What a run of `scratchnet fractal` showed of learning: sentences that follow from it by rule.

Networks are *above chance* on a curve where their mean accuracy over seeds is at least 52 % and its
95 % interval lies above 50 %. *Depth helped* where the deepest ones are above chance and beat the
shallowest by at least 2 points, and the interval of the paired difference lies above 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scratchnet.demos.fractal.experiment import Course, Result, Row, stage_names
from scratchnet.demos.statistics import Estimate, mean_interval, paired_difference
from scratchnet.depth.fractal_distributions import CURVES, error_upper_bound
from scratchnet.depth.fractal_networks import general_width

ABOVE_CHANCE, LEAST_GAIN = 0.52, 0.02
RULE = (
    "Above chance: a mean of at least 52%, its interval above 50%. Depth helped: the deepest are "
    "above chance, and at least 2 points above the shallowest, seed by seed, interval above 0."
)
SAYING = '"deeper is better only when shallow is good"'


def learning_sentences(result: Result) -> list[str]:
    """What was seen of each curve, and the verdict."""
    s = result.settings
    lines = list(failure_sentences(result))
    finished = depths(result)
    if result.interrupted:
        left = [str(depth) for depth in s.depths if depth not in finished]
        lines.append(
            "The run was interrupted" + (f" before depth {', '.join(left)}." if left else ".")
        )
    if not finished:
        return lines
    if s.seeds == 1:
        return [*lines, "One seed gives no interval, so nothing is claimed; add others: --seeds 5."]
    lines += [RULE, *(curve_sentence(result, name) for name in s.curves)]
    if len(finished) < 2:
        return [*lines, "One depth has nothing to be compared with: add others with --depths."]
    return [*lines, verdict(result), *bound_sentences(result)]


def failure_sentences(result: Result) -> Iterator[str]:
    for row in result.rows:
        if row.diverged:
            yield (
                f"Curve {curve_name(row.curve)}, depth {row.depth}: {len(row.diverged)} of "
                f"{len(row.test_accuracy)} networks diverged and are left out (seed "
                f"{row.diverged[0]})."
            )


def curve_sentence(result: Result, name: str) -> str:
    """Where networks were above chance, and whether depth helped."""
    rows, finished = by_place(result), depths(result)
    means = {depth: mean_interval(rows[name, depth].test_accuracy) for depth in finished}
    best = max(finished, key=lambda depth: means[depth].mean)
    shallow, deep = finished[0], finished[-1]
    learned = learned_at(result, name)
    curve = curve_name(name).capitalize()
    if not learned:
        return (
            f"{curve}: nothing learned that is clearly above chance; the best mean is "
            f"{means[best]:.1%}, at depth {best}."
        )
    said = f"{curve}: at depth {shallow} {means[shallow].mean:.1%}, "
    said += "above chance" if shallow in learned else "not clearly above chance"
    if shallow == deep:
        return said + "."
    difference = gain(result, name)
    if depth_helped(result, name):
        said += f"; depth helped, by {points(difference)} points at depth {deep}"
    elif clearly_below(difference):
        said += f"; depth hurt: at depth {deep} the difference is {points(difference)} points"
    else:
        said += f"; at depth {deep} the difference is {points(difference)} points: no help seen"
    if best not in (shallow, deep):
        said += f"; the best mean is {means[best].mean:.1%}, at depth {best}"
    return f"{said} (n = {difference.n})."


def verdict(result: Result) -> str:
    """Whether deeper was better only where shallow was good, in this run."""
    shallow = depths(result)[0]
    kinds: dict[str, list[str]] = {}
    for name in result.settings.curves:
        kinds.setdefault(kind(result, name), []).append(curve_name(name))
    of_depth = f"networks of depth {shallow}"
    phrases = {
        "good, helped": f"depth helped on {{}}, where {of_depth} were above chance already",
        "good, no help": f"on {{}} {of_depth} were above chance, and no help of depth was seen",
        "nothing": "on {} no depth was clearly above chance",
        "bad, helped": f"on {{}} depth helped though {of_depth} stayed below {ABOVE_CHANCE:.0%}",
        "unclear": f"on {{}} some depth was above chance, but it is not clear whether {of_depth} "
        "were, or whether depth helped",
    }
    said = "; ".join(
        phrase.format(listed(kinds[each])) for each, phrase in phrases.items() if each in kinds
    )
    if result.settings.quick:
        judged = "A quick run judges no more; for that, run it without --quick."
    elif "bad, helped" in kinds:
        judged = f"That contradicts {SAYING}, for this setting."
    elif "unclear" in kinds:
        judged = f"That leaves open whether {SAYING}."
    elif "good, helped" in kinds and "nothing" in kinds:
        judged = f"That agrees with {SAYING}, in this setting."
    else:
        judged = (
            f"That does not test {SAYING}: it takes curves on which shallow networks fail and "
            "others on which they do not, and a gain with depth."
        )
    return f"{said[0].upper()}{said[1:]}. {judged}"


def kind(result: Result, name: str) -> str:
    """Whether shallow networks were good on a curve, and whether depth helped; see `verdict`."""
    learned, helped = learned_at(result, name), depth_helped(result, name)
    shallow = depths(result)[0]
    if not learned:
        return "nothing"
    if shallow in learned:
        return "good, helped" if helped else "good, no help"
    low = mean_interval(by_place(result)[name, shallow].test_accuracy).mean < ABOVE_CHANCE
    return "bad, helped" if helped and low else "unclear"


def bound_sentences(result: Result) -> Iterator[str]:
    """What hand-set weights reach at the deepest depth, and in one dimension what nothing can."""
    s = result.settings
    rows, deep = by_place(result), depths(result)[-1]
    folds = s.geometry.fold_ratio is not None
    width = 2 * s.geometry.dimensions if folds else general_width(s.geometry)
    reached = {
        name: error_upper_bound(s.curve(name), deep, fold=folds)
        for name in s.curves
        if width <= s.width
    }
    left = {name: 1 - mean_interval(rows[name, deep].test_accuracy).mean for name in reached}
    if reached:
        name = max(reached, key=lambda name: left[name] - reached[name])
        if left[name] - reached[name] >= LEAST_GAIN:
            yield (
                f"Representing is not learning: with {deep} hidden layers of {width}, hand-set "
                f"weights err on {reached[name]:.1%} of the curve {curve_name(name)}; training "
                f"{deep} layers of {s.width} left an error of {left[name]:.1%}."
            )
    known = [row for row in result.rows if row.lower_bound]
    if known:
        tight = max(known, key=lambda row: row.lower_bound or 0.0)
        error = 1 - mean_interval(tight.test_accuracy).mean
        yield (
            f"No network of width {s.width} and depth {tight.depth} errs on less than "
            f"{tight.lower_bound:.1%} of the curve {curve_name(tight.curve)}; these err on "
            f"{error:.1%}."
        )


def course_sentences(result: Result) -> Iterator[str]:
    """Whether the curriculum reached more than the last curve alone, depth by depth."""
    if not result.courses:
        return
    s = result.settings
    name = curve_name(stage_names(s)[-1])
    yield (
        f"Test accuracy on the curve {name}, in %. Each stage is {s.epochs * s.steps_per_epoch:,} "
        f"steps; the last line is {name} alone, for as many steps as all stages together, from "
        "the same first weights."
    )
    if s.seeds == 1:
        return
    for course in result.courses:
        yield course_sentence(course, name)
    taught = [
        course
        for course in result.courses
        if clearly_above(course_gain(course))
        and above_chance(course.curriculum[-1])
        and not above_chance(course.direct[-1])
    ]
    if taught:
        at = listed([str(course.depth) for course in taught])
        yield (
            f"At depth {at} the same networks learn from coarse to fine what they do not learn "
            "directly: the way of training was the obstacle there, not what they can represent."
        )


def course_sentence(course: Course, name: str) -> str:
    """Whether the curriculum reached clearly more or less than the last curve alone."""
    difference = course_gain(course)
    reached = mean_interval(course.curriculum[-1]).mean
    if clearly_above(difference):
        return (
            f"Depth {course.depth}: the curriculum reached {reached:.1%} on {name}, "
            f"{points(difference)} points more than {name} alone (n = {difference.n})."
        )
    seen = "worse than" if clearly_below(difference) else "not clearly different from"
    return (
        f"Depth {course.depth}: the curriculum reached {reached:.1%} on {name}, {seen} {name} "
        f"alone ({points(difference)} points, n = {difference.n})."
    )


def course_gain(course: Course) -> Estimate:
    return paired_difference(course.curriculum[-1], course.direct[-1])


def above_chance(values: Sequence[float]) -> bool:
    """Whether the accuracies are clearly above that of guessing; never for a single seed."""
    estimate = mean_interval(values)
    return estimate.interval is not None and (
        estimate.mean >= ABOVE_CHANCE and estimate.interval[0] > 0.5
    )


def learned_at(result: Result, name: str) -> list[int]:
    """The depths at which networks were above chance on a curve."""
    rows = by_place(result)
    return [each for each in depths(result) if above_chance(rows[name, each].test_accuracy)]


def gain(result: Result, name: str) -> Estimate:
    """The deepest networks' accuracy minus the shallowest's, seed by seed."""
    rows, finished = by_place(result), depths(result)
    deep, shallow = rows[name, finished[-1]], rows[name, finished[0]]
    return paired_difference(deep.test_accuracy, shallow.test_accuracy)


def depth_helped(result: Result, name: str) -> bool:
    """A gain alone is not enough: the deepest networks must have learned the curve."""
    return depths(result)[-1] in learned_at(result, name) and clearly_above(gain(result, name))


def clearly_above(difference: Estimate) -> bool:
    return difference.interval is not None and (
        difference.mean >= LEAST_GAIN and difference.interval[0] > 0
    )


def clearly_below(difference: Estimate) -> bool:
    """The same rule the other way round."""
    return difference.interval is not None and (
        difference.mean <= -LEAST_GAIN and difference.interval[1] < 0
    )


def by_place(result: Result) -> dict[tuple[str, int], Row]:
    return {(row.curve, row.depth): row for row in result.rows}


def depths(result: Result) -> list[int]:
    """The depths that were finished, from shallow to deep."""
    return sorted({row.depth for row in result.rows})


def points(estimate: Estimate) -> str:
    """In percentage points, such as `16.4 ± 1.2`."""
    half = None if estimate.half_width is None else 100 * estimate.half_width
    return f"{Estimate(100 * estimate.mean, half, estimate.n):.1f}"


def curve_name(name: str) -> str:
    return name if name in CURVES else f"beta {name}"


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
