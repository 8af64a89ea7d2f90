"""Few noisy points of a curve: which networks learn the noise, and what keeps them from it.

Test points have no noise, so the test loss is the squared distance from the true curve; a training
loss below the variance of the noise says that noise was learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from scratchnet.demos import tuning
from scratchnet.demos.drawing import named_places, rate_figures, seeds_at
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import LINE_COLORS, new_figure
from scratchnet.demos.running import Result
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import Arm, Data, stream
from scratchnet.demos.verdicts import Claim, ratio
from scratchnet.depth.budget import parameter_count
from scratchnet.model import Model
from scratchnet.optim import Adam, AdamW

NOISE = ("000-033", "000-010", "000-028", "001-030", "003-002")
"""Rows of the ledger about memorising and overfitting: noise that is learned speaks for them."""

TEST_POINTS, GRID = 500, np.linspace(-1, 1, 300, dtype=np.float32)[:, None]
PLAIN = "plain"


def target(x: Any) -> Any:
    """The true curve."""
    return np.sin(2 * np.pi * x)


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet overfit`."""

    depths: tuple[int, ...] = option(
        (1, 2, 4), "Hidden layers, of the largest width.", quick=(4,), low=1, high=50
    )
    widths: tuple[int, ...] = option(
        (4, 16, 64), "Neurons, in the largest depth.", quick=(4, 64), low=1, high=5000
    )
    remedies: tuple[Literal["dropout", "weight-decay", "early-stopping"], ...] = option(
        ("dropout", "weight-decay", "early-stopping"), "For the largest.", chooses_arms=True
    )
    points: int = option(30, "To train on; as many for validation.", low=2, high=100_000)
    noise: float = option(0.3, "Standard deviation, added to y.", low=0, high=100)
    dropout: float = option(0.2, "Share of neurons that are dropped.", low=0, high=0.95)
    weight_decay: float = option(1.0, "Of AdamW.", low=0, high=1000)
    patience: int = option(100, "Epochs without a better validation loss.", low=1)
    epochs: int = option(1000, "Training steps.", quick=400, low=1)
    seeds: int = option(30, "Networks of each arm.", quick=3, low=1, high=10_000)


def data(s: Settings, seeds: Sequence[int]) -> Data:
    """Noisy points to train and validate on, test points without noise."""

    def drawn(n: int, use: int, noise: float) -> tuple[Any, Any]:
        """X (E, n, 1), uniform on [-1, 1], and target plus noise; a stream for each network."""
        generators = [stream(seed, use) for seed in seeds]
        X = np.stack([each.uniform(-1, 1, (n, 1)) for each in generators])
        errors = np.stack([each.standard_normal((n, 1)) for each in generators])
        return X.astype(np.float32), (target(X) + noise * errors).astype(np.float32)

    train, validation = (
        drawn(s.points, use, s.noise) for use in (tuning.TRAINING, tuning.VALIDATION)
    )
    return Data(*train, *validation, *drawn(TEST_POINTS, tuning.TEST, 0.0), "mean_squared_error")


def name(depth: int, width: int, remedy: str = PLAIN) -> str:
    """Such as `4 x 64` or `4 x 64, dropout`."""
    return f"{depth} x {width}" if remedy == PLAIN else f"{depth} x {width}, {remedy}"


def arms(s: Settings) -> Iterator[Arm]:
    """Every depth, every width, and the largest network with every remedy."""
    deepest, widest = max(s.depths), max(s.widths)
    shapes = {(depth, widest) for depth in s.depths} | {(deepest, width) for width in s.widths}
    chosen = [(*shape, PLAIN) for shape in sorted(shapes)]
    chosen += [(deepest, widest, each.replace("-", " ")) for each in s.remedies]
    for depth, width, remedy in chosen:
        facts = {"depth": depth, "width": width, "remedy": remedy}
        facts["parameters"] = parameter_count(depth, width, inputs=1)
        yield Arm(
            name(depth, width, remedy),
            partial(build, s, facts),
            partial(data, s),
            partial(AdamW, weight_decay=s.weight_decay) if remedy == "weight decay" else Adam,
            (0.005,) if s.quick else tuning.RATES["adam"],
            s.epochs,
            facts,
            work=depth * (width + 30.0),
            keep=curve,
            patience=s.patience if remedy == "early stopping" else None,
        )


def build(s: Settings, facts: dict[str, Any], seeds: Sequence[int]) -> Model:
    """An ensemble with a network for each seed."""
    dropout = s.dropout if facts["remedy"] == "dropout" else 0.0
    return tuning.networks(s, [1, *[facts["width"]] * facts["depth"], 1], seeds, dropout=dropout)


def curve(model: Model, history: Any, data: Data) -> dict[str, Any]:
    """The first network's function and points, for the figure."""
    return {"curve": model.predict(GRID)[0, :, 0], "X": data.X[0, :, 0], "y": data.y[0, :, 0]}


