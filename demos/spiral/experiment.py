"""Networks of several depths on two interleaved spirals, each at its best learning rate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import save_model
from scratchnet.datasets import spirals
from scratchnet.demos import tuning
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import probabilities, window
from scratchnet.demos.results import check_writable_file
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import Common, option, options_of
from scratchnet.demos.spiral.task import CHAPTER_SEED, TASK, TEST_POINTS, Task, described
from scratchnet.demos.tuning import OPTIMIZER_NAMES, OPTIMIZERS, RATES, Arm, Data, points
from scratchnet.demos.verdicts import Claim, counted, difference, exact, fact, success, successes
from scratchnet.demos.watching import check_watch, watching
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
    """The options of `scratchnet spiral`."""

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
    watch: bool = option(False, "Draw loss and classes in the terminal while it trains.")


def check(s: Settings) -> None:
    """Raise `InputError` for settings that do not fit together."""
    check_watch(s.watch)
    if s.protocol == "chapter":
        fixed = ("points", "noise", "turns", "seed", "seeds", "optimizer", "equal_parameters")
        for name in (*fixed, "learning_rate"):
            given = options_of(Settings)[name].value({"protocol": "chapter"}, quick=False)
            if getattr(s, name) != given:
                raise InputError(
                    f"--{name.replace('_', '-')} with --protocol chapter: the chapter fixes it"
                )
    rates = s.learning_rate or ()
    if len(rates) in (2, 3, 4):
        raise InputError(f"--learning-rate with {len(rates)} rates: must be one, or at least five")
    if list(rates) != sorted(rates):
        raise InputError("--learning-rate: must be in increasing order")
    if s.save is not None:
        check_writable_file(s.save, "--save")


def width_of(s: Settings, depth: int) -> int:
    """The width of a depth; under --equal-parameters that of four layers' number of parameters."""
    if not s.equal_parameters:
        return s.width
    budget = parameter_count(4, s.width, inputs=2, batch_norm=s.batch_norm)
    return width_for_budget(budget, depth, inputs=2, batch_norm=s.batch_norm)


def arm_name(depth: int, optimizer: str, normed: bool = False) -> str:
    """Such as `4 layers, gradient descent`."""
    layers = "no hidden layer" if not depth else "1 layer" if depth == 1 else f"{depth} layers"
    return f"{layers}{', batch norm' if normed else ''}, {OPTIMIZER_NAMES[optimizer]}"


def arms(s: Settings) -> list[Arm]:
    """Every depth with every optimizer; the chapter's with logistic regression beside them."""
    if s.protocol == "chapter":
        normed = [arm(s, depth, "sgd", True) for depth in s.depths] if s.batch_norm else []
        return [*(arm(s, depth, "sgd", False) for depth in (0, *s.depths)), *normed]
    return [arm(s, depth, name, s.batch_norm) for name in s.optimizer for depth in s.depths]


def arm(s: Settings, depth: int, optimizer: str, normed: bool) -> Arm:
    """A depth with an optimizer; depth 0 is logistic regression."""
    width, chapter = width_of(s, depth) if depth else 0, s.protocol == "chapter"
    rates = QUICK_RATES[optimizer] if s.quick else RATES[optimizer]
    epochs = s.epochs or (3000 if chapter else 1000 if optimizer == "sgd" else 400)
    facts = {"depth": depth, "width": width, "batch_norm": normed, "optimizer": optimizer}
    parameters = parameter_count(depth, width, 2, 1, normed) if depth else 3
    film: list[tuple[int, Any]] = []
    data = chapter_set if chapter else points(partial(arms_of_spirals, s), s.points, TEST_POINTS)
    return Arm(
        arm_name(depth, optimizer, chapter and normed),
        partial(build_chapter if chapter else build, s, facts),
        data,
        OPTIMIZERS[optimizer],
        (CHAPTER_RATE,) if chapter else (s.learning_rate or rates),
        epochs,
        facts | {"parameters": parameters},
        work=depth * width * (2.5 if normed else 1.0) + 10,
        keep=partial(keep, film),
        axes={"loss_curve": 1},
        callbacks=partial(looking, s, film, epochs, data) if s.animate or s.watch else None,
    )


def arms_of_spirals(s: Settings, n: int, generator: np.random.Generator) -> tuple[Any, Any]:
    """So many points of both arms."""
    return spirals(n, s.turns, s.noise, generator)


def chapter_set(seeds: Sequence[int]) -> Data:
    """The chapter has no validation data; its rate is given, so none are needed."""
    X, y, X_test, y_test = Task("chapter").data()
    return Data(X, y, X, y, X_test, y_test)


