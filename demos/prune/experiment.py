"""Networks that lose weights or neurons after training, and what training makes of the rest."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from scratchnet import pruning
from scratchnet.backends import InputError, get_backend
from scratchnet.checkpoint import load_model, load_task
from scratchnet.compacting import compact
from scratchnet.demos import tuning
from scratchnet.demos.data import data_of
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.spiral import task as spiral
from scratchnet.demos.tuning import Arm, Data, stream, tune_all, tuned
from scratchnet.demos.verdicts import Claim, difference, ratio
from scratchnet.evaluation import accuracy
from scratchnet.layers import from_description
from scratchnet.layers.registry import described
from scratchnet.model import Model
from scratchnet.optim import Adam

DENSE, UNPRUNED, SCRATCH = "dense", "unpruned", "from scratch"
METHODS = ("magnitude", "layer-magnitude", "neurons", "random")
TEXTBOOK = "textbook chapter on lottery tickets"
RANDOM_MASKS = 7
"""The stream of a seed's random masks."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet prune`."""

    file: Path | None = option(
        None,
        "A network that scratchnet spiral --save FILE wrote; without it, each seed trains its own.",
        positional=True,
    )
    sparsities: tuple[float, ...] = option(
        (0.5, 0.8, 0.9, 0.95),
        "Shares of the weights to take out; all methods leave the same number.",
        quick=(0.8, 0.95),
        low=0,
        high=0.999,
        chooses_arms=True,
    )
    methods: tuple[Literal["magnitude", "layer-magnitude", "neurons", "random"], ...] = option(
        ("magnitude", "neurons", "random"),
        "What goes: the smallest weights of all layers, or of each; whole neurons; any weights.",
        chooses_arms=True,
    )
    depth: int = option(4, "Hidden layers, without FILE.", low=1, high=200)
    width: int = option(32, "Neurons of each layer, without FILE.", low=2, high=10_000)
    epochs: int = option(400, "Training steps before pruning (Adam).", quick=200, low=1)
    steps: int = option(200, "Training steps after it.", quick=100, low=1)
    seeds: int = option(15, "Networks of each arm.", quick=3, low=1, high=10_000)
    learning_rate: float | None = option(
        None, "Of every training, instead of the best of five.", low=0, above=True, high=1000
    )


def check(s: Settings) -> None:
    """Raise `InputError` for a file that cannot be used."""
    networks_of(s)


@dataclass
class Networks:
    """The dense networks, by seed, and their data."""

    settings: Settings
    single: Model  # one of them, for its shape; the only one of a file
    data: Any  # from seeds to `Data`
    digest: str = ""  # of the file
    learned: dict[int, Any] = field(default_factory=dict)  # parameters (P,) by seed, without a file

    def of(self, seeds: Sequence[int]) -> Model:
        """An ensemble with the dense network of each seed, as it is before pruning."""
        if self.digest:
            return self.single.repeated(len(seeds))
        model = build(self.settings, seeds)
        rows = np.stack([self.learned[seed] for seed in seeds])
        model.parameter_buffer[...] = model.backend.asarray(rows, model.dtype)
        return model


def build(s: Settings, seeds: Sequence[int]) -> Model:
    """Untrained dense networks of these seeds."""
    return tuning.networks(s, [2, *[s.width] * s.depth, 1], seeds)


def networks_of(s: Settings) -> Networks:
    """Before anything is trained. Raises `InputError` for a file that cannot be used."""
    if s.file is None:
        return Networks(s, build(s, [0]).network(0), data_of("spirals", 400, spiral.TEST_POINTS))
    model, found = load_model(s.file, get_backend(s.backend, s.precision)), load_task(s.file)
    if not isinstance(found.get(spiral.TASK), dict):
        raise InputError(
            f"{s.file} does not say what its network was trained on: make a file with "
            f"scratchnet spiral --save {s.file}"
        )
    try:
        task = spiral.task_of(found[spiral.TASK])
        X, y, *test = task.data()
        blocks = [block.linear for block in pruning.chain(model)]
    except InputError as error:
        raise InputError(f"{s.file}: {error}") from None
    shape = (blocks[0].fan_in, len(blocks) - 1, blocks[-1].fan_out)
    if shape[::2] != (2, 1) or not shape[1]:
        raise InputError(
            f"{s.file}: its network has {shape[0]} inputs, {shape[1]} hidden layers and {shape[2]} "
            "outputs; must be 2, at least 1, and 1"
        )
    if not np.isfinite(model.predict(X)).all():
        raise InputError(f"{s.file}: its network has diverged, its outputs are not finite")
    data = Data(X, y, *task.validation(), *test)
    digest = hashlib.sha256(s.file.read_bytes()).hexdigest()[:12]
    return Networks(s, model, lambda seeds: data, digest)


class Level(NamedTuple):
    """A sparsity that is asked for, and what comes nearest to it in whole neurons."""

    sparsity: float
    share: float  # of each hidden layer's neurons that go
    weights: int  # that are left
    kept: tuple[int, ...]  # neurons of each hidden layer


