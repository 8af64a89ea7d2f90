"""Linear probes of every hidden layer of a deep network, and of three controls.

What a probe reads from the raw inputs, from the same network before training, or from a random
network with random biases, is not what training put in. Biases matter: without them a random ReLU
network is homogeneous, f(c x) = c f(x) for c > 0, and cannot tell radii apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from scratchnet.demos.architectures import ARCHITECTURES, Kind
from scratchnet.demos.architectures import build as build_network
from scratchnet.demos.data import DESCRIPTIONS, data_of, inputs_and_outputs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import OPTIMIZERS, RATES, Arm, Data, tuned
from scratchnet.demos.verdicts import Claim, difference, fact
from scratchnet.depth.probes import PENALTY, principal_components, probe_accuracy, t_sne
from scratchnet.layer_statistics import hidden_outputs, summarize
from scratchnet.model import Model

NETWORK, TRAINED = "the network", "trained"
CONTROLS = UNTRAINED, RANDOM, RAW = "untrained", "random biases", "raw inputs"
MEASURES = "test", "converged", "zero_share", "dead_share", "effective_rank"
"""Of each layer and seed: of its probe, then of its outputs."""
MOST_MAPPED = 400
CHAPTER = {1: 0.30, 3: 0.55, 6: 0.78, 8: 0.85}
"""Probe accuracies by layer that a textbook chapter reports, without naming data."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet probes`."""

    dataset: Literal["spirals", "digits"] = option("spirals", "digits needs scikit-learn.")
    depth: int = option(8, "Hidden layers, at least.", low=2, high=200)
    width: int = option(32, "ReLUs in each layer.", low=2, high=10_000)
    kind: Kind = option("plain", "Of network; resnet is residual with batch normalisation.")
    optimizer: Literal["sgd", "adam"] = option(
        {"spirals": "sgd", "digits": "adam"}, "Full batch.", by="dataset", quick="adam"
    )
    epochs: int = option({"sgd": 1000, "adam": 200}, "Training steps.", by="optimizer", low=1)
    points: int = option(400, "To train on, and to test on.", low=4, high=100_000)
    embedding: Literal["pca", "tsne"] = option(
        "pca", "Maps of layers: principal components, or t-SNE (needs scikit-learn)."
    )


def arm(s: Settings) -> Arm:
    """The network whose layers are probed."""
    layout = ARCHITECTURES[s.kind]
    layers = layout.layers(s.depth)
    return Arm(
        NETWORK,
        partial(build, s),
        data_of(s.dataset, s.points, s.points),
        OPTIMIZERS[s.optimizer],
        RATES[s.optimizer][2:3] if s.quick else RATES[s.optimizer],
        s.epochs,
        {"layers": layers, "parameters": build(s, (0,)).parameter_count},
        work=layout.cost * layers * (2 if s.dataset == "digits" else s.points / 400),
        keep=lambda model, history, data: representation(model, data, s),
        axes=dict.fromkeys(MEASURES, 1),
    )


def build(s: Settings, seeds: Sequence[int], bias: str = "zeros") -> Model:
    """Networks for the seeds."""
    return build_network(s, s.kind, inputs_and_outputs(s.dataset), s.depth, seeds, bias)


def representation(model: Model | None, data: Data, s: Settings) -> dict[str, Any]:
    """Numbers of each hidden layer, (layers, seeds), and maps of the first network's layers.

    Without a model, of the raw inputs, as if they were the only layer.
    """
    train, test = [data.X], [data.X_test]
    if model is not None:
        with np.errstate(all="ignore"):
            train, test = hidden_outputs(model, data.X), hidden_outputs(model, data.X_test)
    pairs = zip(train, test, strict=True)
    probes = [probe_accuracy(A, data.y, A_test, data.y_test) for A, A_test in pairs]
    found = {name: [getattr(each, name) for each in probes] for name in MEASURES[:2]}
    for name in MEASURES[2:]:
        found[name] = [getattr(summarize(A), name) for A in test]
    places = np.unique(np.linspace(0, len(data.y_test) - 1, MOST_MAPPED).astype(int))
    layers = layers_to_show(len(test))
    maps = {f"map {i}": project(test[i - 1][0][places], s.embedding) for i in layers}
    numbers = {name: np.array(values) for name, values in found.items()}
    return {**numbers, **maps, "labels": data.y_test[places]}


