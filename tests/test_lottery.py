"""Lottery tickets: rewinding, the controls, and the demo's masks, arms and claims."""

from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes

from scratchnet import Adam, Model, fit, mlp
from scratchnet.backends.errors import InputError
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.lottery.experiment import experiment, masks_of, name, total_weights
from scratchnet.demos.lottery.masks import BEFORE, VARIANTS, weights_left
from scratchnet.demos.running import Result, Row
from scratchnet.demos.verdicts import judge
from scratchnet.lottery import (
    CONTROLS,
    Round,
    control_of,
    first_parameters,
    is_connected,
    iterative_pruning,
)
from scratchnet.pruning import (
    alive_parameters,
    connection_sensitivity,
    layer_masks,
    prune,
    weight_places,
)

X, Y = two_classes(30)
STEPS = 12


def train(model: Model, steps: int) -> None:
    fit(model, X, Y, optimizer=Adam(model, 0.02), epochs=steps)


def network(ensemble: int | None = None, seed: int = 0, **options: Any) -> Model:
    return mlp([2, 8, 6, 1], ensemble=ensemble, seed=seed, **options)


def rounds(model: Model, **options: Any) -> list[Round]:
    return list(iterative_pruning(model, train, STEPS, [0.5, 0.5], **options))


# Rounds and rewinding.


def test_a_ticket_is_what_pruning_and_rewinding_by_hand_give() -> None:
    model = network()
    found = rounds(model)
    by_hand = network()
    start = by_hand.state_dict()
    for each in found[1:]:
        train(by_hand, STEPS)
        prune(by_hand, fraction=0.5)
        by_hand.load_state_dict(start)
        assert_same_bits(each.masks, alive_parameters(by_hand))
        assert_same_bits(each.start, found[0].start)
    assert_same_state(model.state_dict(), by_hand.state_dict())
    assert [each.number for each in found] == [0, 1, 2]
    assert [int(each.masks.sum()) for each in found] == [85, 85 - 35, 85 - 35 - 18]


def test_late_rewinding_goes_back_to_step_k_and_trains_for_the_rest() -> None:
    asked: list[int] = []
    model = network(batch_norm=True)
    seen: list[Any] = []

    def watched(model: Model, steps: int) -> None:
        asked.append(steps)
        seen.append(model.state_dict())
        train(model, steps)

    found = list(iterative_pruning(model, watched, STEPS, [0.5, 0.5], rewind_step=5))
    assert asked == [5, STEPS - 5, STEPS - 5]
    early = network(batch_norm=True)
    train(early, 5)
    assert_same_state(seen[1], early.state_dict())
    assert_same_bits(found[2].start[0], early.parameter_buffer)
    kept = layer_masks(model)["0.weight"]
    after = model.state_dict()
    assert_same_bits(after["0.weight"], np.where(kept, early.state_dict()["0.weight"], 0))
    assert_same_bits(after["1.running_mean"], early.state_dict()["1.running_mean"])


@pytest.mark.parametrize("options", [{}, {"rewind_step": 3}, {"scope": "layer"}])
def test_a_ticket_of_an_ensemble_is_the_ticket_alone(options: Any) -> None:
    together = rounds(network(3, seed=4), **options)
    alone = rounds(network(seed=5), **options)
    for a, b in zip(together, alone, strict=True):
        assert_same_bits(a.masks[1], b.masks[0])
        assert_same_bits(a.start[1], b.start[0])


def test_bad_input_of_the_experiment_is_refused() -> None:
    with refused("rewind_step is 12", "from 0 to 11 of 12"):
        rounds(network(), rewind_step=12)
    with refused("fraction is 1.5"):
        list(iterative_pruning(network(), train, STEPS, [1.5]))
    with refused("unknown control 'new weight'", "did you mean 'new weights'"):
        control_of("new weight", network(), None, None, np.random.default_rng(0))


# The controls.


def test_what_each_control_keeps_of_the_ticket() -> None:
    model = network(batch_norm=True)
    first = np.array(model.parameter_buffer)
    prune(model, sparsity=0.7)
    ticket = alive_parameters(model)[0]
    places = weight_places(model)
    weights = np.concatenate([np.r_[place] for place in places.values()])
    others = np.setdiff1d(np.arange(len(ticket)), weights)
    drawn = first_parameters(model, np.random.default_rng(1))
    made = {
        control: control_of(control, model, ticket, first, np.random.default_rng(1))
        for control in CONTROLS
    }
    for control in ("random mask", "shuffled mask"):
        mask, start = made[control]
        assert mask.sum() == ticket.sum() and (mask != ticket).any()
        assert mask[others].all()
        assert_same_bits(start, first)
    by_layer = [int(ticket[place].sum()) for place in places.values()]
    assert [int(made["shuffled mask"][0][place].sum()) for place in places.values()] == by_layer
    assert [int(made["random mask"][0][place].sum()) for place in places.values()] != by_layer
    for control in ("new weights", "scaled weights", "same signs"):
        assert_same_bits(made[control][0], ticket)
    assert_same_bits(made["new weights"][1], drawn)
    for place, count in zip(places.values(), by_layer, strict=True):
        scale = np.sqrt((place.stop - place.start) / count)
        np.testing.assert_allclose(made["scaled weights"][1][place], drawn[place] * scale, 1e-6)
        np.testing.assert_array_equal(np.sign(made["same signs"][1][place]), np.sign(first[place]))
        np.testing.assert_array_equal(np.abs(made["same signs"][1][place]), np.abs(drawn[place]))


