"""Networks of several depths on two interleaved spirals, each at its best learning rate.

A gap between depths can have two causes: the shallow network cannot represent the spirals, or the
optimizer does not find how. So every depth is trained by gradient descent and by Adam, and each
pair at the learning rate that suits it best. `--protocol chapter` repeats the experiment of a
textbook chapter, number for number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import save_model
from scratchnet.datasets import spirals
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import grid_points, window
from scratchnet.demos.results import check_writable
from scratchnet.demos.running import Result
from scratchnet.demos.settings import Common, option, options_of
from scratchnet.demos.spiral.task import CHAPTER_SEED, TASK, TEST_POINTS, Task, described
from scratchnet.demos.tuning import (
    OPTIMIZER_NAMES,
    OPTIMIZERS,
    RATES,
    TUNING_SEEDS,
    Arm,
    Data,
    points,
    work_of,
)
from scratchnet.demos.verdicts import Claim, difference, exact, success, successes
from scratchnet.depth.budget import parameter_count, width_for_budget
from scratchnet.model import Model, mlp

SOLVED = 0.95
"""Test accuracy from which on a network has solved the spirals; guessing gets 0.5."""

GRID, FRAME_GRID, FRAMES = 150, 100, 60
CHAPTER_RATE = 0.05
QUICK_RATES = {"sgd": (0.2,), "adam": (0.01,)}
INITIALIZERS = {"tanh": "xavier_normal", "sigmoid": "xavier_normal"}


@dataclass(frozen=True)
class Settings(Common):
    protocol: Literal["standard", "chapter"] = option(
        "standard", "chapter repeats a textbook's experiment: its data, weights and rate."
    )
    depths: tuple[int, ...] = option(
        (1, 2, 4, 8), "Hidden layers.", quick=(1, 4), low=1, high=1000, chooses_arms=True
    )
    width: int = option(32, "Neurons per layer.", low=1, high=100_000)
    equal_parameters: bool = option(
        False, "Give every depth the width that makes it as large as four layers of --width."
    )
    optimizer: tuple[Literal["sgd", "adam"], ...] = option(
        {"standard": ("sgd", "adam"), "chapter": ("sgd",)},
        "sgd is full-batch gradient descent.",
        by="protocol",
        quick=("sgd",),
        chooses_arms=True,
    )
    learning_rate: tuple[float, ...] | None = option(
        None,
        "Rates to try, the same for every arm; by default five for each optimizer.",
        low=0,
        above=True,
        high=1000,
        chooses_arms=True,
    )
    epochs: int | None = option(
        None, "Training steps; by default 1000, Adam 400, chapter 3000.", low=1, high=10_000_000
    )
    batch_norm: bool = option(
        False, "Batch normalisation in every hidden layer; the chapter's beside the plain ones."
    )
    activation: Literal["relu", "tanh", "gelu", "leaky_relu", "sigmoid"] = option(
        "relu", "Of the hidden layers."
    )
    points: int = option(400, "To train on; as many for validation.", low=2, high=10_000_000)
    turns: float = option(2.0, "How often each arm winds.", low=0, above=True, high=1000)
    noise: float = option(
        {"standard": 0.02, "chapter": 0.3},
        "Standard deviation added to the coordinates; of the chapter's to the angle.",
        by="protocol",
        low=0,
        high=1000,
    )
    seed: int = option(
        {"standard": 0, "chapter": CHAPTER_SEED},
        "First seed; the same seed gives the same run.",
        by="protocol",
        low=0,
        high=2**31 - 1,
    )
    seeds: int = option(
        {"standard": 10, "chapter": 1},
        "Networks of each arm that decide the verdicts.",
        by="protocol",
        quick={"standard": 3, "chapter": 1},
        low=1,
        high=10_000,
    )
    save: Path | None = option(
        None, "Save the first seed's deepest network, for scratchnet prune.", chooses_arms=True
    )
    animate: bool = option(False, "Also write a GIF of the boundaries during training.")


def check(s: Settings) -> None:
    """Raise `InputError` for settings that do not fit together."""
    if s.protocol == "chapter":
        details = options_of(Settings)
        for name in ("points", "noise", "turns", "seed", "seeds", "optimizer", "equal_parameters"):
            fixed = details[name].value({"protocol": "chapter"}, quick=False)
            if getattr(s, name) != fixed:
                raise InputError(
                    f"--{name.replace('_', '-')} with --protocol chapter: the chapter fixes it"
                )
        if s.learning_rate is not None:
            raise InputError("--learning-rate with --protocol chapter: the chapter fixes it")
    if s.learning_rate is not None and len(s.learning_rate) not in (1, *range(5, 100)):
        raise InputError(
            f"--learning-rate with {len(s.learning_rate)} rates: must be one, or at least five"
        )
    if s.learning_rate is not None and list(s.learning_rate) != sorted(s.learning_rate):
        raise InputError("--learning-rate: must be in increasing order")
    if s.save is not None:
        if s.save.is_dir():
            raise InputError(f"--save {s.save}: is a folder; must be a file")
        check_writable(s.save.absolute().parent, "--save")


def width_of(s: Settings, depth: int) -> int:
    """The width of a depth; under --equal-parameters that of four layers' number of parameters."""
    if not s.equal_parameters:
        return s.width
    budget = parameter_count(4, s.width, inputs=2, batch_norm=s.batch_norm)
    return width_for_budget(budget, depth, inputs=2, batch_norm=s.batch_norm)


