"""Lottery tickets: sparse networks that learn, beside controls and pruning before training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.demos import tuning
from scratchnet.demos.data import data_of, inputs_and_outputs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.lottery.masks import VARIANTS, Masks, weights_left
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import RATES, Arm, tune_all, tuned
from scratchnet.demos.verdicts import Claim, counted, difference, fact, ratio, successes
from scratchnet.evaluation import accuracy
from scratchnet.lottery import iterative_pruning
from scratchnet.model import Model
from scratchnet.optim import Adam

TEST_POINTS = {"spirals": 2000, "digits": 453}
SOLVED = 0.95
"""Accuracy from which on a network has learned the task; also that of `steps to 95 %`."""
EVERY = 10
"""Steps between two looks at the validation data."""
DENSE = "dense"
NAMES = {each.replace(" ", "-"): each for each in VARIANTS if each != "late ticket"}
"""The variants as options name them; --rewind-step adds the late ticket to the ticket."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet lottery`."""

    dataset: Literal["spirals", "digits"] = option(
        "spirals", "digits needs scikit-learn: pip install -e '.[data]'"
    )
    method: Literal["magnitude", "layer-magnitude"] = option(
        "magnitude", "What a round prunes: the smallest weights of all layers, or of each as many."
    )
    rounds: tuple[int, ...] = option(
        (3, 6, 9), "Rounds after which all arms are compared.", quick=(4,), low=1, high=100
    )
    fraction: float = option(0.3, "Of what is left that goes.", quick=0.5, low=0.01, high=0.99)
    rewind_step: int = option(15, "Of the late ticket; 0 leaves it out.", quick=0, low=0)
    variants: tuple[str, ...] = option(
        tuple(NAMES),
        "Tickets, controls, and methods that prune before training.",
        quick=("ticket", "random-mask", "new-weights", "snip"),
        chooses_arms=True,
    )
    steps: int = option(
        {"spirals": 300, "digits": 200}, "Of each training.", by="dataset", quick=200, low=2
    )
    depth: int = option({"spirals": 4, "digits": 3}, "Hidden layers.", by="dataset", low=1, high=99)
    width: int = option(32, "Neurons per layer.", low=1, high=10_000)
    points: int = option(400, "Of the spirals, to train on.", low=2, high=10_000_000)
    learning_rate: float | None = option(
        None, "Of every training (Adam), instead of the best of five.", low=0, above=True, high=1000
    )


def check(s: Settings) -> None:
    """Raise `InputError` for settings that do not fit together."""
    for each in s.variants:
        choose("value for --variants", each, NAMES)
    if s.rewind_step >= s.steps:
        raise InputError(
            f"--rewind-step {s.rewind_step}: must be less than the {s.steps} steps of a training"
        )
    counts = [weights_left(total_weights(s), s.fraction, each) for each in sorted(s.rounds)]
    if 0 in counts or len(set(counts)) < len(counts):
        raise InputError(
            f"--rounds {','.join(map(str, s.rounds))}: must leave fewer weights each, and at least "
            f"one; they leave {', '.join(map(str, counts))}"
        )
    if s.dataset == "digits":
        if s.points != 400:
            raise InputError("--points with --dataset digits: their number is fixed")
        masks_of(s).data([0])


def widths(s: Settings) -> list[int]:
    """Of the inputs, the hidden layers and the outputs."""
    inputs, outputs = inputs_and_outputs(s.dataset)
    return [inputs, *[s.width] * s.depth, outputs]


def total_weights(s: Settings) -> int:
    """Of a dense network."""
    return int(np.dot(widths(s)[:-1], widths(s)[1:]))


def masks_of(s: Settings) -> Masks:
    """No tickets yet, but how networks are built and what they are trained on."""
    data = data_of(s.dataset, s.points, TEST_POINTS[s.dataset])
    return Masks(partial(tuning.networks, s, widths(s)), data)


def name(s: Settings, variant: str, number: int) -> str:
    """Such as `ticket, 34.3 %`; the dense networks are of round 0."""
    share = weights_left(total_weights(s), s.fraction, number) / total_weights(s)
    return f"{variant}, {100 * share:.3g} %" if number else DENSE