def shape(s: Settings, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What every network of an arm has in common."""
    widths = [2, *[facts["width"]] * facts["depth"], 1]
    return {"widths": widths, "activation": s.activation, "batch_norm": facts["batch_norm"]}


def build(s: Settings, facts: Mapping[str, Any], seeds: Sequence[int]) -> Model:
    """An ensemble with a network 2-[width]*depth-1 for each seed."""
    init = INITIALIZERS.get(s.activation, "he_normal")
    return tuning.networks(s, seeds=seeds, init=init, **shape(s, facts))


def build_chapter(s: Settings, facts: Mapping[str, Any], seeds: Sequence[int]) -> Model:
    """The chapter starts NumPy's legacy generator anew for each network, and draws by layers."""
    legacy = np.random.RandomState(CHAPTER_SEED)

    def he_normal(_: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        return legacy.randn(fan_in, fan_out) * np.sqrt(2.0 / fan_in)

    return mlp(init=he_normal, ensemble=1, dtype="float64", backend=s.backend, **shape(s, facts))


def keep(film: list[tuple[int, Any]], model: Model, history: Any, data: Data) -> dict[str, Any]:
    """For the figures: loss curves, and the first seed's data, boundary, parameters and frames."""
    X, y = (data.X[0] if data.X.ndim == 3 else data.X), data.y
    kept = {"loss_curve": history.loss.astype(np.float32), "X": X, "y": y}
    single = model.network(0)
    kept["boundary"] = probabilities(single, window(X), GRID)
    if film:
        frames = []
        for _, state in film:
            single.load_state_dict(state)
            frames.append(probabilities(single, window(X), FRAME_GRID).astype(np.float32))
        kept |= {"frame_epochs": np.array([epoch for epoch, _ in film]), "frames": np.stack(frames)}
    return kept | {f"state {name}": each for name, each in model.state_dict(network=0).items()}


def looking(
    s: Settings, film: list[tuple[int, Any]], epochs: int, data: Any, model: Model
) -> list[Callable[..., None]]:
    """Callbacks that film the first network, or draw it in the terminal."""
    found = filming(film, epochs, model) if s.animate else []
    if s.watch:
        found += watching(np.reshape(data([s.seed]).X, (-1, 2)), epochs)(model)
    return found


def filming(film: list[tuple[int, Any]], epochs: int, model: Model) -> list[Callable[..., None]]:
    """A callback that keeps the first network after some of the epochs."""
    wanted = set(frame_epochs(epochs, FRAMES))

    def frame(epoch: int, *_: Any) -> None:
        if epoch in wanted:
            film.append((epoch + 1, model.state_dict(network=0)))

    return [frame]


work = tuning.work_of(arms)


def memory(s: Settings) -> float:
    """The activations and gradients of the largest ensemble, about 30 arrays of its layers."""
    networks = max(s.seeds, tuning.TUNING_SEEDS * len(s.learning_rate or RATES["sgd"]))
    shapes = [(depth, width_of(s, depth)) for depth in s.depths]
    cells = [(s.points + width) * width * depth for depth, width in shapes]
    return 4.0 * 8 * networks * max(cells) + 16.0 * s.seeds * (2 * s.points + TEST_POINTS)


def claims(result: Result) -> list[Claim]:
    """About depths, or the chapter's about its own experiment."""
    chapter = result.settings.protocol == "chapter"
    return list(chapter_claims(result) if chapter else depth_claims(result))


TEXTBOOK = "textbook chapter on depth"


def depth_claims(result: Result) -> Iterator[Claim]:
    """Each depth against the next, and the optimizers against each other, as far as finished."""
    depths = sorted(result.settings.depths)
    for optimizer in result.settings.optimizer:
        for shallow, deep in pairwise(depths):
            yield from result.claim(
                f"Under {OPTIMIZER_NAMES[optimizer]}, more networks of depth {deep} than of depth "
                f"{shallow} solve the spirals",
                f"{TEXTBOOK}: each doubling of depth helps",
                partial(success, level=SOLVED),
                *(arm_name(each, optimizer) for each in (deep, shallow)),
                ledger=("000-001",) if (shallow, deep) == (1, 2) else (),
            )
    yield from result.claim(
        f"At depth {depths[0]}, Adam reaches a higher accuracy than gradient descent",
        "rule of thumb: what shallow networks lack is often optimisation",
        partial(difference, test_points=TEST_POINTS),
        *(arm_name(depths[0], name) for name in ("adam", "sgd")),
    )


def chapter_claims(result: Result) -> Iterator[Claim]:
    """What the chapter says of its own experiment: numbers of one run, which hold or fail."""
    own = f"{TEXTBOOK}, its own experiment"

    def say(sentence: str, holds: Any, depths: Sequence[int], *ledger: str) -> list[Claim]:
        """The claim that `holds` is true of the accuracies at these depths."""

        def contrast(*scores: Any) -> Any:
            """Whether it holds for the first network of each arm, with the accuracies in words."""
            values = [float(each[0]) for each in scores]
            shown = (f"{x:.1%} at depth {each}" for x, each in zip(values, depths, strict=True))
            return exact(holds(*values), ", ".join(shown))

        names = [arm_name(each, "sgd") for each in depths]
        return result.claim(sentence, own, contrast, *names, ledger=ledger)

    sentence = "One hidden layer barely beats chance (under 60 %)"
    yield from say(sentence, lambda one: one < 0.6, (1,), "002-108", "002-111")
    for pair in ((1, 2), (2, 4), (4, 8)):
        sentence = f"Depth {pair[1]} is far better than depth {pair[0]} (5 points)"
        yield from say(sentence, lambda a, b: b - a > 0.05, pair, "002-109")
    sentence = "Eight layers reach 94.5 % (within a point)"
    yield from say(sentence, lambda eight: abs(eight - 0.945) <= 0.01, (8,), "002-110")
    yield from result.claim(
        "Batch normalisation is better at depth 8",
        own,
        lambda a, b: exact(b[0] > a[0], f"{b[0]:.1%} with it, {a[0]:.1%} without"),
        *(arm_name(8, "sgd"), arm_name(8, "sgd", True)),
        ledger=("002-114",),
    )
    for row in result.verdict_rows():
        per_example = row.facts["parameters"] / result.settings.points
        score = row["test_accuracy"][0]
        if per_example >= 10:
            few = f"A network with {per_example:.1f} parameters per example"
            shown = f"{score:.1%} on test data at depth {row.facts['depth']}"
            source = "rule of thumb: fewer than 10 parameters per example"
            sentence = f"{few} does not generalise (under 90 %)"
            yield fact(sentence, source, score < 0.9, shown, "002-056")


def by_method(result: Result) -> dict[str, list[Row]]:
    """The rows of each optimizer, and of the chapter's batch normalisation, by depth."""
    found: dict[str, list[Row]] = {}
    for row in sorted(result.verdict_rows(), key=lambda row: int(row.facts["depth"])):
        found.setdefault(row.arm.split(", ", 1)[1], []).append(row)
    return found


def answer(result: Result, verdicts: Any = ()) -> str:
    """Which depths solve the spirals under which optimizer, in numbers."""
    if result.settings.protocol == "chapter":
        failed = [each for each in verdicts if each.name == "fails"]
        return f"{len(failed)} of {len(verdicts)} claims about the chapter's experiment fail in it."
    return finding(result)


def finding(result: Result) -> str:
    """Such as `Adam solves 9/10, 10/10 at depth 1, 2.`"""
    lines = []
    for name, rows in by_method(result).items():
        tests = [row["test_accuracy"] for row in rows]
        solved = ", ".join(f"{successes(each, SOLVED)}/{len(each)}" for each in tests)
        depths = ", ".join(str(row.facts["depth"]) for row in rows)
        lines.append(f"{name} solves {solved} at depth {depths}")
    text = "; ".join(lines) or "no depth was finished"
    return f"{text[0].upper()}{text[1:]}."


def tables(result: Result) -> list[Table]:
    """How many networks of each arm solve the spirals."""
    # The chapter judges by parameters per example; another column would not fit 80 columns.
    per_example = result.settings.protocol == "chapter"
    count = "P/N" if per_example else "size"
    means = "P/N: parameters per example" if per_example else "Size: parameters"
    size = "{per_example:.1f}" if per_example else "{parameters:,}"
    title = f"Of {result.settings.seeds}, solved: {SOLVED:.0%} of test points correct. {means}"
    return [
        Table.of(
            result.verdict_rows(),
            f"arm | {count} | rate | solved | median | worst | train",
            "{arm} | " + size + " | {learning_rate:g} | {solved} | {test_accuracy:.1%} | "
            "{least test_accuracy:.1%} | {train_accuracy:.0%}",
            title,
            per_example=lambda row: row.facts["parameters"] / result.settings.points,
            solved=lambda row: counted(row["test_accuracy"], SOLVED),
        )
    ]


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
    s, before = result.settings, "state "
    builder = build_chapter if s.protocol == "chapter" else build
    network = builder(s, deepest.facts, [s.seed]).network(0)
    states = [name for name in deepest.arrays if name.startswith(before)]
    network.load_state_dict({name.removeprefix(before): deepest.arrays[name] for name in states})
    save_model(path, network, task={TASK: described(s)})


experiment = Experiment.of(
    __name__,
    question="Do two interleaved spirals need depth?",
    source="a textbook chapter on depth: shallow networks fail, and each doubling of depth helps",
    look_for="how many networks of each depth solve the spirals, and at which learning rate; "
    "whether Adam changes it (then it is optimisation, not what a network can represent).",
    seconds=lambda s: 2 + work(s) * s.points / 400 * 2.3e-6,
    next=(
        "scratchnet spiral --learning-rate 0.05",
        "scratchnet spiral --equal-parameters",
        "scratchnet spiral --activation tanh",
        "scratchnet spiral --protocol chapter --batch-norm",
    ),
)