def arm_name(depth: int, optimizer: str, normed: bool = False) -> str:
    layers = "no hidden layer" if not depth else "1 layer" if depth == 1 else f"{depth} layers"
    return f"{layers}{', batch norm' if normed else ''}, {OPTIMIZER_NAMES[optimizer]}"


def arms(s: Settings) -> list[Arm]:
    """Every depth with every optimizer; the chapter's with logistic regression beside them."""
    if s.protocol == "chapter":
        normed = [arm(s, depth, "sgd", True) for depth in s.depths] if s.batch_norm else []
        return [*(arm(s, depth, "sgd", False) for depth in (0, *s.depths)), *normed]
    return [arm(s, depth, name, s.batch_norm) for name in s.optimizer for depth in s.depths]


def arm(s: Settings, depth: int, optimizer: str, normed: bool) -> Arm:
    width = width_of(s, depth) if depth else 0
    chapter = s.protocol == "chapter"
    rates = RATES[optimizer] if not s.quick else QUICK_RATES[optimizer]
    rates = (CHAPTER_RATE,) if chapter else (s.learning_rate or rates)
    epochs = s.epochs or (3000 if chapter else 1000 if optimizer == "sgd" else 400)
    parameters = parameter_count(depth, width, 2, 1, normed) if depth else 3
    film: list[tuple[int, Any]] = []
    facts = {
        "depth": depth,
        "width": width,
        "batch_norm": normed,
        "optimizer": optimizer,
        "parameters": parameters,
    }
    return Arm(
        arm_name(depth, optimizer, chapter and normed),
        partial(build_chapter if chapter else build, s, facts),
        chapter_set if chapter else points(partial(arms_of_spirals, s), s.points, TEST_POINTS),
        OPTIMIZERS[optimizer],
        rates,
        epochs,
        facts,
        work=depth * width * (2.5 if normed else 1.0) + 10,
        keep=partial(keep, film),
        callbacks=partial(filming, film, epochs) if s.animate else None,
    )


def arms_of_spirals(s: Settings, n: int, generator: np.random.Generator) -> tuple[Any, Any]:
    return spirals(n, s.turns, s.noise, generator)


def chapter_set(seeds: Sequence[int]) -> Data:
    """The chapter has no validation data; its rate is given, so none are needed."""
    X, y, X_test, y_test = Task("chapter").data()
    return Data(X, y, X, y, X_test, y_test)


def build(s: Settings, facts: Mapping[str, Any], seeds: Sequence[int]) -> Model:
    """An ensemble with a network 2-[width]*depth-1 for each seed."""
    return mlp(
        [2, *[facts["width"]] * facts["depth"], 1],
        activation=s.activation,
        init=INITIALIZERS.get(s.activation, "he_normal"),
        batch_norm=facts["batch_norm"],
        seed=list(seeds),
        ensemble=len(seeds),
        backend=get_backend(s.backend, s.precision),
    )


