"""Networks of up to 64 layers on two spirals: which of them gradient descent can train.

Accuracy is that on the training data. A deeper network could represent what a shallower one does,
so where its training accuracy is lower, training failed, and neither capacity nor overfitting is to
blame: this is the degradation that He et al. (2016) found and cured with residual blocks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from scratchnet.batches import checked_data
from scratchnet.datasets import spirals
from scratchnet.demos.architectures import ARCHITECTURES, Kind, build
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import TUNING_SEEDS, Arm, Data, points, tune_all, tuned, work_of
from scratchnet.demos.verdicts import Claim, counted, ratio, successes
from scratchnet.losses import get_loss
from scratchnet.model import Model
from scratchnet.optim import Adam, Optimizer

RATES = (0.0002, 0.0005, 0.00125, 0.003, 0.008, 0.02, 0.05)
"""Of every arm: the best rates of plain and of normalised networks of 64 layers are 200 apart."""

EPOCHS = {"batch-norm": 150, "resnet": 100, "pre-activation": 100}
"""Normalised networks have settled by then, the others by 300."""

LEARNED = 0.95
"""Training accuracy from which on a network has learned the spirals; guessing gets 0.5."""

BEFORE = "before training"
"""The part of the result that holds gradients of networks that were not trained."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet depth-limits`."""

    kinds: tuple[Kind, ...] = option(
        ("plain", "batch-norm", "residual", "scaled-residual", "resnet", "pre-activation"),
        "Networks to compare; resnet is residual with batch normalisation, as He et al.",
        quick=("plain", "residual", "scaled-residual", "resnet"),
        chooses_arms=True,
    )
    layers: tuple[int, ...] = option(
        (4, 16, 64), "Hidden layers, at least.", quick=(4, 64), low=1, high=200, chooses_arms=True
    )
    width: int = option(16, "ReLUs in each layer.", low=1, high=1000)
    points: int = option(200, "To train on; as many for validation.", low=2, high=1_000_000)
    # Where gradients explode, roundings do too, and a compiled step is refused for its own.
    compile: Literal["auto", "on", "off"] = option("off", "As elsewhere; auto compiles long runs.")
    epochs: int | None = option(
        None, "By default 300; batch-norm 150, resnet and pre-activation 100.", low=1
    )
    clip: float | None = option(
        None, "Train the deepest again, clipping gradients.", low=0, above=True, chooses_arms=True
    )
    warmup: int | None = option(
        None, "Train the deepest again, the rate rising over N steps.", low=1, chooses_arms=True
    )


def switch_of(s: Settings) -> str:
    """Such as `clip 1, warm-up 50`; empty where neither is asked for."""
    parts = (s.clip and f"clip {s.clip:g}", s.warmup and f"warm-up {s.warmup}")
    return ", ".join(part for part in parts if part)


def label(kind: str, switch: str = "") -> str:
    """A kind's name, with clipping or warm-up in brackets."""
    return ARCHITECTURES[kind].label + (f" ({switch})" if switch else "")


def arm_name(kind: str, layers: int, switch: str = "") -> str:
    """Such as `plain, 64 layers`."""
    return f"{label(kind, switch)}, {layers} layer{'s' * (layers > 1)}"


def arms(s: Settings) -> list[Arm]:
    """Every kind at every depth; the deepest once more where clipping or warm-up is asked for."""
    found = [arm(s, kind, layers, "") for layers in sorted(s.layers) for kind in s.kinds]
    switch = switch_of(s)
    return found + ([arm(s, kind, max(s.layers), switch) for kind in s.kinds] if switch else [])


def arm(s: Settings, kind: str, layers: int, switch: str) -> Arm:
    """A kind of network at one depth."""
    layout, builder = ARCHITECTURES[kind], partial(build, s, kind, (2, 1), layers)
    facts = {
        "kind": kind,
        "asked_layers": layers,
        "layers": layout.layers(layers),
        "switch": switch,
        "parameters": builder((0,)).parameter_count,
    }
    return Arm(
        arm_name(kind, layers, switch),
        builder,
        points(lambda n, generator: spirals(n, seed=generator), s.points, s.points),
        partial(adam, s.warmup if switch else None),
        (0.01,) if s.quick else RATES,
        s.epochs or (60 if s.quick else EPOCHS.get(kind, 300)),
        facts,
        work=layout.cost * layout.layers(layers),
        keep=lambda model, history, data: {"loss_curve": history.loss.astype(np.float32)},
        axes={"loss_curve": 1},
        clip_norm=s.clip if switch else None,
    )


