"""Probabilities, loss and gradient at small logits, and at ones that overflow."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Wrong, array, compare, number

LABELS = np.array([2, 0, 2, 3, 1])
LARGE = np.array([[3000.0, 2999.0, 2998.0, 0.0], [-3000.0, -3000.0, -3002.0, -3001.0]])
OVERFLOW = "e^z overflows or is 0 in all places: subtract each row's largest logit first"
LOGARITHM = "a probability rounds to 0, and ln 0 is -infinity: take ln p_k by the formula"


def check(learner: Any) -> None:
    """Raise `Wrong` unless softmax, loss and gradient are right, and finite where e^z overflows."""
    z = np.random.default_rng(8).normal(0.0, 1.5, (5, 4))
    with np.errstate(all="ignore"):
        check_softmax(learner, z)
        check_loss(learner, z)
        check_gradient(learner, z)


def probabilities(z: Any) -> Any:
    """p = e^z / (sum of e^z in the row), computed from z minus the row's largest logit."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def check_softmax(learner: Any, z: Any) -> None:
    """Every row must sum to 1, for logits of thousands too."""
    powers, right = np.exp(z), probabilities(z)
    mistakes = [
        ("each column sums to 1, must be each row: axis=1", powers / powers.sum(axis=0)),
        ("all rows together sum to 1, must be each row", powers / powers.sum()),
        ("this is e^z, which is still to be divided by the sum of its row", powers),
        ("these are powers of 2, must be of e", 2**z / (2**z).sum(axis=1, keepdims=True)),
        ("these are not powers of e", z / z.sum(axis=1, keepdims=True)),
        ("this is ln p, must be p", np.log(right)),
        ("e^z of the shifted logits is still to be divided", right / right.max(1, keepdims=True)),
    ]
    compare(learner.softmax(z.copy()), right, "softmax: p", mistakes)
    what = "softmax of the rows 3000, 2999, 2998, 0 and -3000, -3000, -3002, -3001: p"
    found = array(learner.softmax(LARGE.copy()), what, LARGE.shape)
    if np.isnan(found).any():
        raise Wrong(f"{what} holds nan: {OVERFLOW}")
    compare(found, probabilities(LARGE), what)


def check_loss(learner: Any, z: Any) -> None:
    """The loss must be the mean of -ln p(label), and finite where that p rounds to 0."""
    logarithms = np.log(probabilities(z))
    picked = logarithms[np.arange(5), LABELS]
    p = np.exp(picked)
    label, total = z[np.arange(5), LABELS], np.log(np.exp(z).sum(axis=1))
    shifted = total - z.max(axis=1)
    mistakes = [
        ("the sign is wrong: the loss is -ln p", picked.mean()),
        ("m is subtracted in the sum, but not from the label's logit", (shifted - label).mean()),
        (
            "m is subtracted from the label's logit, but not in the sum",
            (total - label + z.max(axis=1)).mean(),
        ),
        (
            "the label's logit is added, must be subtracted from ln of the sum",
            (total + label).mean(),
        ),
        ("the largest probability counts, must be the label's", shifted.mean()),
        ("the label's logit is missing", total.mean()),
        ("ln of the sum of all e^z is missing", -label.mean()),
        ("a sum, must be the mean over the samples", -picked.sum()),
        ("divided by samples times classes, must be divided by N", -picked.sum() / 20),
        ("the logarithm is missing", -p.mean()),
        ("the logarithm is missing", 1 - p.mean()),
        ("all classes count, must be the label's alone", -logarithms.sum(axis=1).mean()),
        ("all classes count, must be the label's alone", -logarithms.mean()),
        ("the mean of -ln p, and not -ln of the mean", -np.log(p.mean())),
        ("the logarithm has base 2, must be e", -np.log2(p).mean()),
    ]
    compare(number(learner.loss(z.copy(), LABELS.copy()), "loss"), -picked.mean(), "loss", mistakes)
    labels = np.array([3, 0])
    right = (3000 + np.log(1 + np.exp(-1) + np.exp(-2)) + np.log(2 + np.exp(-2) + np.exp(-1))) / 2
    what = "loss for a label whose logit is 3000 below the largest"
    found = number(learner.loss(LARGE.copy(), labels.copy()), what)
    if not np.isfinite(found):
        raise Wrong(f"{what} is {found}, must be {right:.6g}: {LOGARITHM}")
    hidden = [(f"a small number added to p hides it: {LOGARITHM}", found)] if found < 1000 else []
    compare(found, right, what, hidden)


def check_gradient(learner: Any, z: Any) -> None:
    """The gradient must be (p - t) / N with one-hot labels t."""
    p = probabilities(z)
    t = np.eye(4)[LABELS]
    mistakes = [
        ("the mean over the samples is missing: divide by N", p - t),
        ("the sign is wrong: p - t, not t - p", (t - p) / 5),
        ("the sign is wrong: p - t, not t - p", t - p),
        ("divided by samples times classes, must be divided by N", (p - t) / 20),
        ("t is missing: subtract 1 at the labels", p / 5),
        ("t is added, must be subtracted", (p + t) / 5),
        ("p is missing", t / 5),
        ("p is missing", -t / 5),
        ("only the label's logit gets a gradient, must be all", (p - t) * t / 5),
        ("this is the derivative with respect to p, must be that to z", -t / p / 5),
        ("this is the derivative with respect to p, must be that to z", -t / p),
        (
            "p[:, labels] -= 1 takes 1 off in every row: np.arange(N) picks one label in each",
            (p - t.max(axis=0)) / 5,
        ),
        ("the labels are held against p as numbers, must be one-hot", (p - LABELS[:, None]) / 5),
        ("ln p - t, must be p - t", (np.log(p) - t) / 5),
        ("this is z - t, must be p - t with p = softmax(z)", (z - t) / 5),
        ("a factor p (1 - p) too much: it has cancelled already", (p - t) * p * (1 - p) / 5),
    ]
    found = learner.gradient(z.copy(), LABELS.copy())
    compare(found, (p - t) / 5, "gradient: dL/dz", mistakes)
