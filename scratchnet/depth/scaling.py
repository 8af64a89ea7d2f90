"""Scaling laws: how loss falls with parameters, data and compute; published ones, and fits to data.

N is the number of parameters, D the number of training samples (of a language model: tokens), C the
compute of a training run in floating-point operations, and L the test loss (of a language model: in
nats per token).

Sources:
- Kaplan et al. (2020), "Scaling Laws for Neural Language Models". N counts no embeddings.
- Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models", called Chinchilla after
  its model; the constants of its third approach, which fits L(N, D).
- Besiroglu et al. (2024), "Chinchilla Scaling: A replication attempt", whose fit to the same runs
  gives other constants. Theirs agree with Hoffmann's first two approaches, about 20 tokens for each
  parameter; those of the third do not.

All of them are about decoder-only transformers on text, and say nothing of other networks. Bad
arguments raise `InputError`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole

FLOP_PER_PARAMETER_AND_SAMPLE = 6
"""Two for each multiply-add: one in the forward pass, two in the backward pass. So C = 6 N D."""

PETAFLOP_DAY = 1e15 * 24 * 3600
"""Floating-point operations in a day at 1e15 a second."""


@dataclass(frozen=True)
class PowerLaw:
    """L(x) = offset + (scale / x)^exponent; the offset is what no size can go below."""

    scale: float
    exponent: float
    offset: float = 0.0

    def __call__(self, size: ArrayLike) -> Any:
        """The loss at that size, or at each of an array of sizes above 0."""
        sizes = _positive("a size", size)
        return self.offset + (self.scale / sizes) ** self.exponent

    def factor_to_multiply_loss_by(self, ratio: float) -> float:
        """ratio^(-1 / exponent): how many times the size multiplies L - offset by `ratio`."""
        return float(_positive("a ratio", ratio) ** (-1 / self.exponent))


# Kaplan et al., table 5: one quantity is varied, and the others do not limit the loss. The law for
# compute is that of the best allocation, with `scale` given in petaflop-days there.
KAPLAN_PARAMETERS = PowerLaw(scale=8.8e13, exponent=0.076)
KAPLAN_DATA = PowerLaw(scale=5.4e13, exponent=0.095)
KAPLAN_COMPUTE = PowerLaw(scale=3.1e8 * PETAFLOP_DAY, exponent=0.050)

# Kaplan et al., table 6: the best N is 1.3e9 (C in petaflop-days)^0.73, and D is 2e10 C^0.27, which
# is a fit of its own: it is not C / (6 N), since they train at about the critical batch size.
KAPLAN_BEST_PARAMETERS, KAPLAN_BEST_EXPONENT = 1.3e9, 0.73
KAPLAN_BEST_SAMPLES, KAPLAN_BEST_SAMPLES_EXPONENT = 2e10, 0.27


def kaplan_joint(parameters: ArrayLike, samples: ArrayLike) -> Any:
    """Kaplan et al., equation 1.5 with table 2: ((N_c / N)^(a / b) + D_c / D)^b.

    a = 0.076, b = 0.103, N_c = 6.4e13, D_c = 1.8e13: fitted to both at once, so that they differ
    from the laws above.
    """
    N, D = _positive("parameters", parameters), _positive("samples", samples)
    return ((6.4e13 / N) ** (0.076 / 0.103) + 1.8e13 / D) ** 0.103


@dataclass(frozen=True)
class Allocation:
    """How a law spends a compute budget."""

    parameters: float
    samples: float
    loss: float

    @property
    def samples_per_parameter(self) -> float:
        """D / N."""
        return self.samples / self.parameters


def kaplan_allocation(compute: float) -> Allocation:
    """N = 1.3e9 C^0.73 and D = 2e10 C^0.27 with C in petaflop-days, and `KAPLAN_COMPUTE`'s loss.

    The loss is that of training at a batch size far below the critical one, which wastes no
    compute.
    """
    compute = float(_positive("compute", compute))
    days = compute / PETAFLOP_DAY
    parameters = KAPLAN_BEST_PARAMETERS * days**KAPLAN_BEST_EXPONENT
    samples = KAPLAN_BEST_SAMPLES * days**KAPLAN_BEST_SAMPLES_EXPONENT
    return Allocation(parameters, samples, float(KAPLAN_COMPUTE(compute)))


@dataclass(frozen=True)
class JointLaw:
    """L(N, D) = E + A / N^alpha + B / D^beta."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __call__(self, parameters: ArrayLike, samples: ArrayLike = math.inf) -> Any:
        """The loss; with samples = infinity, that of unlimited data."""
        N, D = _positive("parameters", parameters), _positive("samples", samples, math.inf)
        return self.E + self.A / N**self.alpha + self.B / D**self.beta

    def allocation(self, compute: float) -> Allocation:
        """The N and D that minimise L(N, D) where 6 N D = C.

        N = G (C / 6)^(beta / (alpha + beta)),  D = (C / 6) / N,
        G = (alpha A / (beta B))^(1 / (alpha + beta)):  where alpha A / N^alpha = beta B / D^beta.
        """
        product = float(_positive("compute", compute)) / FLOP_PER_PARAMETER_AND_SAMPLE
        both = self.alpha + self.beta
        G = (self.alpha * self.A / (self.beta * self.B)) ** (1 / both)
        parameters = G * product ** (self.beta / both)
        samples = product / parameters
        return Allocation(parameters, samples, float(self(parameters, samples)))