def arms(s: Settings, masks: Masks) -> Iterator[Arm]:
    """The dense networks, then every variant at every sparsity."""
    rates = (s.learning_rate,) if s.learning_rate else (0.01,) if s.quick else RATES["adam"]
    total, cost = total_weights(s), s.depth * s.width + 10.0
    chosen = [NAMES[each] for each in s.variants]
    if s.rewind_step and "ticket" in chosen:
        chosen.insert(chosen.index("ticket") + 1, "late ticket")
    for variant, number in [(DENSE, 0), *((v, n) for n in sorted(s.rounds) for v in chosen)]:
        left = weights_left(total, s.fraction, number)
        late = s.rewind_step if variant == "late ticket" else 0
        facts = {"variant": variant, "round": number, "weights": left, "remaining": left / total}
        yield Arm(
            name(s, variant, number),
            data=masks.data,
            optimizer=Adam,
            rates=rates,
            epochs=s.steps - late,
            facts=facts | {"rewound_to": late},
            work=cost,
            share=partial(held, masks, variant, number),
            **held(masks, variant, number),
        )


def held(masks: Masks, variant: str, number: int, seeds: Any = None) -> dict[str, Any]:
    """The fields of an arm that hold masks: all there are, or what these seeds need of them."""
    masks = masks if seeds is None else masks.needed(variant, number, seeds)
    build = partial(masks.network, variant, number) if number else masks.build
    return {"build": build, "train": partial(train, masks)}


def train(
    masks: Masks, arm: Arm, seeds: Any, rates: Any, s: Any, advance: Any, choosing: bool
) -> Any:
    """As any arm, with the steps to 95 %, and whether the networks are connected."""
    reached, data = np.full(len(seeds), np.nan), tuning.data_of_networks(arm, seeds)

    def look(epoch: int, model: Model, loss: Any) -> None:
        seen = accuracy(model, data.X_validation, data.y_validation) >= SOLVED
        reached[seen & np.isnan(reached)] = epoch + 1 + arm.facts["rewound_to"]

    look.every = EVERY  # type: ignore[attr-defined]
    watched = replace(arm, callbacks=lambda model: [look])
    measures, arrays = tuning.train_networks(watched, seeds, rates, s, advance, choosing)
    if not choosing:
        measures["steps_to_95"] = reached
        variant, number = arm.facts["variant"], arm.facts["round"]
        if "mask" in variant:
            shares = [masks.one(variant, number, seed)[2] for seed in seeds]
            measures["disconnected_draws"] = np.array(shares)
    return measures, arrays


def run(run: Run) -> None:
    """The dense networks, the tickets at their rate, and every arm at its own."""
    s = run.settings
    masks = masks_of(s)
    dense, *others = arms(s, masks)
    tuned(run, dense)
    for late in sorted({0, s.rewind_step}):
        find_tickets(run, masks, dense, late)
    tune_all(run, others)


def find_tickets(run: Run, masks: Masks, dense: Arm, late: int) -> None:
    """Masks of all rounds, at the dense networks' best rate, as Frankle and Carbin find them."""
    s, rate = run.settings, run.result.tuned[DENSE].best
    first = tuning.FIRST_TUNING_SEED + s.seed
    groups = {"pruning": range(s.seed, s.seed + s.seeds)}
    if len(dense.rates) > 1:
        groups["pruning of tuning seeds"] = range(first, first + tuning.TUNING_SEEDS)
    ticket = "late ticket" if late else "ticket"
    for part, seeds in groups.items():
        facts = {"rewound_to": late, "learning_rate": rate}

        def found(places: Sequence[int], seeds: Sequence[int] = seeds, late: int = late) -> Any:
            """The iterative pruning of the networks at these places, for a row to run."""
            some = [seeds[place] for place in places]
            return partial(prune_iteratively, s, dense, some, rate, late)

        work = pruning_work(s, late, len(seeds))
        axes = {"masks": 1, "start": 0}
        row = run.networks(f"finding: {ticket}", facts, seeds, found, work, part, axes)
        for i, seed in enumerate(seeds):
            masks.tickets[ticket, seed] = row.arrays["masks"][:, i], row.arrays["start"][i]