def levels(sparsities: Sequence[float], model: Model) -> Iterator[Level]:
    """From dense to sparse."""
    blocks = [block.linear for block in pruning.chain(model)]
    widths = [each.fan_out for each in blocks[:-1]]
    choices = []
    for gone in range(max(widths)):
        share = gone / max(widths)
        kept = [width - pruning.how_many(width, width, None, share) for width in widths]
        sizes = [blocks[0].fan_in, *kept, blocks[-1].fan_out]
        if min(kept):
            choices.append((share, int(np.dot(sizes[:-1], sizes[1:])), tuple(kept)))
    for sparsity in sorted(sparsities):
        wanted = (1 - sparsity) * choices[0][1]
        yield Level(sparsity, *min(choices, key=lambda each: abs(each[1] - wanted)))


def pruned(networks: Networks, method: str, level: Level, seeds: Sequence[int]) -> Model:
    """The dense networks of these seeds after pruning, not trained any further."""
    model, scores = networks.of(seeds), None
    if method == "neurons":
        pruning.prune_neurons(model, sparsity=level.share)
        return model
    if method == "random":
        generators = [stream(seed, RANDOM_MASKS) for seed in seeds]
        scores = pruning.random_scores(model, generators)
    total = sum(each.total for each in pruning.remaining_weights(model))
    scope = "layer" if method == "layer-magnitude" else "global"
    pruning.prune(model, sparsity=(total - level.weights) / total, scores=scores, scope=scope)
    return model


def small(networks: Networks, level: Level, seeds: Sequence[int]) -> Model:
    """Networks of the size that is left when neurons go, with new weights."""
    like = compact(pruned(networks, "neurons", level, [networks.settings.seed]).network(0))
    layers = [from_description(described(layer)) for layer in like.layers]
    size = len(seeds)
    return Model(*layers, seed=list(seeds), ensemble=size, dtype=like.dtype, backend=like.backend)


def arms(s: Settings, networks: Networks) -> Iterator[Arm]:
    """The dense networks first, then every method at every sparsity."""
    rates = (s.learning_rate,) if s.learning_rate else (0.005,) if s.quick else tuning.RATES["adam"]

    def arm(method: str, make: Any, epochs: int, level: Level, **more: Any) -> Arm:
        """An arm whose cost grows with the weights that its training computes with."""
        name = f"{method}, {100 * level.sparsity:g} %" if level is not dense else method
        facts = {"method": method, "sparsity": level.sparsity, "weights": level.weights}
        facts |= {"dense_parameters": networks.single.parameter_count, "file": networks.digest}
        cost = sum((level if method == SCRATCH else dense).kept) + 10.0
        return Arm(name, make, networks.data, Adam, rates, epochs, facts, cost, **more)

    dense, *found = levels((0.0, *s.sparsities), networks.single)
    if not networks.digest:
        yield arm(DENSE, partial(build, s), s.epochs, dense, keep=learned, axes={"parameters": 0})
    yield arm(UNPRUNED, networks.of, s.steps, dense, train=prune_and_train)
    for level in found:
        for method in s.methods:
            make = partial(pruned, networks, method, level)
            yield arm(method, make, s.steps, level, train=prune_and_train)
        yield arm(SCRATCH, partial(small, networks, level), s.epochs + s.steps, level)


def learned(model: Model, history: Any, data: Data) -> dict[str, Any]:
    """The trained parameters, which all other arms start from."""
    return {"parameters": np.array(model.backend.to_numpy(model.parameter_buffer))}


def prune_and_train(arm: Arm, seeds: Any, rates: Any, s: Any, advance: Any, choosing: bool) -> Any:
    """As any arm, and what the networks are as pruned, before they are trained further."""
    measures, arrays = tuning.train_networks(arm, seeds, rates, s, advance, choosing)
    if not choosing:
        model, data = arm.build(seeds), arm.data(seeds)
        sizes = [compact(model.network(i)).parameter_count for i in range(len(seeds))]
        measures["as_pruned"] = np.array(accuracy(model, data.X_test, data.y_test), np.float64)
        measures["compacted_parameters"] = np.array(sizes)
    return measures, arrays


def run(run: Run) -> None:
    """Train dense networks, prune them in all ways, and train the rest."""
    s = run.settings
    networks = networks_of(s)
    first, *others = arms(s, networks)
    row = tuned(run, first)
    if first.name == DENSE:
        for each in (row, dense_of_tuning(run, first) if len(first.rates) > 1 else row):
            networks.learned |= dict(zip(each.seeds, each.arrays["parameters"], strict=True))
    tune_all(run, others)


