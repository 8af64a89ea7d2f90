"""An arm is a method at its best learning rate: found on tuning seeds, judged on others.

    arm = Arm("4 layers", build, data, SGD, rates=RATES["sgd"], epochs=1000, facts={"depth": 4})
    tuned(run, arm)        # adds rows to run.result: the tuning, and the verdict seeds

`build(seeds, ...)` makes an ensemble with a network for each seed, `data(seed)` the samples of a
seed: everything is drawn anew for each, and a row of (arm, rate, seed) has the same bits whatever
other seeds are there, as long as steps are all replayed or all compiled. All rates with all five
tuning seeds are one ensemble. The rate is the one with the best mean score on validation data (of
equal ones the smallest); where it is at an edge the grid is extended once, by two rates. Test data
take no part in the choice.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.datasets import digits
from scratchnet.demos.running import Advance, Numbers, Row, Run
from scratchnet.demos.verdicts import MARGINS
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.model import Model, mlp
from scratchnet.optim import SGD, Adam, AdamW, Optimizer
from scratchnet.schedules import cosine
from scratchnet.training import fit

TUNING_SEEDS = 5
FIRST_TUNING_SEED = 2**31
"""Tuning seeds are beyond those that `--seed` takes, so that none ever enters a verdict."""

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam", "adamw": "AdamW"}

RATES: dict[str, tuple[float, ...]] = {
    "sgd": (0.1, 0.2, 0.4, 0.8, 1.6),
    "adam": (0.00125, 0.0025, 0.005, 0.01, 0.02),
    "adamw": (0.00125, 0.0025, 0.005, 0.01, 0.02),
}
"""The grid of every arm of an optimizer: five rates, a factor of two from one to the next."""

REGRESSION = ("mean_squared_error", "mean_absolute_error", "huber")

TRAINING, VALIDATION, TEST = 3, 5, 4
"""Streams of a seed's data, beside those that its network draws from."""