def test_scaled_weights_keep_the_variance_of_the_signal() -> None:
    """E[(sum over the inputs that are left of w x)^2] of a layer is that of the dense one."""
    model = mlp([400, 300, 1])
    prune(model, sparsity=0.9)
    ticket, first = alive_parameters(model)[0], model.parameter_buffer
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(50, 400))
    place = weight_places(model)["0.weight"]
    spreads = {}
    for control in ("new weights", "scaled weights"):
        mask, weights = control_of(control, model, ticket, first, np.random.default_rng(1))
        spreads[control] = (inputs @ (weights * mask)[place].reshape(400, 300)).std()
    assert spreads["scaled weights"] == pytest.approx(np.sqrt(2), rel=0.05)
    assert spreads["new weights"] < 0.6


def test_first_parameters_come_from_the_layers_initialisers() -> None:
    model = network(batch_norm=True, seed=9)
    rng = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(0,)))
    assert_same_bits(first_parameters(model, rng), model.parameter_buffer)


def test_a_network_is_connected_where_a_path_is_left() -> None:
    model = mlp([2, 3, 3, 1])
    places = [np.arange(each.start, each.stop) for each in weight_places(model).values()]
    first, second, third = (
        each.reshape(shape) for each, shape in zip(places, ((2, 3), (3, 3), (3, 1)), strict=True)
    )
    mask = np.zeros(model.parameter_count, bool)
    path = [first[1, 2], second[2, 0], third[0, 0]]
    mask[path] = True
    assert is_connected(model, mask)
    for place in path:
        broken = mask.copy()
        broken[place] = False
        broken[[second[0, 0], third[1, 0], first[0, 1]]] = True
        assert not is_connected(model, broken)


# The demo.

TINY: dict[str, Any] = {"steps": 6, "depth": 2, "width": 6, "points": 30, "seeds": 2}
EVERY = tuple(each.replace(" ", "-") for each in VARIANTS if each != "late ticket")


@pytest.fixture(scope="module")
def tiny() -> Result:
    return run_small(experiment, rounds=(1, 2), rewind_step=2, variants=EVERY, **TINY)


def test_every_arm_has_as_many_weights_and_says_so(tiny: Result) -> None:
    s = tiny.settings
    assert [weights_left(54, 0.5, each) for each in (0, 1, 2)] == [54, 27, 13]
    arms = [row.arm for row in tiny.verdict_rows()]
    assert arms == ["dense", *(f"{v}, {share} %" for share in ("50", "24.1") for v in VARIANTS)]
    masks = masks_of(s)
    for row in tiny.rows:
        if row.part == "pruning":
            late = "late ticket" if row.facts["rewound_to"] else "ticket"
            for i, seed in enumerate(row.seeds):
                masks.tickets[late, seed] = row.arrays["masks"][:, i], row.arrays["start"][i]
    for number, left in ((1, 27), (2, 13)):
        for variant in VARIANTS:
            model = masks.network(variant, number, [1, 0, 1])
            alive = alive_parameters(model)
            weights = [each.reshape(3, -1).sum(axis=1) for each in layer_masks(model).values()]
            assert (sum(weights) == left).all()
            assert_same_bits(alive[0], alive[2])
            if "mask" in variant:
                assert all(is_connected(model, each) for each in alive)
            if variant in ("ticket", *BEFORE):
                dense = masks.build([1]).parameter_buffer[0]
                assert_same_bits(model.parameter_buffer[0], np.where(alive[0], dense, 0))


def test_snip_looks_once_and_iterated_snip_again_and_again(tiny: Result) -> None:
    masks = masks_of(tiny.settings)
    row = next(each for each in tiny.rows if each.part == "pruning")
    for i, seed in enumerate(row.seeds):
        masks.tickets["ticket", seed] = row.arrays["masks"][:, i], row.arrays["start"][i]
    model, data = masks.build([0, 1]), masks.data([0, 1])
    prune(model, sparsity=41 / 54, scores=connection_sensitivity(model, data.X, data.y))
    once = masks.network("snip", 2, [0, 1])
    assert_same_bits(alive_parameters(once), alive_parameters(model))
    again = masks.network("iterated snip", 2, [0, 1])
    assert not np.array_equal(alive_parameters(again), alive_parameters(once))