# Hoffmann et al. print the exponents as 0.34 and 0.28; these are those of their source file. The
# rounding alone makes the best model for 5.76e23 operations a fifth smaller (Besiroglu et al.).
HOFFMANN = JointLaw(E=1.6934, A=406.4, B=410.7, alpha=0.3392, beta=0.2849)
BESIROGLU = JointLaw(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


# A fit needs more points than it has numbers to choose.
FEWEST_SIZES, FEWEST_PAIRS = 4, 6
RESAMPLES = 400
CONFIDENCE = 0.95

# Of the smallest loss: where the search for the offset begins.
OFFSETS_TO_TRY = np.concatenate([[1e-6, 1e-3, 1e-2], 1 - np.geomspace(0.95, 0.01, 12)])
SMALLEST_EXPONENT, LARGEST_LOG = 1e-6, 700.0


@dataclass(frozen=True, eq=False)
class Fit:
    """A power law fitted to losses, and the 95 % interval of its exponent."""

    law: PowerLaw
    interval: tuple[float, float] | None
    """Of the exponent; None for a single run."""
    exponents: NDArray[np.float64]
    """Of each resample."""
    residual: float
    """The root mean square of ln(measured / fitted), over sizes, of the geometric means."""
    runs: int


def fit_power_law(
    sizes: ArrayLike, losses: ArrayLike, resamples: int = RESAMPLES, seed: int = 0
) -> Fit:
    """Fit L(x) = E + (s / x)^a with E >= 0 and a > 0 by least squares on the logarithms.

    `sizes` (n,) are at least 4 different positive numbers; `losses` (n,), or (n, runs) with one
    column for each run of the whole series, are positive. What is minimised is the sum of
    (ln L_measured - ln L(x))^2 over all of them, which weighs relative errors alike.

    The interval comes from the bootstrap over runs (Efron 1979): whole columns are drawn with
    replacement, so that what a run does to all sizes alike stays together, and the law is fitted
    anew to each draw. It is the interval of the 2.5 % and 97.5 % quantiles, stretched around the
    fit by sqrt(runs / (runs - 1)) t / z, t and z the 97.5 % points of Student's distribution with
    runs - 1 degrees of freedom and of the normal one, because draws from few runs vary too little.
    Of 200 such intervals, over a planted law with 5 runs and 15 % noise, 186 held the planted
    exponent. It covers the noise of runs and not the case that the losses follow no power law: see
    `residual`. Raises `InputError` for fewer than 4 sizes, numbers that are not above 0, and losses
    that do not fall with size.
    """
    x, y = _checked_points(sizes, losses)
    logs = np.log(y)
    mean = logs.mean(axis=1)
    if np.polyfit(np.log(x), mean, 1)[0] >= 0:
        raise InputError("the losses do not fall with size: no power law is fitted to them")
    # The sum of squares over runs is that about their mean, plus a constant.
    law = _least_squares(x, mean)
    residual = float(np.sqrt(np.mean((mean - np.log(law(x))) ** 2)))
    runs = y.shape[1]
    if runs == 1:
        return Fit(law, None, np.empty(0), residual, runs)
    generator = np.random.default_rng(seed)
    exponents = np.empty(positive_whole("resamples", resamples))
    for i in range(len(exponents)):
        drawn = logs[:, generator.integers(0, runs, runs)].mean(axis=1)
        exponents[i] = _least_squares(x, drawn).exponent
    return Fit(law, _stretched(exponents, law.exponent, runs), exponents, residual, runs)


def fit_joint_law(parameters: ArrayLike, samples: ArrayLike, losses: ArrayLike) -> JointLaw:
    """Fit L(N, D) = E + A / N^alpha + B / D^beta by least squares on the logarithms.

    All three have the shape (n,), n >= 6 pairs with at least 2 different N and 2 different D. From
    several exponents and offsets, Levenberg and Marquardt's method goes on in ln E, ln A, ln B and
    the logarithms of the exponents (Hoffmann et al. minimise Huber's loss of the same errors).
    Raises `InputError` for fewer, and for numbers that are not above 0.
    """
    from scipy.optimize import least_squares

    N, D, L = (
        np.ravel(_positive(name, values))
        for name, values in (("parameters", parameters), ("samples", samples), ("a loss", losses))
    )
    if not len(N) == len(D) == len(L) >= FEWEST_PAIRS or min(len(set(N)), len(set(D))) < 2:
        raise InputError(
            f"a joint law through losses of {len(set(N))} sizes and {len(set(D))} numbers of "
            f"samples: must be at least {FEWEST_PAIRS} pairs that differ in both"
        )
    n, d, target = np.log(N / N.min()), np.log(D / D.min()), np.log(L)

    def terms(numbers: Any) -> Any:
        E, a, b, alpha, beta = numbers
        return np.stack([np.full_like(n, E), a - np.exp(alpha) * n, b - np.exp(beta) * d])

    def errors(numbers: Any) -> Any:
        return np.logaddexp.reduce(terms(numbers)) - target

    def slopes(numbers: Any) -> Any:
        """The derivatives of the errors with respect to ln E, ln A, ln B, ln alpha and ln beta."""
        _, of_N, of_D = shares = np.exp(terms(numbers) - errors(numbers) - target)
        alpha, beta = np.exp(numbers[3:])
        return np.stack([*shares, -alpha * n * of_N, -beta * d * of_D], axis=1)

    starts = [
        (target.min() + offset, target.max() - 0.7, target.max() - 0.7, *np.log(exponents))
        for offset in (-5.0, -1.0, -0.1)
        for exponents in ((0.3, 0.3), (0.3, 1.0), (1.0, 0.3), (1.0, 1.0))
    ]
    # A step too far gives infinities, or NaN, and is not taken.
    with np.errstate(over="ignore", invalid="ignore"):
        fits = [least_squares(errors, start, slopes, method="lm") for start in starts]
    E, a, b, alpha, beta = min(fits, key=lambda fit: float(fit.cost)).x
    alpha, beta = math.exp(alpha), math.exp(beta)
    A, B = math.exp(a) * N.min() ** alpha, math.exp(b) * D.min() ** beta
    return JointLaw(math.exp(E), float(A), float(B), alpha, beta)


def _checked_points(sizes: ArrayLike, losses: ArrayLike) -> tuple[Any, Any]:
    """Sizes (n,) and losses (n, runs), all positive, of enough different sizes, or `InputError`."""
    x = np.asarray(sizes, dtype=np.float64)
    y = np.asarray(losses, dtype=np.float64)
    if x.ndim != 1 or y.ndim not in (1, 2) or len(y) != len(x):
        raise InputError(
            f"sizes of shape {x.shape} and losses of shape {y.shape}: must be (n,) and (n,) "
            "or (n, runs)"
        )
    different = len(np.unique(x))
    if different < FEWEST_SIZES or y.size == 0:
        raise InputError(
            f"a power law with an offset through losses at {different} sizes: must be at "
            f"least {FEWEST_SIZES} different sizes"
        )
    return _positive("a size", x), _positive("a loss", y.reshape(len(x), -1))


def _least_squares(x: Any, log_losses: Any) -> PowerLaw:
    """The law nearest to `log_losses` (n,) at the sizes x (n,), which need not fall.

    For a given E, the logarithm of L - E is a line in ln x. That gives a start for each of several
    E, from almost none to almost all of the smallest loss; the best one is refined in all three
    numbers, by Levenberg and Marquardt's method in c, ln a and ln E of e^(c - a u) + E, where u is
    ln x less its mean.
    """
    from scipy.optimize import least_squares

    u = np.log(x) - np.log(x).mean()

    def errors(numbers: Any) -> Any:
        c, log_a, log_E = numbers
        return np.logaddexp(c - np.exp(log_a) * u, log_E) - log_losses

    def slopes(numbers: Any) -> Any:
        """The derivatives of the errors with respect to c, ln a and ln E."""
        c, log_a, log_E = numbers
        share = np.exp(c - np.exp(log_a) * u - errors(numbers) - log_losses)
        return np.stack([share, -np.exp(log_a) * u * share, 1 - share], axis=1)

    starts = []
    for E in np.exp(log_losses.min()) * OFFSETS_TO_TRY:
        line = np.log(np.exp(log_losses) - E)
        a = max(-float(u @ line) / float(u @ u), SMALLEST_EXPONENT)
        starts.append((float(line.mean()), math.log(a), math.log(E)))
    best = min(starts, key=lambda start: float(np.sum(errors(start) ** 2)))
    with np.errstate(over="ignore"):
        c, log_a, log_E = least_squares(errors, best, jac=slopes, method="lm").x
    a = max(math.exp(log_a), SMALLEST_EXPONENT)
    log_scale = c / a + float(np.log(x).mean())
    return PowerLaw(math.exp(min(log_scale, LARGEST_LOG)), a, math.exp(log_E))


def _stretched(draws: Any, centre: float, runs: int) -> tuple[float, float]:
    """The interval of the draws' quantiles, stretched as `fit_power_law` says, from 0 on."""
    from scipy.special import ndtri, stdtrit

    high = (1 + CONFIDENCE) / 2
    stretch = math.sqrt(runs / (runs - 1)) * float(stdtrit(runs - 1, high)) / float(ndtri(high))
    lower, upper = (float(each) for each in np.quantile(draws, [1 - high, high]))
    below, above = max(0.0, centre - lower), max(0.0, upper - centre)
    return max(0.0, centre - stretch * below), centre + stretch * above


def _positive(what: str, value: ArrayLike, highest: float = np.finfo(np.float64).max) -> Any:
    """The value as float64, or `InputError` where it is not above 0 and finite."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} is {value!r}: must be a number above 0") from None
    if not ((array > 0) & (array <= highest)).all():
        wrong = array[~((array > 0) & (array <= highest))].flat[0]
        raise InputError(f"{what} is {wrong:g}: must be a finite number above 0")
    return array[()]