def stream(seed: int, use: int) -> np.random.Generator:
    """The generator of a seed for one use, such as `TEST`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))


@dataclass(frozen=True, eq=False)
class Data:
    """Samples for some seeds: X (seeds, N, inputs), or (N, inputs) for all alike; y (N,) likewise.

    `y` has a seeds axis only where labels differ between seeds: (seeds, N, 1) or one-hot.
    """

    X: Any
    y: Any
    X_validation: Any
    y_validation: Any
    X_test: Any
    y_test: Any
    loss: str = "binary_cross_entropy"

    def repeated(self, times: int) -> Data:
        """The same for an ensemble in which every seed stands `times` times, seeds innermost."""
        arrays = {name: np.asarray(each) for name, each in vars(self).items() if name != "loss"}
        for name, each in arrays.items():
            if each.ndim > (2 if name.startswith("X") else 1):
                arrays[name] = np.concatenate([each] * times)
        return Data(**arrays, loss=self.loss)


def points(
    draw: Callable[[int, np.random.Generator], tuple[Any, Any]], train: int, test: int
) -> Any:
    """A function from seeds to `Data`, of points that are drawn anew for each seed.

    `draw(n, generator)` gives X (n, inputs) and y (n,), whose classes stand in the same order each
    time. There are as many points for validation as for training.
    """

    def data(seeds: Sequence[int]) -> Data:
        """Training, validation and test points, each of a stream of its own for each seed."""

        def stacked(n: int, use: int) -> tuple[Any, Any]:
            sets = [draw(n, stream(seed, use)) for seed in seeds]
            return np.stack([X for X, _ in sets]), sets[0][1]

        return Data(*stacked(train, TRAINING), *stacked(train, VALIDATION), *stacked(test, TEST))

    return data


def digit_images(seeds: Sequence[int]) -> Data:
    """The 1,797 digits in a split of their own for each seed: a half to train on, then quarters.

    The images of each digit are shuffled, so that labels stand in the same order for all seeds.
    Raises `InputError` where scikit-learn is not installed.
    """
    X, y, X_more, y_more = digits()
    X, y = np.concatenate([X, X_more]), np.concatenate([y, y_more])
    own = [np.flatnonzero(y == digit) for digit in range(10)]
    sizes = [(len(each) // 2, 3 * len(each) // 4) for each in own]
    drawn: list[list[Any]] = [[], [], []]
    for seed in seeds:
        generator = stream(seed, TRAINING)
        shuffled = [generator.permutation(each) for each in own]
        split = [np.split(each, size) for each, size in zip(shuffled, sizes, strict=True)]
        for places, part in zip(drawn, zip(*split, strict=True), strict=True):
            places.append(np.concatenate(part))
    train, validation, test = ((X[np.stack(each)], y[each[0]]) for each in drawn)
    return Data(*train, *validation, *test, "softmax_cross_entropy")


def networks(s: Any, widths: Sequence[int], seeds: Sequence[int], **options: Any) -> Model:
    """`mlp` for experiments: a network for each seed, on the backend of the settings."""
    backend = get_backend(s.backend, s.precision)
    return mlp(widths, seed=list(seeds), ensemble=len(seeds), backend=backend, **options)


def decaying(optimizer: Callable[..., Optimizer], steps: int) -> Callable[..., Optimizer]:
    """The optimizer with rates that fall to 0 along half a cosine in so many steps."""
    falling = cosine(1.0, steps)
    return lambda model, rates: optimizer(model, lambda step: np.array(rates) * falling(step))


Trainer = Callable[["Arm", tuple[int, ...], tuple[float, ...], Any, Advance, bool], tuple[Any, Any]]
"""`train(arm, seeds, rates, settings, advance, tuning)` trains a network for each (seed, rate) of
the two equally long lists, and returns measures (networks,) and arrays. The measure
`validation_score` is what the rate is chosen by: higher is better, NaN for a network that diverged.
"""


@dataclass(frozen=True)
class Arm:
    """A method to compare, and the learning rates to try."""

    name: str
    build: Callable[[Sequence[int]], Model]
    """An ensemble with one network for each of the seeds."""
    data: Callable[[Sequence[int]], Data]
    optimizer: Callable[..., Optimizer]
    """`optimizer(model, rates)`."""
    rates: tuple[float, ...]
    epochs: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the table says of it; everything its numbers depend on besides the settings."""
    work: float = 1.0
    """The cost of an epoch of one network, relative to other arms."""
    batch_size: int | None = None
    patience: int | None = None
    """Early stopping: each network is taken when its validation loss was least; see `fit`."""
    clip_norm: float | None = None
    keep: Callable[[Model, Any, Data], Mapping[str, Any]] | None = None
    """`keep(model, history, data)`: arrays for figures, of the verdict seeds."""
    axes: Mapping[str, int] = field(default_factory=dict)
    """The axis of networks of each array that has one; other arrays are of the first network."""
    callbacks: Callable[[Model], Sequence[Any]] | None = None
    train: Trainer | None = None
    """Instead of `train_networks`."""
    share: Callable[[Sequence[int]], Mapping[str, Any]] | None = None
    """`share(seeds)`: fields that hold less, and do for these seeds: what travels to a worker."""

    def total_work(self, seeds: int) -> float:
        """Of the sweep and the verdict seeds; a grid that is extended makes it more."""
        networks = seeds + (len(self.rates) * TUNING_SEEDS if len(self.rates) > 1 else 0)
        return networks * self.epochs * self.work


@dataclass(frozen=True, eq=False)
class Tuned:
    """How an arm's learning rate was chosen."""

    arm: Arm
    rates: tuple[float, ...]
    scores: Any
    """(rates, tuning seeds), or None where there was one rate and nothing to choose."""
    best: float
    bracketed: bool


def tuned(run: Run, arm: Arm) -> Row:
    """Choose the arm's rate, train the verdict seeds at it; the verdict's row."""
    s = run.settings
    found = choose_rate(run, arm)
    run.result.tuned[arm.name] = found
    seeds = tuple(range(s.seed, s.seed + s.seeds))
    return row_of(run, arm, seeds, (found.best,), "verdict")


def each_tuned(arms: Callable[[Any], Iterable[Arm]]) -> Callable[[Run], None]:
    """`Experiment.run` of arms that are tuned one after the other."""

    return lambda run: tune_all(run, list(arms(run.settings)))