def dense_of_tuning(run: Run, arm: Arm) -> Row:
    """The dense networks of the tuning seeds, on which the rates of all others are chosen."""
    first = tuning.FIRST_TUNING_SEED + run.settings.seed
    seeds = tuple(range(first, first + tuning.TUNING_SEEDS))
    rates = (run.result.tuned[arm.name].best,) * len(seeds)
    compute = partial(tuning.train_networks, arm, seeds, rates, run.settings)
    row = run.row(arm.name, {**arm.facts, "rates": rates}, seeds, compute, 0, part="networks")
    run.result.rows.remove(row)
    return row


def claims(result: Result) -> Iterator[Claim]:
    """Of every sparsity whose arms are finished; of one saved network nothing is tested."""
    saved = "one saved network; without FILE each seed trains its own" * bool(result.settings.file)
    for sparsity in sorted(result.settings.sparsities):
        for claim in claims_at(result, sparsity):
            yield replace(claim, untested=saved or claim.untested)


def claims_at(result: Result, sparsity: float) -> Iterator[Claim]:
    """Of one sparsity."""
    share, by_test = f"{100 * sparsity:g} %", partial(difference, test_points=spiral.TEST_POINTS)
    weights, neurons, scratch = (f"{each}, {share}" for each in ("magnitude", "neurons", SCRATCH))
    without = f"Without {share} of its weights"

    def size(row: Row) -> Any:
        return row["compacted_parameters"] / row.facts["dense_parameters"]

    if 0.8 <= sparsity <= 0.9:
        sentence = f"{without}, and trained further, a network is as accurate"
        source = f"{TEXTBOOK}: 80 to 90 % can be pruned"
        how: Any = {"alike": True, "ledger": ("002-070", "002-155")}
        yield from result.claim(sentence, source, by_test, weights, UNPRUNED, **how)
        # No learning rate has a part in the next two.
        sentence = f"{without}, and not trained further, a network is less accurate"
        source = "interview page: pruning may degrade accuracy"
        how = {"measure": "as_pruned", "untested": "", "ledger": ("000-030",)}
        yield from result.claim(sentence, source, by_test, UNPRUNED, weights, **how)
        sentence = (
            f"{without}, a network's matrices have less than half of its parameters (ratio to half)"
        )
        source = f"{TEXTBOOK}: inference cost falls dramatically"
        how = {"measure": size, "untested": "", "ledger": ("002-071",)}
        yield from result.claim(sentence, source, partial(ratio, second=0.5), weights, **how)
    sentence = (
        f"At {share}, the small network trained from scratch is as accurate as the one that is "
        "left without neurons"
    )
    source = "Liu et al. 2019, Rethinking the value of network pruning"
    yield from result.claim(sentence, source, by_test, scratch, neurons, alike=True)
    sentence = (
        f"At {share}, with equally many weights left, a network is more accurate without weights "
        "than without neurons"
    )
    source = "Mao et al. 2017, Exploring the regularity of sparse structure"
    yield from result.claim(sentence, source, by_test, weights, neurons)


def answer(result: Result, verdicts: Any = ()) -> str:
    """Every method at the sparsity nearest to 90 %."""
    shares = {row.facts["sparsity"] for row in result.verdict_rows()} - {0.0}
    chosen = min(shares, key=lambda x: abs(x - 0.9), default=0.0)
    rows = [row for row in result.verdict_rows() if row.facts["sparsity"] in (0.0, chosen)]
    medians = (f"{row.facts['method']} {np.nanmedian(row['test_accuracy']):.0%}" for row in rows)
    return f"With {100 * chosen:g} % taken out: {', '.join(medians)} correct (medians)."


def tables(result: Result) -> list[Table]:
    """Accuracy as pruned and after further training, and what is left in parameters."""
    headings = "arm | weights | as\npruned | trained | worst | size | rate"
    cells = "{arm} | {weights:,} | {as_pruned:.1%} | {test_accuracy:.1%} | "
    cells += "{least test_accuracy:.1%} | {compacted_parameters:,.0f} | {learning_rate:g}"
    title = "Medians over seeds; size: parameters without dead neurons"
    return [Table.of(result.verdict_rows(), headings, cells, title)]


def work(s: Settings) -> float:
    """Of all arms."""
    return sum(arm.total_work(s.seeds) for arm in arms(s, networks_of(s)))


experiment = Experiment.of(
    __name__,
    question="What is left of a network when most of its weights, or neurons, are taken out?",
    source="a textbook chapter (80 to 90 % of weights can go); Liu et al. 2019 (the small network "
    "trained from scratch is as good as the pruned one)",
    look_for="how far accuracy falls as pruned, and how much further training brings back; which "
    "method keeps more with equally many weights left; how small the matrices really get.",
    memory=lambda s: 4.0 * 8 * max(s.seeds, 25) * (400 + s.width) * s.width * s.depth,
    seconds=lambda s: 2 + work(s) * 4.5e-6,
    next=(
        "scratchnet prune --methods magnitude,layer-magnitude --sparsities 0.9,0.95,0.97",
        "scratchnet spiral --quick --save spiral.net && scratchnet prune spiral.net",
    ),
)