def build_chapter(s: Settings, facts: Mapping[str, Any], seeds: Sequence[int]) -> Model:
    """The chapter starts NumPy's legacy generator anew for each network, and draws by layers."""
    legacy = np.random.RandomState(CHAPTER_SEED)

    def he_normal(_: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        return legacy.randn(fan_in, fan_out) * np.sqrt(2.0 / fan_in)

    return mlp(
        [2, *[facts["width"]] * facts["depth"], 1],
        activation=s.activation,
        init=he_normal,
        batch_norm=facts["batch_norm"],
        ensemble=1,
        dtype="float64",
        backend=s.backend,
    )


def keep(film: list[tuple[int, Any]], model: Model, history: Any, data: Data) -> dict[str, Any]:
    """For the figures: loss curves, and the first seed's data, boundary, parameters and frames."""
    X, y = (data.X[0] if data.X.ndim == 3 else data.X), data.y
    kept = {"loss_curve": history.loss.astype(np.float32), "X": X, "y": y}
    kept["boundary"] = probabilities(model, X, GRID)
    if film:
        kept["frame_epochs"] = np.array([epoch for epoch, _ in film])
        kept["frames"] = np.stack(
            [boundary_of(model, state, X, FRAME_GRID) for _, state in film]
        ).astype(np.float32)
    return kept | {f"state {name}": each for name, each in model.state_dict(network=0).items()}


def filming(film: list[tuple[int, Any]], epochs: int, model: Model) -> list[Callable[..., None]]:
    """A callback that keeps the first network after some of the epochs."""
    wanted = set(frame_epochs(epochs, FRAMES))

    def frame(epoch: int, *_: Any) -> None:
        if epoch in wanted:
            film.append((epoch + 1, model.state_dict(network=0)))

    return [frame]


def probabilities(model: Model, X: Any, grid: int) -> Any:
    """P(class 1) of the first network over the window around X, (grid, grid)."""
    return boundary_of(model, model.state_dict(network=0), X, grid)


def boundary_of(model: Model, state: Mapping[str, Any], X: Any, grid: int) -> Any:
    single = model.network(0)
    single.load_state_dict(state)
    parts = np.array_split(grid_points(window(X), grid), -(-(grid**2) // 2500))
    logits = np.concatenate([single.predict(part)[:, 0] for part in parts]).astype(np.float64)
    return np.exp(-np.logaddexp(0, -logits)).reshape(grid, grid)


work = work_of(arms)


def memory(s: Settings) -> float:
    """The activations and gradients of the largest ensemble, about 30 arrays of its layers."""
    networks = max(s.seeds, TUNING_SEEDS * len(s.learning_rate or RATES["sgd"]))
    shapes = [(depth, width_of(s, depth)) for depth in s.depths]
    cells = [(s.points + width) * width * depth for depth, width in shapes]
    return 4.0 * 8 * networks * max(cells) + 16.0 * s.seeds * (2 * s.points + TEST_POINTS)


def seconds(s: Settings) -> float:
    return 2 + work(s) * s.points / 400 * 2.3e-6


def claims(result: Result) -> list[Claim]:
    return chapter_claims(result) if result.settings.protocol == "chapter" else depth_claims(result)


TEXTBOOK = "textbook chapter on depth"


def depth_claims(result: Result) -> list[Claim]:
    """Each depth against the next, and the optimizers against each other, as far as finished."""
    found = []
    depths = sorted(result.settings.depths)
    for optimizer in result.settings.optimizer:
        for shallow, deep in zip(depths, depths[1:], strict=False):
            a, b = arm_name(deep, optimizer), arm_name(shallow, optimizer)
            if a in result and b in result:
                found.append(
                    Claim(
                        f"Under {OPTIMIZER_NAMES[optimizer]}, more networks of depth {deep} than "
                        f"of depth {shallow} solve the spirals",
                        f"{TEXTBOOK}: each doubling of depth helps",
                        success(result[a]["test_accuracy"], result[b]["test_accuracy"], SOLVED),
                        untested=result.untested(a, b),
                        ledger=("000-001",) if (shallow, deep) == (1, 2) else (),
                    )
                )
    if {"sgd", "adam"} <= set(result.settings.optimizer):
        a, b = (arm_name(depths[0], name) for name in ("adam", "sgd"))
        if a in result and b in result:
            found.append(
                Claim(
                    f"At depth {depths[0]}, Adam reaches a higher accuracy than gradient descent",
                    "rule of thumb: what shallow networks lack is often optimisation",
                    difference(result[a]["test_accuracy"], result[b]["test_accuracy"], TEST_POINTS),
                    untested=result.untested(a, b),
                )
            )
    return found


def chapter_claims(result: Result) -> list[Claim]:
    """What the chapter says of its own experiment: numbers of one run, which hold or fail."""
    plain, normed = (
        {
            row.facts["depth"]: float(row["test_accuracy"][0])
            for row in result.verdict_rows()
            if row.facts["batch_norm"] == with_norm
        }
        for with_norm in (False, True)
    )
    scores = plain
    found = []

    def say(sentence: str, holds: bool, *depths: int, ledger: tuple[str, ...]) -> None:
        shown = ", ".join(f"{scores[each]:.1%} at depth {each}" for each in depths)
        source = f"{TEXTBOOK}, its own experiment"
        found.append(Claim(sentence, source, exact(holds, shown), ledger=ledger))

    if 1 in scores:
        sentence = "One hidden layer barely beats chance (under 60 %)"
        say(sentence, scores[1] < 0.6, 1, ledger=("002-108", "002-111"))
    for shallow, deep in ((1, 2), (2, 4), (4, 8)):
        if shallow in scores and deep in scores:
            helps = scores[deep] - scores[shallow] > 0.05
            sentence = f"Depth {deep} is far better than depth {shallow} (5 points)"
            say(sentence, helps, shallow, deep, ledger=("002-109",))
    if 8 in scores:
        sentence = "Eight layers reach 94.5 % (within a point)"
        say(sentence, abs(scores[8] - 0.945) <= 0.01, 8, ledger=("002-110",))
    if 8 in plain and 8 in normed:
        shown = f"{normed[8]:.1%} with it, {plain[8]:.1%} without"
        sentence = "Batch normalisation is better at depth 8"
        found.append(
            Claim(
                sentence,
                f"{TEXTBOOK}, its own experiment",
                exact(normed[8] > plain[8], shown),
                ledger=("002-114",),
            )
        )
    for row in result.verdict_rows():
        per_example = row.facts["parameters"] / result.settings.points
        if per_example >= 10:
            found.append(
                Claim(
                    f"A network with {per_example:.1f} parameters per example does not "
                    "generalise (under 90 %)",
                    "rule of thumb: fewer than 10 parameters per example",
                    exact(
                        bool(row["test_accuracy"][0] < 0.9),
                        f"{row['test_accuracy'][0]:.1%} on test data at depth {row.facts['depth']}",
                    ),
                    ledger=("002-056",),
                )
            )
    return found


def answer(result: Result, verdicts: Any) -> str:
    """Which depths solve the spirals under which optimizer, in numbers."""
    if result.settings.protocol == "chapter":
        failed = [each for each in verdicts if each.name == "fails"]
        return f"{len(failed)} of {len(verdicts)} claims about the chapter's experiment fail in it."
    lines = []
    for optimizer in result.settings.optimizer:
        rows = [row for row in result.verdict_rows() if row.facts["optimizer"] == optimizer]
        counts = ", ".join(
            f"{successes(row['test_accuracy'], SOLVED)} of {len(row.seeds)} at depth "
            f"{row.facts['depth']}"
            for row in rows
        )
        if rows:
            lines.append(f"{OPTIMIZER_NAMES[optimizer]} solves them in {counts}")
    return ("; ".join(lines) or "no depth was finished") + "."


def tables(result: Result) -> list[Table]:
    # The chapter judges by parameters per example; another column would not fit 80 columns.
    per_example = result.settings.protocol == "chapter"
    count = "P/N" if per_example else "size"
    headings = ("arm", count, "rate", "solved", "median", "worst", "train")
    rows = []
    for row in result.verdict_rows():
        test, p = row["test_accuracy"], row.facts["parameters"]
        diverged = np.count_nonzero(np.isnan(test))
        rows.append(
            (
                row.arm + (f" ({diverged} diverged)" if diverged else ""),
                f"{p / result.settings.points:.1f}" if per_example else f"{p:,}",
                f"{row.facts['learning_rate']:g}",
                f"{successes(test, SOLVED)}/{len(test)}",
                *(f"{value:.1%}" for value in (np.nanmedian(test), np.nanmin(test))),
                f"{np.nanmedian(row['train_accuracy']):.0%}",
            )
        )
    means = "P/N: parameters per example" if per_example else "Size: parameters"
    return [Table(headings, rows, f"Solved: {SOLVED:.0%} of test points correct. {means}")]


def files(result: Result) -> dict[str, Callable[[Path], None]]:
    """The moving picture and the saved network, where they are asked for."""
    from scratchnet.demos.spiral.figures import animate

    found: dict[str, Callable[[Path], None]] = {}
    s = result.settings
    if s.save is not None:
        found[str(s.save.absolute())] = partial(save_deepest, result)
    if s.animate:
        found["training.gif"] = partial(animate, result)
    return found


def save_deepest(result: Result, path: Path) -> None:
    """Save the first seed's network with the most layers, and what it was trained on."""
    deepest = max(result.verdict_rows(), key=lambda row: row.facts["depth"])
    s = result.settings
    builder = build_chapter if s.protocol == "chapter" else build
    network = builder(s, deepest.facts, [s.seed]).network(0)
    state = {
        name.removeprefix("state "): values
        for name, values in deepest.arrays.items()
        if name.startswith("state ")
    }
    network.load_state_dict(state)
    save_model(path, network, task={TASK: described(s)})


def figures(result: Result) -> Mapping[str, Callable[[], Any]]:
    from scratchnet.demos.spiral.figures import drawings

    return drawings(result)


experiment = Experiment.of(
    __name__,
    question="Do two interleaved spirals need depth?",
    source="a textbook chapter on depth: shallow networks fail, and each doubling of depth helps",
    look_for="how many networks of each depth solve the spirals, and at which learning rate; "
    "whether Adam changes it (then it is optimisation, not what a network can represent).",
    next=(
        "scratchnet spiral --learning-rate 0.05",
        "scratchnet spiral --equal-parameters",
        "scratchnet spiral --activation tanh",
        "scratchnet spiral --protocol chapter --batch-norm",
    ),
)