def tune_all(run: Run, arms: Sequence[Arm], tune: Callable[[Run, Arm], object] = tuned) -> None:
    """`tune` every arm: one after the other, or side by side where there are workers."""
    if run.cluster is None:
        for arm in arms:
            tune(run, arm)
        return
    run.cluster.tune_all(run, arms, tune)


def work_of(arms: Callable[[Any], Iterable[Arm]]) -> Callable[[Any], float]:
    """`Experiment.work` of such arms."""
    return lambda s: sum(arm.total_work(s.seeds) for arm in arms(s))


def choose_rate(run: Run, arm: Arm) -> Tuned:
    """The best of the arm's rates on the tuning seeds. With one rate there is nothing to choose."""
    if len(arm.rates) == 1:
        return Tuned(arm, arm.rates, None, arm.rates[0], True)
    rates, scores = arm.rates, scores_of(run, arm, arm.rates)
    best = best_rate(scores)
    if not is_bracketed(scores):
        step = rates[1] / rates[0]
        below = (rates[0] / step**2, rates[0] / step)
        more = below if best == 0 else (rates[-1] * step, rates[-1] * step**2)
        order = np.argsort(rates + more)
        scores = np.concatenate([scores, scores_of(run, arm, more)])[order]
        rates = tuple(np.array(rates + more)[order].tolist())
        best = best_rate(scores)
    return Tuned(arm, rates, scores, rates[best], is_bracketed(scores))


def is_bracketed(scores: Any) -> bool:
    """Whether a rate inside the grid scores as high as any: beyond the edges it gets no better.

    A flat curve counts as well: its best rate lies at an edge, but by less than counts as a
    difference, so that the choice decides nothing. What it cannot tell is an arm that learns only
    beyond the grid; so reports name flat arms. Where all networks diverged, smaller rates may not.
    """
    if not np.isfinite(scores).any():
        return False
    means = mean_scores(scores)
    return is_flat(scores) or bool(means[1:-1].max() == means.max())


def is_flat(scores: Any) -> bool:
    """Whether accuracies lie within a point of each other at all rates. Losses have no points."""
    means = mean_scores(scores)
    return bool(means.min() >= 0 and np.ptp(means) <= MARGINS["difference"])


def best_rate(scores: Any) -> int:
    """Which row of (rates, seeds) has the highest mean; the first of equal ones."""
    return int(np.argmax(mean_scores(scores)))


def mean_scores(scores: Any) -> Any:
    """The mean of each rate; a network that diverged counts as the worst score that was seen."""
    worst = np.nanmin(scores) if np.isfinite(scores).any() else 0.0
    return np.where(np.isnan(scores), worst, scores).mean(axis=1)


def scores_of(run: Run, arm: Arm, rates: tuple[float, ...]) -> Any:
    """Validation scores (rates, tuning seeds), all of them one ensemble; adds a row per rate."""
    first = FIRST_TUNING_SEED + run.settings.seed
    seeds = tuple(range(first, first + TUNING_SEEDS))
    row = row_of(run, arm, seeds, rates, "tuning")
    run.result.rows.remove(row)
    measures = {name: np.reshape(each, (-1, TUNING_SEEDS)) for name, each in row.measures.items()}
    for number, rate in enumerate(rates):
        facts = {**arm.facts, "learning_rate": rate, "epochs": arm.epochs}
        own = {name: each[number] for name, each in measures.items()}
        run.result.rows.append(Row(arm.name, facts, seeds, own, part="tuning"))
    return measures["validation_score"]


def row_of(run: Run, arm: Arm, seeds: tuple[int, ...], rates: tuple[float, ...], part: str) -> Row:
    """The row of a network for each seed at each rate, seeds innermost, trained or from disk."""
    networks, tuning = seeds * len(rates), part == "tuning"
    each = tuple(rate for rate in rates for _ in seeds)
    rate: dict[str, Any] = {"learning_rates": rates} if tuning else {"learning_rate": rates[0]}
    settings = run.settings

    def trained(places: Sequence[int]) -> Callable[[Advance], Numbers]:
        """A function that trains the networks at these places, at their rates."""
        some, at = tuple(networks[i] for i in places), tuple(each[i] for i in places)
        own = replace(arm, **arm.share(some), share=None) if arm.share else arm
        train = own.train or train_networks
        return lambda advance: train(own, some, at, settings, advance, tuning)

    return run.networks(
        arm.name,
        {**arm.facts, **rate, "epochs": arm.epochs},
        networks,
        trained,
        arm.work * arm.epochs * len(networks),
        part,
        arm.axes,
    )


