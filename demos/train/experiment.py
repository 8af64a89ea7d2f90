"""`scratchnet train`: a network for a table, beside a linear model and a guess.

Each seed splits the rows anew: 60 % for training, 20 % for validation, 20 % for the test. On five
tuning splits the learning rate and the number of epochs are chosen, by their mean validation loss,
which is less noisy than each split's own. The networks of the verdict are then trained for so many
epochs on training and validation rows together. Means and deviations are those of the rows that a
network is trained on.

A network's own test rows are used once, but the tuning splits are of the same table and hold some
of them. On 60 tables of 60 rows, half of them noise, networks tuned on another table of the same
kind had 0.5 ± 1.6 points less (95 %): no detectable difference. On 280 tables of noise none of
5 or 30 splits stated that the network was better than the guess.

The splits share rows, and more of them do not make the table larger: the verdicts allow for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import save_model
from scratchnet.demos import tuning
from scratchnet.demos.experiment import Table
from scratchnet.demos.ranks import OnRanks
from scratchnet.demos.results import check_writable_file
from scratchnet.demos.running import Advance, Result, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.train.columns import counted, deviation_of, fitted, printable
from scratchnet.demos.train.linear import least_cross_entropy, ridge, with_one
from scratchnet.demos.train.rows import data, digest, load, outputs, repeated, split
from scratchnet.demos.tuning import Arm, Data, train_networks
from scratchnet.demos.verdicts import Claim, Verdict, difference, ratio, wilson_interval
from scratchnet.demos.watching import check_watch, watching
from scratchnet.model import Model
from scratchnet.optim import AdamW

TASK = "table"
"""The key of the encoding in a model's file."""
FEWEST_ROWS, FEWEST_OF_A_CLASS = 20, 5
"""Of a smaller class no row is left for the test."""
FULL_BATCH_ROWS = 1000
ROUNDING = 1e-12
"""A variance of less than that part of the mean square is rounding in float32."""
NETWORK, LINEAR = "network", "linear model"
SOURCE = "practice: a model must beat the simple ones"


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet train`."""

    file: Path | None = option(
        None, "The table: CSV, Parquet or npz.", metavar="DATA", positional=True
    )
    target: str | None = option(None, "The column to predict; the last one if not given.")
    task: Literal["auto", "classification", "regression"] = option(
        "auto", "auto: classes for words and for few whole numbers, else regression."
    )
    widths: tuple[int, ...] = option(
        (32, 32), "Neurons of each hidden layer.", low=1, high=4096, repeats=True
    )
    dropout: float = option(0.0, "Share of neurons that are dropped.", low=0, high=0.95)
    weight_decay: float = option(0.01, "Of AdamW.", low=0, high=1000)
    epochs: int = option(300, "At most; the tuning splits choose.", quick=60, low=1, high=1_000_000)
    patience: int = option(
        100, "Tuning ends after so many epochs without a better validation loss.", low=1
    )
    batch: int | None = option(
        None, "Rows of a mini-batch; up to 1,000 rows are one batch, else 128.", low=1
    )
    save: Path | None = option(
        None, "The network's file, in place of model.safetensors in --out.", chooses_arms=True
    )
    ranks: int = option(
        1, "Processes that share the training rows, over MPI (extra: mpi).", low=1, high=4096
    )
    watch: bool = option(False, "Draw loss and, for two inputs, classes while it trains.")
    seeds: int = option(5, "Splits, each with a network.", quick=2, low=1, high=1000)


def check(s: Settings) -> None:
    """Raise `InputError` where the table cannot be split, or a file cannot be written."""
    if s.file is None:
        raise InputError("DATA is missing: must be a CSV, Parquet or npz file")
    check_watch(s.watch)
    if s.save is not None:
        check_writable_file(s.save, "--save")
    prepared = load(s)
    rows = len(prepared.y)
    if rows < FEWEST_ROWS:
        left_out = "".join(f"; {note}" for note in prepared.notes if note.endswith("left out"))
        raise InputError(
            f"{s.file} has {rows} rows: must have at least {FEWEST_ROWS} to be split{left_out}"
        )
    if not all(map(len, split(prepared, s.seed))):
        classes = len(prepared.encoding.classes)
        raise InputError(
            f"column {prepared.encoding.target!r} has {classes} classes in {rows} rows: must have "
            f"a class of {FEWEST_OF_A_CLASS} rows or more{prepared.blamed}"
        )
    if s.ranks > (training := len(split(prepared, s.seed)[0])):
        raise InputError(f"--ranks {s.ranks}: must be at most {training}, one for a training row")


def arms(s: Settings, result: Result | None = None) -> Iterator[Arm]:
    """The network alone: the other models have no learning rate."""
    prepared = load(s)
    rows = len(split(prepared, 0)[0])
    batch = s.batch or (rows if rows <= FULL_BATCH_ROWS else 128)
    sizes = [prepared.raw.shape[1], *s.widths, outputs(prepared)]
    weights = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
    yield Arm(
        NETWORK,
        partial(build, s, sizes),
        partial(data, s),
        partial(AdamW, weight_decay=s.weight_decay),
        (0.01,) if s.quick else tuning.RATES["adamw"],
        s.epochs,
        {"layers": " x ".join(map(str, sizes)), "rows": rows, "table": digest(s)},
        work=rows * (weights + 30.0 * sum(sizes)) * 1e-4,
        batch_size=batch if batch < rows else None,
        patience=s.patience,
        keep=keep,
        train=partial(trained, result),
    )


def watched(s: Settings, epochs: int) -> Any:
    """Callbacks that draw the first split's network, the last time after so many epochs."""
    samples = data(s, [s.seed], whole=True).X[0]
    has_plane = samples.shape[1] == 2 and load(s).encoding.task == "classification"
    return watching(samples if has_plane else None, epochs)


def build(s: Settings, sizes: Sequence[int], seeds: Sequence[int]) -> Model:
    """An ensemble with a network for each seed."""
    return tuning.networks(s, sizes, seeds, dropout=s.dropout if len(sizes) > 2 else 0.0)


def trained(
    result: Result | None,
    arm: Arm,
    seeds: tuple[int, ...],
    rates: tuple[float, ...],
    s: Settings,
    advance: Advance,
    tuning: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tuning splits give the best epochs and their score, others what is measured after those."""
    if tuning:
        return best_epochs(arm, seeds, rates, s, advance), {}
    epochs = chosen_epochs(result, arm, rates[0])
    final = replace(
        arm,
        epochs=epochs,
        patience=None,
        data=partial(data, s, whole=True),
        callbacks=watched(s, epochs) if s.watch else None,
    )
    measures, kept = train_networks(final, seeds, rates, s, advance)
    del measures["validation_score"]  # these rows were trained on
    advance(arm.work * len(seeds) * (arm.epochs - epochs))
    if "test_loss" in measures:
        measures |= regression_measures(final.data(seeds), measures["test_loss"])
    return measures | {"best_epochs": np.full(len(seeds), epochs)}, kept


def best_epochs(
    arm: Arm, seeds: tuple[int, ...], rates: tuple[float, ...], s: Settings, advance: Advance
) -> dict[str, Any]:
    """For each rate the epochs with the least mean validation loss, and minus each loss then."""
    model = arm.build(seeds)
    history = tuning.fitted(
        replace(arm, callbacks=None),
        model,
        tuning.data_of_networks(arm, seeds),
        rates,
        s,
        advance,
    )
    losses = np.where(np.isfinite(history.validation_loss), history.validation_loss, np.inf)
    scores, epochs = np.empty(len(seeds)), np.empty(len(seeds))
    for rate in dict.fromkeys(rates):
        own = np.array(rates) == rate
        best = int(losses[:, own].mean(axis=1).argmin())
        scores[own], epochs[own] = -losses[best, own], best + 1
    scores[~np.isfinite(scores)] = np.nan
    return {"validation_score": scores, "best_epochs": epochs}


def chosen_epochs(result: Result | None, arm: Arm, rate: float) -> int:
    """What the tuning splits found best for the rate; all epochs where nothing was tuned."""
    for row in result.rows if result else ():
        if (row.arm, row.part) == (arm.name, "tuning") and row.facts["learning_rate"] == rate:
            return int(row["best_epochs"][0])
    return arm.epochs


def keep(model: Model, history: Any, data: Data) -> dict[str, Any]:
    """The first split's network, and what it predicts of its test rows."""
    state = {f"state {name}": each for name, each in model.state_dict(network=0).items()}
    truth = data.y_test if data.y_test.ndim == 1 else data.y_test[0, :, 0]
    predicted = model.predict(data.X_test)[0, :, 0] if data.y_test.ndim > 1 else None
    return {
        "predicted": model.classify(data.X_test)[0] if predicted is None else predicted,
        "truth": truth,
        **state,
    }


def run(run: Run) -> None:
    """The guess, the linear model, and then the network."""
    s = run.settings
    seeds = tuple(range(s.seed, s.seed + s.seeds))
    run.row(guess_name(s), {"table": digest(s)}, seeds, lambda advance: (guessed(s, seeds), {}), 0)
    linear = least_squares if guess_name(s) == "mean" else logistic_regression
    run.row(LINEAR, {"table": digest(s)}, seeds, lambda advance: (linear(s, seeds), {}))
    for arm in arms(s, run.result):
        tuning.tuned(run, arm)


def least_squares(s: Settings, seeds: Sequence[int]) -> dict[str, Any]:
    """The measures of `ridge` regression, whose penalty is that of `logistic_regression`.

    Without one, as many inputs as rows would leave a network nothing to beat.
    """
    split_data = data(s, seeds, whole=True)
    errors = []
    for i in range(len(seeds)):
        w, b = ridge(split_data.X[i], split_data.y[i])
        predicted = split_data.X_test[i] @ w + b
        errors.append(((predicted - split_data.y_test[i]) ** 2).mean())
    return regression_measures(split_data, np.array(errors))


def logistic_regression(s: Settings, seeds: Sequence[int]) -> dict[str, Any]:
    """The measures of softmax(x W + b), where cross-entropy + |W|^2 / (2 N) is least.

    The penalty, which is scikit-learn's, bounds W where a plane separates the classes.
    """
    split_data = data(s, seeds, whole=True)
    classes = len(load(s).encoding.classes)
    targets = np.eye(classes)[split_data.y]
    right = []
    for X, X_test in zip(
        map(with_one, split_data.X), map(with_one, split_data.X_test), strict=True
    ):
        W = least_cross_entropy(X, targets)
        right.append(((X_test @ W).argmax(axis=1) == split_data.y_test).mean())
    return {"test_accuracy": np.array(right)}


def regression_measures(split_data: Data, errors: Any) -> dict[str, Any]:
    """The squared errors on test rows, and R^2 = 1 - error / variance: NaN where all are alike."""
    y = split_data.y_test.astype(np.float64)
    variance, square = y.var(axis=(1, 2)), (y**2).mean(axis=(1, 2))
    variance[variance <= ROUNDING * square] = np.nan
    return {"test_loss": errors, "r2": 1 - errors / variance}


def guess_name(s: Settings) -> str:
    """What the simplest model answers: the most frequent class, or the mean."""
    return "most frequent class" if load(s).encoding.task == "classification" else "mean"


def guessed(s: Settings, seeds: Sequence[int]) -> dict[str, Any]:
    """The measures of one answer for all rows: the training rows' commonest class, or mean."""
    split_data = data(s, seeds, whole=True)
    if guess_name(s) == "mean":
        return regression_measures(split_data, (split_data.y_test**2).mean(axis=(1, 2)))
    commonest = np.bincount(split_data.y).argmax()
    return {"test_accuracy": np.full(len(seeds), (split_data.y_test == commonest).mean())}


def claims(result: Result) -> Iterator[Claim]:
    """That the network does better than the simpler models."""
    s = result.settings
    is_class = load(s).encoding.task == "classification"
    train_rows, validation_rows, test_rows = map(len, split(load(s), 0))
    splits = test_rows / (train_rows + validation_rows)
    for other in (LINEAR, guess_name(s)):
        contrast: Any = partial(ratio, splits=splits)
        if is_class:
            contrast = partial(difference, test_points=test_rows, splits=splits)
        measure = "test_accuracy" if is_class else "test_loss"
        yield from result.claim(
            f"The network does better than the {other}", SOURCE, contrast, NETWORK, other,
            measure=measure,
        )  # fmt: skip


def score_of(s: Settings) -> tuple[str, float, str]:
    """The measure that people read, by what it is multiplied for them, and its name."""
    if load(s).encoding.task == "classification":
        return "test_accuracy", 100.0, "% correct"
    return "r2", 1.0, "R^2"


def answer(result: Result, verdicts: Sequence[Verdict]) -> str:
    """The mean score of each model, the best first."""
    measure, factor, unit = score_of(result.settings)
    means = {row.arm: summary(row[measure])[0] for row in result.verdict_rows()}
    best_first = sorted(means, key=lambda arm: -np.nan_to_num(means[arm], nan=-np.inf))
    parts = [f"{arm} {number(means[arm] * factor, unit)}" for arm in best_first]
    return f"On test rows, mean of {result.settings.seeds} splits: {', '.join(parts)}."


def number(value: float, unit: str) -> str:
    """Such as `93.3 % correct`, or `R^2 0.45`; - for a network that diverged."""
    if not np.isfinite(value):
        return f"- {unit}" if unit.startswith("%") else f"{unit} -"
    return f"{value:.1f} {unit}" if unit.startswith("%") else f"{unit} {value:.2f}"


def tables(result: Result) -> list[Table]:
    """The scores of all models; of a regression their errors too, in the unit of the target."""
    measure, factor, unit = score_of(result.settings)
    rows = []
    for row in result.verdict_rows():
        values = row[measure] * factor
        cells = [row.arm, row.facts.get("layers", ""), str(row.facts.get("learning_rate", ""))]
        digits = 2 if unit == "R^2" else 1
        cells += [f"{value:.{digits}f}".replace("nan", "-") for value in summary(values)]
        if unit == "R^2":
            error = summary(np.sqrt(row["test_loss"]) * target_deviations(result.settings))[0]
            cells.append(f"{error:.3g}".replace("nan", "-"))
        rows.append(cells)
    headings = ["model", "layers", "rate", unit, "worst", "best"]
    headings += ["RMSE"] if unit == "R^2" else []
    target = printable(load(result.settings).encoding.target)
    return [Table(headings, rows, f"{target}: test rows of {result.settings.seeds} splits")]


def target_deviations(s: Settings) -> Any:
    """The unit of each split's loss: the deviation of the targets that were trained on."""
    splits = [split(load(s), seed)[:2] for seed in range(s.seed, s.seed + s.seeds)]
    return np.array([deviation_of(load(s).y[np.concatenate(rows)]) or 1.0 for rows in splits])


def summary(values: Any) -> tuple[float, float, float]:
    """The mean, the lowest and the highest of the finite values; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.nan, np.nan, np.nan
    return float(finite.mean()), float(finite.min()), float(finite.max())


def notes(result: Result) -> list[str]:
    """What the table holds, what was left out, and which network is saved."""
    prepared = load(result.settings)
    encoding = prepared.encoding
    rows, inputs = prepared.raw.shape
    names = encoding.classes
    what = f"{len(names)} classes: {shortened(names)}" if names else "a regression"
    columns, numbers = counted(len(encoding.columns), "column"), counted(inputs, "input")
    found = [f"{counted(rows, 'row')}, {columns} as {numbers}; {what}."]
    found += [f"{note[0].upper()}{note[1:]}." for note in prepared.notes]
    for name in counting(result):
        found.append(f"Column {name!r} counts the rows: leave it out unless it is a measurement.")
    copies, of_all = repeated(result.settings)
    if copies:
        splits = counted(result.settings.seeds, "split")
        found.append(
            f"{copies:,} of {counted(of_all, 'test row')} in {splits} also occur among the rows "
            "trained on, with the same target: where they are copies, not different cases that are "
            "alike, the scores are too high."
        )
    if not encoding.classes:
        r2 = next(iter(result.verdict_rows()))["r2"]
        if alike := np.count_nonzero(np.isnan(r2)):
            found.append(f"No R^2 in {counted(alike, 'split')}: the test rows have one value.")
    if NETWORK in result:
        found.append(f"Saved is the network of the first split, with {saved_score(result)}.")
    if NETWORK in result.tuned and result.tuned[NETWORK].scores is not None:
        found.append(
            "Rate and epochs were chosen on five other splits of the same rows, some of which are "
            "test rows here: the network's scores may be slightly too high."
        )
    sizes = np.bincount(prepared.y.astype(int)) if encoding.classes else np.array([])
    if rare := [encoding.classes[i] for i in np.flatnonzero(sizes < FEWEST_OF_A_CLASS)]:
        found.append(f"Too rare for the test, so in no number above: {shortened(rare)}.")
    return found


def saved_score(result: Result) -> str:
    """Such as `90.0 % correct of 20 test rows (95 % interval 69.9 to 97.2)`, or an R^2 of them."""
    measure, factor, unit = score_of(result.settings)
    score = float(result[NETWORK][measure][0])
    rows = len(split(load(result.settings), result.settings.seed)[2])
    said = f"{number(score * factor, unit)} of {counted(rows, 'test row')}"
    if unit == "R^2" or not np.isfinite(score):
        return said
    low, high = wilson_interval(round(score * rows), rows)
    return f"{said} (95 % interval {100 * low:.1f} to {100 * high:.1f})"


def counting(result: Result) -> Iterator[str]:
    """Columns that count the rows: where those are sorted, a row's number tells its class."""
    prepared = load(result.settings)
    place = 0
    for column in prepared.encoding.columns:
        if not column.words and (np.diff(prepared.raw[:, place]) == 1).all():
            yield column.name
        place += column.inputs


def shortened(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(printable, names[:most])) + more


def files(result: Result) -> Mapping[str, Callable[[Path], None]]:
    """The network of the first split, where it was trained."""
    if NETWORK not in result:
        return {}
    chosen = result.settings.save
    name = "model.safetensors" if chosen is None else str(chosen.expanduser().absolute())
    return {name: partial(save, result)}


def save(result: Result, path: Path) -> None:
    """The first split's network, with what `scratchnet predict` needs of the columns."""
    s, row = result.settings, result[NETWORK]
    prepared = load(s)
    places = np.concatenate(split(prepared, s.seed)[:2])
    encoding = fitted(prepared.encoding, prepared.raw[places], prepared.y[places])
    sizes = [int(size) for size in row.facts["layers"].split(" x ")]
    network = build(s, sizes, [s.seed]).network(0)
    start = "state "
    names = [name for name in row.arrays if name.startswith(start)]
    network.load_state_dict({name.removeprefix(start): row.arrays[name] for name in names})
    network.loss = data(s, [s.seed]).loss
    save_model(path, network, task={TASK: encoding.described()})


def memory(s: Settings) -> float:
    """The rows of all splits, and the activations of the largest ensemble, in bytes."""
    rows, inputs = load(s).raw.shape
    networks = max(s.seeds, 5 * tuning.TUNING_SEEDS)
    return 8.0 * rows * (4 * inputs + networks * (inputs + 6 * sum(s.widths)))


def work(s: Settings) -> float:
    """One unit for the simple models, and those of the network."""
    return 1 + tuning.work_of(arms)(s)


experiment = OnRanks.of(
    __name__,
    question="How well can a network predict a column of this table?",
    source=SOURCE,
    look_for="whether the network does better than the linear model; if not, prefer that one.",
    seconds=lambda s: 2 + tuning.work_of(arms)(s) * 1e-5,
    next=("scratchnet predict MODEL DATA.csv",),
)
