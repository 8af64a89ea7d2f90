"""One step and several of each rule, from state that is not 0."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Mistake, Wrong, compare, shown

RATE, BETA, B1, B2, EPSILON = 0.3, 0.8, 0.9, 0.97, 0.05


def check(learner: Any) -> None:
    """Raise `Wrong` unless a step of each rule is right, for Adam the first and the third."""
    rng = np.random.default_rng(11)
    w, m, g = (rng.normal(0.0, 1.0, (4, 3)) for _ in range(3))
    v = rng.uniform(0.5, 1.5, (4, 3))
    check_descent(learner, w, g)
    check_momentum(learner, w, m, g)
    for t in (1, 3):
        check_adam(learner, w, m, v, g, t)


def untouched(name: str, rule: Any, names: str, *arrays: Any) -> Any:
    """What the rule gives; raises `Wrong` where it writes to what it was given."""
    kept = [np.copy(each) for each in arrays]
    found = rule(*arrays)
    for word, before, after in zip(names.split(), kept, arrays, strict=False):
        if not np.array_equal(before, after):
            raise Wrong(f"{name} changes the array {word} that it is given, must return a new one")
    return found


def parts(name: str, found: Any, names: str) -> Any:
    """The arrays that the rule returns."""
    words = names.split()
    if not isinstance(found, tuple | list) or len(found) != len(words):
        raise Wrong(f"{name} returns {shown(found)}: must be {' and '.join(words)}")
    return found


def check_descent(learner: Any, w: Any, g: Any) -> None:
    """w must become w - rate g."""
    found = untouched("descent", learner.descent, "w g", w.copy(), g.copy(), RATE)
    length = np.linalg.norm(g)
    mistakes: list[Mistake] = [
        ("the sign is wrong: against the gradient", w + RATE * g),
        ("the rate is missing", w - g),
        ("this is the step alone, must be w after it", -RATE * g),
        ("this is the step alone, must be w after it", RATE * g),
        ("divided by the rate, must be multiplied", w - g / RATE),
        ("the weights do not move", w),
        ("the rate is the length of the step, must be a factor of g", w - RATE * np.sign(g)),
        ("the rate is the length of the step, must be a factor of g", w - RATE * g / length),
    ]
    compare(found, w - RATE * g, "descent: w", mistakes)


def check_momentum(learner: Any, w: Any, v: Any, g: Any) -> None:
    """v must become beta v + g, and w must become w - rate v with the new v."""
    copies = w.copy(), v.copy(), g.copy()
    found = untouched("momentum", learner.momentum, "w v g", *copies, RATE, BETA)
    new_w, new_v = parts("momentum", found, "w v")
    right = BETA * v + g
    mean = BETA * v + (1 - BETA) * g
    v_mistakes: list[Mistake] = [
        ("1 - beta is a factor too much: the velocity is a sum, not a mean", mean),
        ("v is returned as it was, must be the new one", v),
        ("beta belongs to the old v, not to g", v + BETA * g),
        ("beta belongs to the old v, not to g", BETA * (v + g)),
        ("the old v must decay: beta v", v + g),
        ("the old v is lost", g),
        ("w and v are swapped", w - RATE * right),
        ("the rate belongs to the step of w, not into v", BETA * v + RATE * g),
        ("the rate belongs to the step of w, not into v", BETA * v - RATE * g),
        ("the sign is wrong: v sums g", BETA * v - g),
    ]
    compare(new_v, right, "momentum: v", v_mistakes)
    w_mistakes: list[Mistake] = [
        ("the step takes the old v, must take the new one", w - RATE * v),
        ("the sign is wrong: against the velocity", w + RATE * right),
        ("the rate is missing", w - right),
        ("the step takes g, must take v", w - RATE * g),
        ("that is Nesterov's step, must be rate v", w - RATE * (g + BETA * right)),
    ]
    compare(new_w, w - RATE * right, "momentum: w", w_mistakes)


def check_adam(learner: Any, w: Any, m: Any, v: Any, g: Any, t: int) -> None:
    """m and v must be running means without correction; the step takes the corrected ones."""
    copies = [each.copy() for each in (w, m, v, g)]
    found = untouched("adam", learner.adam, "w m v g", *copies, t, RATE, B1, B2, EPSILON)
    new_w, new_m, new_v = parts("adam", found, "w m v")
    length = np.linalg.norm(g)
    mean, square = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g**2
    first, second = 1 - B1**t, 1 - B2**t
    kept = "the corrected one is kept, must be the uncorrected: it is for the step alone"
    m_mistakes: list[Mistake] = [
        (kept, mean / first),
        ("b1 and 1 - b1 are swapped", (1 - B1) * m + B1 * g),
        ("a sum, must be a mean: (1 - b1) g", B1 * m + g),
        ("m is returned as it was", m),
        ("the old m is lost", g),
        ("the old m is lost", (1 - B1) * g),
        ("b2, must be b1", B2 * m + (1 - B2) * g),
    ]
    compare(new_m, mean, f"adam, step {t}: m", m_mistakes)
    v_mistakes: list[Mistake] = [
        (kept, square / second),
        ("g, must be g^2", B2 * v + (1 - B2) * g),
        ("b2 and 1 - b2 are swapped", (1 - B2) * v + B2 * g**2),
        ("a sum, must be a mean: (1 - b2) g^2", B2 * v + g**2),
        ("b1, must be b2", B1 * v + (1 - B1) * g**2),
        ("v is returned as it was", v),
        ("the old v is lost", g**2),
        ("the old v is lost", (1 - B2) * g**2),
        ("m^2, must be g^2", B2 * v + (1 - B2) * mean**2),
        ("one number for all entries, must be entry by entry", B2 * v + (1 - B2) * length**2),
    ]
    compare(new_v, square, f"adam, step {t}: v", v_mistakes)

    def after(m: Any, v: Any, sign: float = 1.0) -> Any:
        """w after a step along m / (sqrt(v) + epsilon), against it where `sign` is 1."""
        with np.errstate(invalid="ignore"):
            return w - sign * RATE * m / (np.sqrt(v) + EPSILON)

    m1, v1 = mean / first, square / second
    late = 1 - B1 ** (t + 1), 1 - B2 ** (t + 1)
    w_mistakes: list[Mistake] = [
        ("the corrections are missing: m / (1 - b1^t), v / (1 - b2^t)", after(mean, square)),
        ("the correction of m is missing", after(mean, v1)),
        ("the correction of v is missing", after(m1, square)),
        ("the corrections take t + 1, must take t", after(mean / late[0], square / late[1])),
        ("1 - b, must be 1 - b^t", after(mean / (1 - B1), square / (1 - B2))),
        ("1 - b t, must be 1 - b^t", after(mean / (1 - B1 * t), square / (1 - B2 * t))),
        ("the root of v is missing", w - RATE * m1 / (v1 + EPSILON)),
        ("epsilon is under the root, must be behind it", w - RATE * m1 / np.sqrt(v1 + EPSILON)),
        ("epsilon is missing", w - RATE * m1 / np.sqrt(v1)),
        ("the sign is wrong: against m", after(m1, v1, -1.0)),
        ("the step takes g, must take m'", after(g, v1)),
        ("the rate is missing", w - m1 / (np.sqrt(v1) + EPSILON)),
        ("corrected by multiplying, must be divided", after(mean * first, square * second)),
    ]
    compare(new_w, after(m1, v1), f"adam, step {t}: w", w_mistakes)