def pruning_work(s: Settings, late: int, seeds: int) -> float:
    """Of finding the tickets of so many seeds."""
    steps = late + (s.steps - late) * max(s.rounds)
    return seeds * steps * (s.depth * s.width + 10.0)


def prune_iteratively(
    s: Settings,
    dense: Arm,
    seeds: Sequence[int],
    rate: float,
    late: int,
    advance: Any,
) -> tuple[Any, Any]:
    """The masks of all rounds and the weights to start from; no measures."""
    data, rates = dense.data(seeds), [rate] * len(seeds)

    def train(model: Model, steps: int) -> None:
        tuning.fitted(replace(dense, epochs=steps), model, data, rates, s, advance)

    scope = "layer" if s.method == "layer-magnitude" else "global"
    plan = (dense.build(seeds), train, s.steps, [s.fraction] * max(s.rounds))
    rounds = list(iterative_pruning(*plan, rewind_step=late, scope=scope))
    return {}, {"masks": np.stack([each.masks for each in rounds]), "start": rounds[0].start}


FRANKLE, TEXTBOOK = "Frankle and Carbin 2019", "textbook chapter on lottery tickets"
LABELS = {
    DENSE: "dense networks",
    "ticket": "tickets",
    "late ticket": "tickets rewound late",
    "random mask": "networks with a random mask",
    "new weights": "tickets with new weights",
    "same signs": "tickets with new weights of the same signs",
    "snip": "networks pruned by SNIP",
    "grasp": "networks pruned by GraSP",
}
COMPARISONS = (
    ("as accurate as", "ticket", DENSE, "each", FRANKLE, "002-063 middle:002-065 middle:002-155"),
    ("more accurate than", "ticket", "random mask", "each", FRANKLE, "002-067 first:002-139"),
    ("more accurate than", "ticket", "new weights", "each", FRANKLE, "002-066 first:002-149"),
    ("more accurate than", "ticket", DENSE, "first", TEXTBOOK, "002-072"),
    ("trained in fewer steps than", "ticket", DENSE, "middle", FRANKLE, "002-064"),
    ("more accurate than", DENSE, "snip", "middle", TEXTBOOK, "002-075"),
    ("more accurate than", DENSE, "new weights", "middle", TEXTBOOK, "002-126"),
    ("more accurate than", "late ticket", "ticket", "last", "Frankle et al. 2020", "002-073"),
    ("more accurate than", "ticket", "snip", "last", TEXTBOOK, "002-074"),
    ("more accurate than", "ticket", "grasp", "last", TEXTBOOK, "002-074"),
    ("as accurate as", "same signs", "ticket", "last", "Zhou et al. 2019", ""),
)
"""What is claimed of which arms, after which of the rounds, by whom; rows of the ledger."""


