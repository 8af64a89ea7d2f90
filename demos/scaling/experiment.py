"""Test loss against parameters, data and compute, on a task that is known: a teacher network."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos import tuning
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Advance, Result, Row, Run
from scratchnet.demos.scaling.calculator import calculate
from scratchnet.demos.settings import Common, option, parse
from scratchnet.demos.tuning import Arm, Data, stream, tuned
from scratchnet.demos.verdicts import FEWEST_SEEDS, Claim, Verdict, difference, ratio
from scratchnet.depth.budget import parameter_count, width_for_budget
from scratchnet.depth.scaling import (
    FEWEST_SIZES,
    FLOP_PER_PARAMETER_AND_SAMPLE,
    KAPLAN_PARAMETERS,
    Fit,
    JointLaw,
    fit_joint_law,
    fit_power_law,
)
from scratchnet.evaluation import evaluate_loss
from scratchnet.model import mlp
from scratchnet.optim import Adam

INPUTS, DEPTH = 6, 2
"""Of the networks that learn: two hidden layers of ReLUs."""

TEACHER_WIDTH, TEACHER_GAIN = 64, 1.5
"""The teacher is 6-[64]*2-1 with tanh; its weights have variance gain^2 / fan_in."""

THEORY = 4 / INPUTS
"""The exponent of L(N) by Sharma and Kaplan (2022), with as many dimensions as inputs."""

BATCH, HELD_OUT, LOOKS, COMPUTE_POINTS = 256, 2048, 16, 10
MOMENTS = "seen", "validation", "test"


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet scaling`."""

    predict: tuple[float, ...] | None = option(
        None, "No training: published laws' losses for so many parameters.", low=1, high=1e40
    )
    allocate: tuple[float, ...] | None = option(
        None, "No training: how published laws spend so many operations.", low=1, high=1e40
    )
    tokens: float | None = option(
        None, "Of --predict; by default 20 for each parameter.", low=1, high=1e40
    )
    parameters: tuple[int, ...] = option(
        (30, 100, 320, 1000, 3200, 10_000),
        "Sizes of networks, about.",
        quick=(30, 100, 300, 1000),
        low=1,
        high=1_000_000,
        chooses_arms=True,
    )
    samples: tuple[int, ...] = option(
        (64, 256, 1024, 4096, 16_384),
        "Sizes of training sets.",
        quick=(64, 256, 1024, 4096),
        low=2,
        high=100_000,
        chooses_arms=True,
    )
    steps: int = option(1536, "Steps of each training.", quick=256, low=1, high=10**7)
    seeds: int = option(10, "Networks of each size.", quick=2, low=1, high=10_000)