def train_networks(
    arm: Arm,
    seeds: tuple[int, ...],
    rates: tuple[float, ...],
    settings: Any,
    advance: Advance,
    tuning: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train on the arm's data, and measure it: see `measured`.

    A network whose loss stopped being finite has NaN everywhere. When tuning, the test data are not
    looked at.
    """
    model, data = arm.build(seeds), data_of_networks(arm, seeds)
    start = time.perf_counter()
    looked_at = replace(arm, callbacks=None) if tuning else arm
    history = fitted(looked_at, model, data, rates, settings, advance)
    seconds = time.perf_counter() - start
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        measures = measured(model, data, tuning)
        kept = arm.keep(model, history, data) if arm.keep and not tuning else {}
    failed = ~np.isfinite(measures["loss"])
    for values in measures.values():
        values[failed] = math.nan
    measures["seconds"] = np.full(len(seeds), seconds / len(seeds))
    return measures, dict(kept)


def data_of_networks(arm: Arm, seeds: Sequence[int]) -> Data:
    """The arm's data; seeds that stand several times, once for each rate, share what is drawn."""
    different = tuple(dict.fromkeys(seeds))
    return arm.data(different).repeated(len(seeds) // len(different))


def fitted(
    arm: Arm, model: Model, data: Data, rates: Sequence[float], settings: Any, advance: Advance
) -> Any:
    """Train the networks, each at its rate; the history. Raises `KeyboardInterrupt`."""
    callbacks = arm.callbacks(model) if arm.callbacks else ()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", "(?!the step is replayed)", RuntimeWarning)
        history = fit(
            model,
            data.X,
            data.y,
            loss=data.loss,
            optimizer=arm.optimizer(model, list(rates)),
            epochs=arm.epochs,
            batch_size=arm.batch_size,
            patience=arm.patience,
            validation=(data.X_validation, data.y_validation) if arm.patience else None,
            clip_norm=arm.clip_norm,
            callbacks=[progress_callback(arm, len(rates), advance), *callbacks],
            record=settings.record,
        )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    advance(arm.work * len(rates) * (arm.epochs - history.epochs))
    return history


def measured(model: Model, data: Data, tuning: bool) -> dict[str, Any]:
    """Final training loss, and accuracies on training, validation and test data.

    Of a regression, whose loss has no classes: the losses on validation (negative) and test data.
    """
    measures = {"loss": evaluate_loss(model, data.X, data.y, data.loss)}
    if data.loss in REGRESSION:
        held_out = data.X_validation, data.y_validation, data.loss
        measures["validation_score"] = -np.asarray(evaluate_loss(model, *held_out))
        if not tuning:
            measures["test_loss"] = evaluate_loss(model, data.X_test, data.y_test, data.loss)
    else:
        measures["train_accuracy"] = accuracy(model, data.X, data.y)
        measures["validation_score"] = accuracy(model, data.X_validation, data.y_validation)
        if not tuning:
            measures["test_accuracy"] = accuracy(model, data.X_test, data.y_test)
    return {name: np.array(values, np.float64) for name, values in measures.items()}


def progress_callback(arm: Arm, networks: int, advance: Advance) -> Callable[..., None]:
    """Tells the progress display about fifty times how far training is, and the median loss."""
    most = max(1, arm.epochs // 50)
    every = next(each for each in range(most, 0, -1) if arm.epochs % each == 0)

    def done(epoch: int, model: Model, loss: Any) -> None:
        value = float(np.nanmedian(loss)) if every > 1 or epoch % 50 == 0 else None
        advance(arm.work * networks * every, value=value)

    done.every = every  # type: ignore[attr-defined]
    return done