def test_a_seed_of_a_run_is_the_run_of_that_seed_alone(tiny: Result) -> None:
    options = TINY | {"seed": 1, "seeds": 1}
    alone = run_small(experiment, rounds=(1, 2), rewind_step=2, variants=EVERY, **options)
    for a, b in zip(tiny.verdict_rows(), alone.verdict_rows(), strict=True):
        for measure in ("test_accuracy", "loss", "steps_to_95"):
            np.testing.assert_array_equal(a[measure][1], b[measure][0])
        if "mask" in a.arm:
            assert a["disconnected_draws"][1] == b["disconnected_draws"][0] < 1


def test_the_late_ticket_counts_the_steps_before_it() -> None:
    options = TINY | {"steps": 60, "width": 16, "points": 60}
    result = run_small(experiment, rounds=(1,), rewind_step=20, variants=("ticket",), **options)
    late = next(row for row in result.verdict_rows() if row.facts["variant"] == "late ticket")
    assert (late.facts["epochs"], late.facts["rewound_to"]) == (40, 20)
    reached = late["steps_to_95"][np.isfinite(late["steps_to_95"])]
    assert ((reached > 20) & (reached <= 60)).all()


def test_rates_are_chosen_on_tickets_of_the_tuning_seeds() -> None:
    result = run_small(
        experiment, quick=False, rounds=(1,), rewind_step=0, variants=("ticket",), **TINY
    )
    assert {each.part for each in result.rows} >= {"tuning", "verdict", "pruning"}
    assert all(len(each.rates) >= 5 for each in result.tuned.values())


def made_up(**accuracies: float) -> Result:
    """Ten networks of every arm at 34.3 %, which learn unless something else is said."""
    s = quick_settings(experiment, quick=False, rounds=(3,), fraction=0.3)
    rows = []
    for variant in ("dense", *VARIANTS):
        accurate = np.full(10, accuracies.get(variant.replace(" ", "_"), 1.0))
        steps = np.where(accurate >= 0.95, 100.0, np.nan)
        arm = variant if variant == "dense" else name(s, variant, 3)
        share = 1.0 if variant == "dense" else 0.343
        facts = {"variant": variant, "round": 3 * (variant != "dense"), "remaining": share}
        facts |= {"weights": round(share * total_weights(s)), "learning_rate": 0.01}
        measures = {"test_accuracy": accurate, "steps_to_95": steps}
        rows.append(Row(arm, facts, tuple(range(10)), measures))
    return Result(s, rows)


def verdict_of(result: Result, part: str) -> str:
    (found,) = (each for each in judge(experiment.claims(result)) if part in each.claim.sentence)
    return found.name


def test_verdicts_follow_the_numbers() -> None:
    alike = made_up()
    assert verdict_of(alike, "tickets are as accurate as dense networks") == "supported"
    assert verdict_of(alike, "tickets are more accurate than networks with a ran") == "equivalent"
    assert verdict_of(alike, "3 rounds of 30%") == "holds"
    other = made_up(random_mask=0.5, new_weights=0.6, snip=0.7, late_ticket=0.5)
    assert verdict_of(other, "tickets are more accurate than networks with a ran") == "supported"
    assert verdict_of(other, "tickets rewound late are more accurate") == "contradicted"
    assert verdict_of(other, "dense networks are more accurate than networks pruned") == "supported"
    never = made_up(ticket=0.6)
    assert verdict_of(never, "tickets are trained in fewer steps than dense") == "contradicted"


def test_rows_of_the_ledger_go_with_the_place_among_the_rounds() -> None:
    claims = experiment.claims(made_up())
    found = {row for each in claims for row in each.ledger}
    assert {"002-063", "002-065", "002-139", "002-149", "002-129"} <= found
    assert experiment.claims(Result(made_up().settings)) == [
        each for each in claims if each.contrast.kind == "exact"
    ]


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_what_diverges_or_is_interrupted_is_reported() -> None:
    result = made_up(ticket=np.nan)
    result.rows = result.rows[:2]
    assert experiment.answer and "10 dense, 0 ticket" in experiment.answer(result, [])
    assert len(experiment.tables(result)) == 2
    assert experiment.figures(result)["lottery"]()


def test_digits_and_pruning_by_layer() -> None:
    pytest.importorskip("sklearn", reason="the extra 'data'")
    result = run_small(
        experiment,
        dataset="digits",
        method="layer-magnitude",
        rounds=(1,),
        variants=("ticket", "grasp"),
        **TINY | {"points": 400},
    )
    assert "grasp, 50 %" in result


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rewind_step": 300}, "--rewind-step 300: must be less than the 300 steps"),
        ({"variants": ("snap",)}, "did you mean 'snip'"),
        ({"rounds": (40, 50)}, "must leave fewer weights each"),
        ({"dataset": "digits", "points": 100}, "--points with --dataset digits"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        experiment.check(quick_settings(experiment, quick=False, **given))