def claims(result: Result) -> Iterator[Claim]:
    """The largest network against smaller ones and against itself with each remedy."""
    s = result.settings
    deepest, widest = max(s.depths), max(s.widths)
    large, narrow = name(deepest, widest), name(deepest, min(s.widths))
    shallow = name(min(s.depths), widest)
    pairs = (
        (narrow, "course section: overfitting on small data", ("001-030", "003-002")),
        (shallow, "interview page: more layers overfit more", ("000-010", "000-028")),
        (name(deepest, widest, "dropout"), "Srivastava et al. 2014", ("000-011",)),
        (name(deepest, widest, "weight decay"), "Krogh and Hertz 1992", ("000-011",)),
        (name(deepest, widest, "early stopping"), "Prechelt 1998", ("000-011",)),
    )
    for arm, source, rows in pairs:
        if arm in result and large in result:
            few, many = (result[each].facts["parameters"] / s.points for each in (arm, large))
            lower = f"{arm} (P/N {few:.1f}) has a lower test loss than {large} (P/N {many:.1f})"
            pair = (arm, large)
            yield from result.claim(lower, source, ratio, *pair, measure="test_loss", ledger=rows)
    if s.noise:
        learns = f"{large} learns the noise: its training loss is below the noise's variance"
        source = "Zhang et al. 2017, Understanding deep learning requires rethinking generalization"
        below = partial(ratio, second=s.noise**2)
        yield from result.claim(learns, source, below, large, measure="loss", ledger=NOISE)


def tables(result: Result) -> list[Table]:
    """Losses and parameters per point."""
    headings = "layers x neurons | size | P/N | rate | train | test | worst"
    cells = "{arm} | {parameters:,} | {per_point:.1f} | {learning_rate:g} | {loss:.3g} | "
    cells += "{test_loss:.3g} | {worst:.3g}"
    more: Any = {
        "per_point": lambda row: row.facts["parameters"] / result.settings.points,
        "worst": lambda row: np.nanmax(row["test_loss"]),
    }
    variance = result.settings.noise**2
    title = f"Median losses; the noise has variance {variance:.3g}. P/N: size per point"
    return [Table.of(result.verdict_rows(), headings, cells, title, **more)]


def figures(result: Result) -> dict[str, Any]:
    """The curves with the test losses, and the learning rates."""
    plain = [row.arm for row in result.verdict_rows() if row.facts["remedy"] == PLAIN]
    groups = {"shapes": plain, "remedies": [each for each in result.tuned if each not in plain]}
    return {"overfit": partial(plot, result), **rate_figures(result, groups)}


def plot(result: Result) -> Any:
    """What the first seed's networks compute, and the test losses of all."""
    rows = list(result.verdict_rows())
    figure, axes = new_figure(2, 1 + (len(rows) + 1) // 2, width=13, height=5.2, squeeze=False)
    grid = axes[0, 0].get_gridspec()
    for panel in (axes[0, 0], axes[1, 0], *axes[:, 1:].flat[len(rows) :]):
        panel.remove()
    for panel, row in zip(axes[:, 1:].flat, rows, strict=False):
        panel.plot(GRID, target(GRID), color="#999999", linewidth=1, label="target")
        points: Any = {"color": LINE_COLORS[6], "markersize": 4, "label": "noisy points"}
        panel.plot(row.arrays["X"], row.arrays["y"], ".", **points)
        panel.plot(GRID, row.arrays["curve"], color=LINE_COLORS[1], label="network")
        panel.set(ylim=(-2, 2), xticks=[], yticks=[], title=row.arm)
    main = figure.add_subplot(grid[:, 0])
    for i, row in enumerate(rows):
        seeds_at(main, [i], [row["test_loss"]], LINE_COLORS[0], "", linestyle="none")
    named_places(main, [row.arm.rpartition(", ")[2] for row in rows])
    main.tick_params(axis="x", rotation=90)
    main.set(yscale="log", ylabel="test loss (large: median)")
    main.yaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(answer(result))
    return figure


def answer(result: Result, verdicts: Any = ()) -> str:
    """Which arm has the lowest test loss, and which the highest."""
    medians = {row.arm: float(np.nanmedian(row["test_loss"])) for row in result.verdict_rows()}
    ordered = sorted(medians.items(), key=lambda each: each[1])
    (best, lowest), (worst, highest) = ordered[0], ordered[-1]
    return f"Lowest median test loss: {best} ({lowest:.2g}); highest: {worst} ({highest:.2g})"


experiment = Experiment.of(
    __name__,
    question="What do large networks make of a few noisy points, and what helps?",
    source="a course section (large networks overfit small data); the papers on each remedy",
    look_for="whether test loss grows with width, depth and parameters per point (P/N), and which "
    "remedy brings it down; whether the training loss is below the noise.",
    memory=lambda s: 40.0 * max(s.seeds, 25) * s.points * max(s.widths) * max(s.depths),
    seconds=lambda s: 2 + tuning.work_of(arms)(s) * 5e-7,
    next=("scratchnet overfit --points 300", "scratchnet overfit --noise 0"),
)