def adam(warmup: int | None, model: Model, rates: Sequence[float]) -> Optimizer:
    """Adam; with a warm-up, each network's rate rises in a straight line over its first steps."""
    if warmup is None:
        return Adam(model, rates)
    return Adam(model, lambda step: np.asarray(rates) * min(1.0, (step + 1) / warmup))


def run(run: Run) -> None:
    """Every arm at its best learning rate, and its first gradients."""
    tune_all(run, arms(run.settings), with_first_gradients)


def with_first_gradients(run: Run, arm: Arm) -> None:
    """An arm at its best learning rate, and its first gradients."""
    seeds = tuned(run, arm).seeds
    if not arm.facts["switch"]:
        run.row(arm.name, arm.facts, seeds, partial(before, arm, seeds), 0, BEFORE)


def before(arm: Arm, seeds: Sequence[int], _: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first gradients of an arm's untrained networks."""
    return {"first_gradient": first_gradient(arm.build(seeds), arm.data(seeds))}, {}


def first_gradient(model: Model, data: Data) -> Any:
    """|dL/dW_1| of each network on its training data, full batch, (seeds,); NaN if not finite."""
    compute_loss = get_loss(data.loss)
    with np.errstate(over="ignore", invalid="ignore"):
        inputs, targets = checked_data(model, data.X, data.y, compute_loss)
        compute_loss(model.train()(inputs), targets).sum().backward()
    gradient = model.backend.to_numpy(model.parameters()[0].grad).astype(np.float64)
    norms = np.sqrt(np.square(gradient).sum(axis=(-2, -1)))
    return np.where(np.isfinite(norms), norms, np.nan)


def first_gradients(result: Result) -> dict[str, Any]:
    """By arm, its first gradients (seeds,)."""
    return {row.arm: row["first_gradient"] for row in result.rows if row.part == BEFORE}


work = work_of(arms)


def memory(s: Settings) -> float:
    """The activations and gradients of the largest ensemble, about 12 arrays of its layers."""
    networks = max(s.seeds, TUNING_SEEDS * len(RATES))
    return 4.0 * 12 * networks * (s.points + s.width) * (max(s.layers) + 2) * s.width


SKIPS, CURES = ("000-015", "001-027", "003-022"), ("002-054", "003-004")

LESSONS = {
    "batch-norm": ("textbooks: it lets deeper networks converge", ("000-024", "002-115", *CURES)),
    "residual": ("course texts: skips enable very deep networks", (*SKIPS, *CURES)),
    "scaled-residual": ("Hayou et al. 2021, Stable ResNet", SKIPS),
    "resnet": ("He et al. 2016", (*SKIPS, *CURES)),
    "pre-activation": ("He et al. 2016b", SKIPS),
    "bottleneck": ("Zhang et al. 2019, Fixup", ()),
}
"""Whose claim each remedy is, and the rows of the ledger that it decides."""

DEGRADATION = ("002-053", "002-060")


def claims(result: Result) -> Iterator[Claim]:
    """Degradation of the plain networks, each remedy beside them, and the first gradients."""
    s = result.settings
    low, *deeper = sorted(s.layers)

    def lower(sentence: str, source: str, *arms: str, ledger: tuple[str, ...]) -> list[Claim]:
        return result.claim(sentence, source, ratio, *arms, measure="loss", ledger=ledger)

    for layers in deeper:
        plain, last = arm_name("plain", layers), layers == deeper[-1]
        yield from lower(
            f"Plain networks of {layers} layers end with a higher training loss than of {low}",
            "He et al. 2016: degradation" if last else "textbook chapter: a drop at 16 layers",
            *(arm_name("plain", low), plain),
            ledger=DEGRADATION if last else ("002-049",) if layers == 16 else (),
        )
        for kind in s.kinds:
            if kind != "plain":
                source, ledger = LESSONS[kind]
                sentence = f"At {layers} layers, {label(kind)} reaches a lower training loss"
                yield from lower(sentence, source, arm_name(kind, layers), plain, ledger=ledger)
    deep, switch = max(s.layers), switch_of(s)
    for kind in s.kinds if switch else ():
        sentence = f"At {deep} layers, {switch} lowers the training loss of {label(kind)} networks"
        source = "rule of thumb: warm-up and clipping help where training does not converge"
        ledger = ("000-042",) if kind == "plain" and s.warmup else ()
        pair = arm_name(kind, deep, switch), arm_name(kind, deep)
        yield from lower(sentence, source, *pair, ledger=ledger)
    norms = first_gradients(result)
    for kind, (word, source, ledger) in GRADIENTS.items():
        pair = arm_name(kind, deep), arm_name(kind, low)
        if low < deep and set(pair) <= norms.keys():
            contrast = ratio(*(norms[each] for each in (pair if word == "shrink" else pair[::-1])))
            sentence = f"First gradients ({label(kind)}) {word} from {low} to {deep} layers"
            yield Claim(sentence, source, contrast, ledger=ledger)


GRADIENTS = {
    "plain": ("shrink", "textbooks: vanishing gradients", ("000-025", "000-040", "001-021")),
    "batch-norm": ("grow", "Yang et al. 2019, mean field theory of batch normalisation", ()),
    "residual": ("grow", "Hayou et al. 2021, Stable ResNet", ()),
}
"""What the first gradients of a kind do with depth, and whose claim it is."""


def answer(result: Result, verdicts: Any) -> str:
    """How many networks of each kind learn at the deepest."""
    deep = max(result.settings.layers)
    rows = [row for row in result.verdict_rows() if row.facts["asked_layers"] == deep]
    names = [label(row.facts["kind"], row.facts["switch"]) for row in rows]
    learned = [successes(row["train_accuracy"], LEARNED) for row in rows]
    counts = [f"{name} {count}" for name, count in zip(names, learned, strict=True)]
    found = ", ".join(counts) or "none finished"
    return f"Of {result.settings.seeds} networks of {deep} layers, these learn: {found}."


def tables(result: Result) -> list[Table]:
    """A table for each depth, with the layers that the networks truly have."""
    headings = "network | layers | para-\nmeters | rate | learn | median | gradient"
    cells = "{label} | {layers} | {parameters:,} | {learning_rate:g} | {learn} | "
    cells += "{train_accuracy:.1%} | {gradient:.2g}"
    gradients = first_gradients(result)
    more = {
        "label": lambda row: label(row.facts["kind"], row.facts["switch"]),
        "learn": lambda row: counted(row["train_accuracy"], LEARNED),
        "gradient": lambda row: np.median(gradients.get(row.arm, np.nan)),
    }
    rows = list(result.verdict_rows())
    depths = {
        asked: f"Asked for {asked} layers" for asked in (r.facts["asked_layers"] for r in rows)
    }
    own = {asked: [row for row in rows if row.facts["asked_layers"] == asked] for asked in depths}
    return [Table.of(own[asked], headings, cells, title, **more) for asked, title in depths.items()]


def notes(result: Result) -> list[str]:
    """What the columns say, and what each kind computes."""
    kinds = [ARCHITECTURES[kind] for kind in result.settings.kinds]
    return [
        f"Learn: how many of {result.settings.seeds} get {LEARNED:.0%} of the training points "
        "right (95 % interval). Gradient: median |dL/dW_1| before training.",
        *(f"{kind.label}: {kind.description}" for kind in kinds),
    ]


experiment = Experiment.of(
    __name__,
    question="How deep can a network be before training fails, and what helps?",
    source="He et al. (2016): plain networks of 56 layers train worse than those of 20, residual "
    "ones do not; textbooks: normalisation and shortcuts cure it",
    look_for="which kinds of 64 layers learn their training data, and at which learning rates; "
    "whether shortcuts alone suffice, or need a scale or batch normalisation.",
    seconds=lambda s: 2 + work(s) * s.points / 200 * (s.width / 16) ** 1.2 * 29e-6,
    next=(
        "scratchnet depth-limits --epochs 1000 --kinds plain --layers 64",
        "scratchnet depth-limits --kinds plain,residual --warmup 50 --clip 1",
        "scratchnet depth-limits --kinds plain,bottleneck --width 32",
    ),
)