def layers_to_show(depth: int) -> tuple[int, ...]:
    """1, 2, 4 and the last: as many as a figure has room for."""
    return (*(each for each in (1, 2, 4) if each < depth), depth)


def project(A: Any, method: str) -> Any:
    """A map (N, 2) of A (N, units); all points lie at 0 where A is not finite."""
    if not np.isfinite(A).all():
        return np.zeros((len(A), 2))
    if method == "tsne":
        return t_sne(A, perplexity=min(30.0, (len(A) - 1) / 3))
    return principal_components(A).transform(A)


def run(run: Run) -> None:
    """The controls, then the network at its best learning rate, and its layers after training."""
    s, each = run.settings, arm(run.settings)
    seeds = tuple(range(s.seed, s.seed + s.seeds))
    data = each.data(seeds)
    run.result.extra["test_samples"] = len(data.y_test)

    def add(name: str, arrays: Mapping[str, Any]) -> None:
        """A row whose measures are the arrays with a number for each layer and seed."""
        numbers = [number for number in arrays if arrays[number].shape[1:] == (len(seeds),)]
        measures = {f"{n} {i + 1}": row for n in numbers for i, row in enumerate(arrays[n])}
        run.row(name, each.facts, seeds, lambda _: (measures, arrays), 0)

    add(RAW, representation(None, data, s))
    add(UNTRAINED, representation(build(s, seeds), data, s))
    add(RANDOM, representation(build(s, seeds, "uniform"), data, s))
    add(TRAINED, tuned(run, each).arrays)


def probe_of(result: Result, arm: str) -> Any:
    """Test accuracies of its probes, (layers, seeds)."""
    return result[arm].arrays["test"]


def claims(result: Result) -> list[Claim]:
    """What training does to the layers, beside the controls."""
    if TRAINED not in result:
        return []
    digits = result.settings.dataset == "digits"
    probe, random = probe_of(result, TRAINED), probe_of(result, RANDOM)
    alain, summary = "Alain and Bengio 2016", "textbook chapter, summary"
    chapter = "textbook chapter: each layer makes classes more linearly separable"
    found = []
    for what, source, other, rows in (
        ("the first", chapter, probe[0], ("002-150",) if digits else ("002-028", "002-138")),
        ("the raw inputs", alain, probe_of(result, RAW)[0], ()),
        ("that before training", alain, probe_of(result, UNTRAINED)[-1], ()),
        (
            "any of a random network with biases",
            "control: random features",
            random[np.nanmean(random, axis=1).argmax()],
            (),
        ),
    ):
        sentence = f"After training, a probe reads more from the last layer than from {what}"
        contrast = difference(probe[-1], other, result.extra["test_samples"])
        untested = result.untested(NETWORK)
        found.append(Claim(sentence, source, contrast, untested=untested, ledger=rows))
    units = [result[TRAINED].arrays[name].mean(axis=0) for name in ("zero_share", "dead_share")]
    sentence, alike = "The share of zero outputs is the share of dead units", difference(*units)
    found.append(Claim(sentence, "a lesson's code", alike, alike=True, ledger=("003-011",)))
    always, never_falls = rises(probe)
    shown = f"in {always} of {probe.shape[1]} networks (in {never_falls} it never falls)"
    # Where it no longer rises it may have reached its maximum, so only a fall refutes the claim.
    sentence, fails = "Probe accuracy rises with every layer", never_falls < probe.shape[1]
    ids = ["002-035", "002-154", *["002-150"] * digits]
    found.append(fact(sentence, summary, False, shown, *ids, fails=fails))
    if len(probe) == max(CHAPTER) and not digits:
        means = {layer: float(np.nanmean(probe[layer - 1])) for layer in CHAPTER}
        holds = all(abs(means[layer] - said) <= 0.05 for layer, said in CHAPTER.items())
        shown = ", ".join(f"{mean:.0%}" for mean in means.values())
        sentence = "Layers 1, 3, 6 and the last give probes 30, 55, 78 and 85 % (within 5 points)"
        found.append(fact(sentence, "textbook chapter", holds, shown, "002-033"))
    return found