def claims(result: Result) -> Iterator[Claim]:
    """Of every pair of arms that is finished, and the share that is left, which is arithmetic."""
    s = result.settings
    rounds, total = sorted(s.rounds), total_weights(s)
    where = {"first": rounds[0], "middle": rounds[len(rounds) // 2], "last": rounds[-1]}
    by_test = partial(difference, test_points=TEST_POINTS[s.dataset])

    def steps(row: Row) -> Any:
        # Who never reaches 95 % counts with all steps.
        return np.nan_to_num(row["steps_to_95"], nan=s.steps)

    for number, (words, a, b, place, source, ids) in product(rounds, COMPARISONS):
        if where.get(place, number) == number:
            ledger = [each.rpartition(":")[::2] for each in ids.split()]
            share = weights_left(total, s.fraction, number) / total
            yield from result.claim(
                f"With {share:.1%} of the weights, {LABELS[a]} are {words} {LABELS[b]}",
                source,
                ratio if "steps" in words else by_test,
                *(name(s, each, number * (each != DENSE)) for each in (a, b)),
                measure=steps if "steps" in words else "test_accuracy",
                alike=words == "as accurate as",
                ledger=tuple(row for at, row in ledger if where.get(at, number) == number),
            )
    share = weights_left(total, s.fraction, rounds[-1]) / total
    exactly = (1 - s.fraction) ** rounds[-1]
    sentence = f"{rounds[-1]} rounds of {s.fraction:.0%} leave {exactly:.2%} of the weights"
    holds, shown = abs(share - exactly) * total < rounds[-1], f"{share:.2%}, in whole weights"
    yield fact(sentence, TEXTBOOK, holds, shown, "002-129")


def answer(result: Result, verdicts: Any = ()) -> str:
    """How many of each arm learn at the fewest weights."""
    last = max((row.facts["round"] for row in result.verdict_rows()), default=0)
    rows = [row for row in result.verdict_rows() if row.facts["round"] in (0, last)]
    counts = (f"{successes(row['test_accuracy'], SOLVED)} {row.facts['variant']}" for row in rows)
    share, seeds = rows[-1].facts["remaining"], result.settings.seeds
    return f"With {share:.1%} of the weights, of {seeds} networks each learn: {', '.join(counts)}."


def tables(result: Result) -> Iterator[Table]:
    """One for each sparsity."""
    headings = "arm | rate | learn | median | worst | steps to 95 % | no path"
    cells = "{variant} | {learning_rate:g} | {learn} | {test_accuracy:.1%} | "
    cells += "{least test_accuracy:.1%} | {steps_to_95:.0f} | {lost}"
    for number in sorted({row.facts["round"] for row in result.verdict_rows()}):
        rows = [row for row in result.verdict_rows() if row.facts["round"] == number]
        share, left = rows[0].facts["remaining"], rows[0].facts["weights"]
        title = f"{share:.1%} of the weights: {left:,}"
        more = {"learn": lambda row: counted(row["test_accuracy"], SOLVED), "lost": lost}
        yield Table.of(rows, headings, cells, title, **more)


def lost(row: Row) -> str:
    """The share of its masks without a path, where masks were drawn."""
    drawn = row.measures.get("disconnected_draws")
    return "" if drawn is None else f"{drawn.mean():.0%}"


def notes(result: Result) -> list[str]:
    """What the columns of the tables say."""
    return [
        f"Learn: how many of {result.settings.seeds} get 95 % of the test points right, with its "
        "95 % interval from five seeds on. Steps to 95 % of validation points: median "
        "of those that reach it. No path: the share of random masks without one from input to "
        "output; such masks are drawn again."
    ]


def work(s: Settings) -> float:
    """Of all arms, and of finding the tickets."""
    networks = s.seeds + (tuning.TUNING_SEEDS if not (s.quick or s.learning_rate) else 0)
    pruning = sum(pruning_work(s, late, networks) for late in {0, s.rewind_step})
    return sum(arm.total_work(s.seeds) for arm in arms(s, masks_of(s))) + pruning


experiment = Experiment.of(
    __name__,
    question="Which sparse networks learn: is it their mask, their initial weights, or luck?",
    source="Frankle and Carbin 2019, The lottery ticket hypothesis; a textbook chapter",
    look_for="from how few weights on a ticket learns where its controls do not, and whether it is "
    "the mask, the weights or only their signs; whether methods that prune before training get "
    "as far.",
    definitions=(
        "A ticket is what is left of a trained network's weights after its smallest are pruned, "
        "set back to the values that they began with.",
        "A control has one thing changed: a mask at random, or weights drawn anew.",
    ),
    memory=lambda s: 4.0 * 10 * max(s.seeds, 25) * (s.points + 2 * s.width) * s.width * s.depth,
    seconds=lambda s: 2 + work(s) * s.points / 400 * 4.5e-6,
    next=(
        "scratchnet lottery --rounds 10 --variants ticket,random-mask",
        "scratchnet lottery --fraction 0.5 --rounds 1",
        "scratchnet lottery --dataset digits",
    ),
)