def check(s: Settings) -> None:
    """Raise `InputError` for too few sizes, or steps that do not see every sample."""
    widths = {width_for_budget(size, DEPTH, INPUTS) for size in s.parameters}
    for name, sizes in (("parameters", widths), ("samples", s.samples)):
        if len(sizes) < FEWEST_SIZES:
            raise InputError(
                f"--{name} {','.join(map(str, getattr(s, name)))}: must be networks of at least "
                f"{FEWEST_SIZES} different widths, or {FEWEST_SIZES} training sets"
            )
    least = -(-max(s.samples) // BATCH)
    if s.steps < least:
        raise InputError(f"--steps {s.steps}: must be at least {least}, to see all samples once")
    if s.tokens:
        raise InputError(f"--tokens {s.tokens:g}: must stand with --predict")


def teacher_values(X: Any) -> Any:
    """The teacher's output for X (N, inputs), with mean 0 and variance 1, float32 (N, 1)."""

    def weights(generator: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        return generator.standard_normal((fan_in, fan_out)) * TEACHER_GAIN / math.sqrt(fan_in)

    widths = [INPUTS, TEACHER_WIDTH, TEACHER_WIDTH, 1]
    teacher = mlp(widths, "tanh", weights, seed=0, backend="numpy")
    reference = teacher.predict(np.random.default_rng(0).standard_normal((4096, INPUTS)))
    return (teacher.predict(X) - reference.mean()) / reference.std()


def data(samples: int, seeds: Sequence[int]) -> Data:
    """Normal inputs, and the teacher's values."""

    def drawn(n: int, use: int) -> tuple[Any, Any]:
        """Normal inputs (E, n, inputs) of a stream for each network, and the teacher's values."""
        shape = n, INPUTS
        X = [stream(seed, use).standard_normal(shape, dtype=np.float32) for seed in seeds]
        return np.stack(X), np.stack([teacher_values(each) for each in X])

    held_out = drawn(HELD_OUT, tuning.VALIDATION), drawn(HELD_OUT, tuning.TEST)
    return Data(*drawn(samples, tuning.TRAINING), *held_out[0], *held_out[1], "mean_squared_error")


def arm_name(parameters: int, samples: int) -> str:
    """Such as `N 973, D 4,096`."""
    return f"N {parameters:,}, D {samples:,}"


def arms(s: Settings) -> Iterator[Arm]:
    """Of each width the arm with the most samples, whose rate is chosen, and then the others."""
    *fewer, most = sorted(s.samples)
    for width in sorted({width_for_budget(size, DEPTH, INPUTS) for size in s.parameters}):
        size = parameter_count(DEPTH, width, INPUTS)
        rates = (0.01,) if s.quick else tuning.RATES["adam"]
        for samples in (most, *fewer):
            per_epoch = -(-samples // BATCH)
            epochs = max(1, s.steps // per_epoch)
            yield Arm(
                arm_name(size, samples),
                partial(tuning.networks, s, [INPUTS, *[width] * DEPTH, 1]),
                partial(data, samples),
                tuning.decaying(Adam, epochs * per_epoch),
                rates,
                epochs,
                {"parameters": size, "samples": samples, "width": width},
                work=per_epoch * (min(BATCH, samples) * (size + 400) + 60_000),
                batch_size=min(BATCH, samples),
                train=train,
            )
            rates = rates[:1]


def train(
    arm: Arm, seeds: Any, rates: Any, settings: Settings, advance: Advance, choosing: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Look at the losses now and then during training: what counts is the best look."""
    model, data = arm.build(seeds), tuning.data_of_networks(arm, seeds)
    looks = set(np.geomspace(1, arm.epochs, LOOKS).round().astype(int).tolist())
    held_out = [(data.X_validation, data.y_validation), (data.X_test, data.y_test)]
    seen, losses = [], []

    def look(epoch: int, *_: Any) -> None:
        """Note the samples seen so far and the losses on held-out points, at the looks."""
        if epoch + 1 in looks:
            seen.append((epoch + 1) * arm.facts["samples"])
            some = held_out[:1] if choosing else held_out
            losses.append([evaluate_loss(model, *each, data.loss) for each in some])

    looking, start = replace(arm, callbacks=lambda model: [look]), time.perf_counter()
    tuning.fitted(looking, model, data, rates, settings, advance)
    found = np.moveaxis(np.array(losses, np.float64), 1, 0)
    best = np.nan_to_num(found[0], nan=np.inf).argmin(axis=0), np.arange(len(seeds))
    seconds = np.full(len(seeds), (time.perf_counter() - start) / len(seeds))
    measures = {"validation_score": -found[0][best], "seconds": seconds}
    if choosing:
        return measures, {}
    kept = dict(zip(MOMENTS, (np.array(seen), *found), strict=True))
    return measures | {"test_loss": found[1][best]}, kept


def run(run: Run) -> None:
    """Every size of network on every training set."""
    rate = 0.0
    for arm in arms(run.settings):
        found = arm if len(arm.rates) > 1 else replace(arm, rates=(rate or arm.rates[0],))
        rate = tuned(run, found).facts["learning_rate"]


def by_size(result: Result) -> dict[int, list[Row]]:
    """The rows of each size of network, from few samples to many."""
    found: dict[int, list[Row]] = {}
    for row in sorted(result.verdict_rows(), key=lambda row: int(row.facts["samples"])):
        found.setdefault(row.facts["parameters"], []).append(row)
    return dict(sorted(found.items()))


def curves(result: Result) -> dict[str, tuple[Any, Any]]:
    """By quantity: sizes (n,) and losses (n, seeds), of the largest D, of the largest N, and C."""
    sizes = by_size(result)
    most = max((rows[-1].facts["samples"] for rows in sizes.values()), default=0)
    on_most = [rows[-1] for rows in sizes.values() if rows[-1].facts["samples"] == most]
    points = {
        "N": [(row.facts["parameters"], row["test_loss"]) for row in on_most],
        "D": [(row.facts["samples"], row["test_loss"]) for row in list(sizes.values() or [[]])[-1]],
        "C": frontier(on_most),
    }
    return {
        name: (np.array([x for x, _ in each], float), np.array([loss for _, loss in each], float))
        for name, each in points.items()
        if len(each) >= FEWEST_SIZES
    }


def frontier(rows: Sequence[Row]) -> list[tuple[float, Any]]:
    """(compute, test losses): the best moment among those that cost no more, at growing budgets.

    The best has the smallest geometric mean of the validation losses; all of them are finite.
    """
    moments = [
        (FLOP_PER_PARAMETER_AND_SAMPLE * row.facts["parameters"] * seen, np.log(v).mean(), test)
        for row in rows
        for seen, v, test in zip(*map(row.arrays.__getitem__, MOMENTS), strict=True)
        if np.isfinite(v).all()
    ]
    costs = [compute for compute, *_ in moments] or [1]
    found: list[tuple[float, Any]] = []
    for budget in np.geomspace(min(costs), max(costs), COMPUTE_POINTS) if moments else ():
        affordable = [each for each in moments if each[0] <= budget * (1 + 1e-9)]
        compute, _, test = min(affordable, key=lambda each: each[1])
        if not found or compute > found[-1][0]:
            found.append((compute, test))
    return found


def geometric(losses: Any) -> Any:
    """The geometric mean over seeds, the last axis."""
    return np.exp(np.log(losses).mean(axis=-1))


def fits(result: Result) -> dict[str, Fit]:
    """The power law of each quantity that has one; computed once, and kept for result.json."""
    if "fits" not in result.extra:
        found: dict[str, Fit] = {}
        for name, (sizes, losses) in curves(result).items():
            with suppress(InputError):  # no finite losses, or none that fall
                whole = losses[:, np.isfinite(losses).all(axis=0)]
                # Of fewer than five seeds no interval is given.
                few = 0 < whole.shape[1] < FEWEST_SEEDS
                found[name] = fit_power_law(sizes, geometric(whole) if few else whole)
        result.extra["fits"] = found
        result.extra["laws"] = {
            name: {**vars(fit.law), "interval": fit.interval} for name, fit in found.items()
        }
    return dict(result.extra["fits"])


def joint_laws(result: Result) -> list[JointLaw]:
    """L(N, D) of the geometric mean losses, then of each seed; none for too few sizes."""
    if "joint_laws" not in result.extra:
        rows = [row for row in result.verdict_rows() if np.isfinite(row["test_loss"]).all()]
        N, D = (np.array([row.facts[name] for row in rows]) for name in ("parameters", "samples"))
        result.extra["joint_laws"], seeds = [], result.settings.seeds
        with suppress(InputError):  # too few
            losses = np.array([row["test_loss"] for row in rows]).reshape(len(rows), seeds)
            each = (geometric(losses), *losses.T)
            result.extra["joint_laws"] = [fit_joint_law(N, D, losses) for losses in each]
    return list(result.extra["joint_laws"])


def seed_exponents(result: Result, name: str) -> list[float]:
    """Of each seed alone; none where one diverged, or has losses that do not fall."""
    sizes, losses = curves(result)[name]
    with suppress(InputError):
        return [fit_power_law(sizes, each).law.exponent for each in losses.T]
    return []


def halves(sizes: Any, losses: Any) -> tuple[Any, Any]:
    """Each seed's slope -d ln L / d ln x in the lower and in the upper half of the sizes."""
    middle, x, y = len(sizes) // 2, np.log(sizes), np.log(losses)
    parts = slice(middle + 1), slice(middle, None)
    # A loss that does not fall has the slope 0.01, since ratios need numbers above 0.
    lower, upper = (np.maximum(-np.polyfit(x[part], y[part], 1)[0], 0.01) for part in parts)
    return lower, upper


def claims(result: Result) -> Iterator[Claim]:
    """Of the exponents, each seed's own, and of the joint law."""
    alpha = {name: found for name in fits(result) if (found := seed_exponents(result, name))}
    laws = joint_laws(result)
    why = result.untested(*[row.arm for row in result.verdict_rows() if row.arm in result.tuned])

    def say(sentence: str, source: str, contrast: Any, *ledger: str, **how: Any) -> Claim:
        return Claim(sentence, source, contrast, untested=why, ledger=ledger, **how)

    if {"N", "D"} <= alpha.keys():
        lower, upper = halves(*curves(result)["D"])
        says = "L(D) is a straight line on logarithmic axes (its slope below and above the middle)"
        source = "Kaplan et al. 2020, as textbooks tell it"
        yield say(says, source, ratio(lower, upper), "002-081", alike=True)
        says = "Loss falls faster with data than with parameters (ratio of the exponents)"
        source = "interview page: deep models are data-hungry"
        yield say(says, source, ratio(alpha["N"], alpha["D"]), "000-034")
    if "N" in alpha:
        says = f"The exponent of L(N) is 4/d = {THEORY:.2f} with {INPUTS} inputs"
        yield say(says, "Sharma and Kaplan 2022", ratio(alpha["N"], THEORY), alike=True)
        kaplan = KAPLAN_PARAMETERS.exponent
        says = f"The exponent of L(N) is that of language models, {kaplan}"
        source = "exercise of a textbook chapter; Kaplan et al. 2020"
        yield say(says, source, ratio(alpha["N"], kaplan), "002-151", alike=True)
    if laws:
        shares = [law.beta / (law.alpha + law.beta) for law in laws[1:]]
        says = "The best N grows with compute like C^0.5: sizes and data alike (joint law)"
        source, contrast = "Hoffmann et al. 2022: 0.46 to 0.54", difference(shares, 0.5, unit="")
        yield say(says, source, contrast, margin=0.04, alike=True)


def law_words(fit: Fit, letter: str) -> str:
    """Such as `L = 0.11 + (15 / D)^0.99`."""
    law = fit.law
    offset = f"{law.offset:.2g} + " if law.offset > 1e-6 else ""
    return f"L = {offset}({law.scale:.3g} / {letter})^{law.exponent:.2f}"


def answer(result: Result, verdicts: Sequence[Verdict] = ()) -> str:
    """The exponents of all fits, with their intervals where there are any."""
    words, found = [], fits(result)
    for name, fit in found.items():
        within = " ({:.2f} to {:.2f})".format(*fit.interval) if fit.interval else ""
        words.append(f"{fit.law.exponent:.2f}{within} in {name}")
    if not words:
        return "no law was fitted."
    known = "95 % intervals" if all(fit.interval for fit in found.values()) else "no interval"
    return f"Fitted exponents of the loss: {', '.join(words)} ({known})."


def tables(result: Result) -> Iterator[Table]:
    """All losses, and the fitted laws."""
    samples, lines = sorted(result.settings.samples), []
    for size, rows in by_size(result).items():
        means = {row.facts["samples"]: f"{geometric(row['test_loss']):.3g}" for row in rows}
        cells = (means.get(each, "") for each in samples)
        lines.append((f"{size:,}", *cells, f"{rows[-1].facts['learning_rate']:g}"))
    title = f"Test loss / variance, geometric mean of {result.settings.seeds} seeds, by D"
    yield Table(("N", *(f"{each:,}" for each in samples), "rate"), lines, title)
    fitted = [
        (
            name,
            law_words(fit, name),
            "{:.2f} to {:.2f}".format(*fit.interval) if fit.interval else "",
            f"{math.expm1(fit.residual):.0%}",
        )
        for name, fit in fits(result).items()
    ]
    if fitted:
        headings = ("against", "power law", "exponent, 95 %", "misses by")
        yield Table(headings, fitted, "Fitted laws", words=(0, 1))


def joint_words(law: JointLaw) -> str:
    """Such as `L = 0.0046 + 2.4 / N^0.52 + 15 / D^0.9`."""
    terms = f"{law.A:.3g} / N^{law.alpha:.2f} + {law.B:.3g} / D^{law.beta:.2f}"
    return f"L = {law.E:.2g} + {terms}" if law.E > 1e-6 else f"L = {terms}"


def notes(result: Result) -> Iterator[str]:
    """How rates were chosen, the joint law, and what compute leaves out."""
    yield "The rate of each N was chosen on its largest training set, and serves the smaller ones."
    for law in joint_laws(result)[:1]:
        share = law.beta / (law.alpha + law.beta)
        yield f"Joint law: {joint_words(law)}; so the best N grows like C^{share:.2f}."
    yield (
        "Against compute, moments within longer trainings stand for short ones: one for each "
        "budget may do better."
    )


@dataclass(frozen=True)
class WithCalculator(Experiment):
    """The experiment, or with `--predict` or `--allocate` the calculator."""

    def main(self, arguments: Sequence[str]) -> int:
        """The calculator where it is asked for, else the experiment."""
        if not {"-h", "--help"} & set(arguments):
            given = parse(self.settings, arguments)
            if "predict" in given or "allocate" in given:
                calculate(given)
                return 0
        return super().main(arguments)


experiment = WithCalculator.of(
    __name__,
    question="How does test loss fall with parameters, data and compute?",
    source="Kaplan et al. 2020: as power laws; Hoffmann et al. 2022: sizes and data grow alike; "
    "Sharma and Kaplan 2022: the exponent is 4 / dimension; textbooks and an interview page",
    look_for=f"straight lines on logarithmic axes, the exponents, and where losses level off. The "
    f"teacher is a tanh network {INPUTS}-{TEACHER_WIDTH}-{TEACHER_WIDTH}-1 without noise.",
    memory=lambda s: 4.0 * 25 * max(s.seeds, 25) * (max(s.samples) + 8 * max(s.parameters)),
    seconds=lambda s: 2 + tuning.work_of(arms)(s) * 2e-10,
    next=(
        "scratchnet scaling --predict 1e8,1e10 --tokens 1e11",
        "scratchnet scaling --allocate 5.76e23",
        "scratchnet scaling --steps 3072",
    ),
)