def rises(probe: Any) -> tuple[int, int]:
    """In how many networks (layers, seeds) it rises with every layer, and never falls."""
    steps = np.diff(probe, axis=0)
    return int((steps > 0).all(axis=0).sum()), int((steps >= 0).all(axis=0).sum())


def tables(result: Result) -> list[Table]:
    """A line for each layer: probes of each network, then what the trained one's units do."""
    nets = [result[name] for name in (TRAINED, UNTRAINED, RANDOM) if name in result]
    if not nets:
        return []
    probes = [np.nanmean(row.arrays["test"], axis=1) for row in nets]
    names = ("zero_share", "dead_share", "effective_rank")
    units = [np.nanmean(nets[0].arrays[name], axis=1) for name in names]
    lines = [["input", *[f"{np.nanmean(probe_of(result, RAW)):.1%}"] * len(nets), "", "", ""]]
    for layer, (zeros, dead, rank) in enumerate(zip(*units, strict=True)):
        shown = (f"{each[layer]:.1%}" for each in probes)
        lines.append([str(layer + 1), *shown, f"{zeros:.1%}", f"{dead:.1%}", f"{rank:.1f}"])
    headings = ["layer", *(row.arm.replace(" ", "\n") for row in nets), "zeros", "dead", "rank"]
    title = "Mean accuracy of a linear probe; zero outputs, dead units, rank after training"
    return [Table(headings, lines, title)]


def notes(result: Result) -> Iterator[str]:
    """The data, what a probe is, and how good the networks are."""
    yield f"{result.settings.dataset}: {DESCRIPTIONS[result.settings.dataset]}."
    yield (
        "A probe is a softmax regression on standardised outputs, trained to convergence with an "
        f"L2 penalty of {PENALTY:g} / 2 |W|^2. Dead: zero on every test sample."
    )
    if NETWORK in result:
        correct = np.nanmean(result[NETWORK]["test_accuracy"])
        yield f"The trained networks get {correct:.1%} of the test data right on average."
    for row in result.verdict_rows():
        if not row.arrays.get("converged", np.True_).all():
            yield f"Some probes of {row.arm} did not converge."


def seconds(s: Settings) -> float:
    """Of the probes and of training."""
    probes = 0.05 * s.seeds * s.depth * (8 if s.dataset == "digits" else 1)
    return 2 + probes + arm(s).total_work(s.seeds) * (s.width / 32) ** 1.2 * 150e-6


experiment = Experiment.of(
    __name__,
    question="What does each layer of a deep network make of its inputs?",
    source="Alain and Bengio (2016): linear probes read more from every layer; a textbook chapter "
    "says that accuracy rises with each",
    look_for="where a linear classifier reads most, and how much of it is there in the raw inputs "
    "and in random networks that learned nothing.",
    work=lambda s: arm(s).total_work(s.seeds),
    # About 12 arrays of a layer's outputs for each network.
    memory=lambda s: 50.0 * max(s.seeds, 25) * (s.points + 900) * s.width * (s.depth + 3),
    next=(
        "scratchnet probes --dataset digits",
        "scratchnet probes --embedding tsne",
        "scratchnet probes --kind resnet",
    ),
)
