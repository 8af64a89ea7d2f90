"""What the lessons of the playground claim is what the engine does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tabs import Tab

from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.learning import Learning, make_model
from scratchnet.demos.playground.state import state_from
from scratchnet.demos.playground.tickets import ticket
from scratchnet.layers import ReLU

PAGE = Path(__file__).parents[2] / "demos" / "playground" / "page"
LESSONS = {each["id"]: each for each in json.loads((PAGE / "lessons.json").read_text())}
SEEDS = 10


def trained(lesson: str, steps: int, seeds: int | None = SEEDS, **changes: Any) -> Learning:
    """The networks of a lesson after so many steps, with the changes of one of its buttons."""
    given = LESSONS[lesson]["state"]
    parts = {part: {**given.get(part, {}), **changes.get(part, {})} for part in ("data", "network")}
    parts["training"] = {**given.get("training", {}), **changes.get("training", {})}
    state = state_from(parts)
    task = make_task(state.data)
    learning = Learning(state, task, make_model(state, task, ensemble=seeds))
    learning.advance(steps)
    return learning


def right(learning: Learning) -> Any:
    return learning.measured().test_accuracy


def test_every_answer_and_button_is_one_that_there_is() -> None:
    for lesson in LESSONS.values():
        assert lesson["answer"] in range(len(lesson["options"])) and lesson["outcome"]
        state_from(lesson["state"])
        for action in lesson.get("actions", []):
            assert action["do"] in ("play", "ten_seeds", "sweep", "prune", "ticket")
            state_from(action.get("state", {}))


def test_one_neuron_ends_near_half_of_xor_with_the_loss_of_a_coin() -> None:
    found = trained("one-neuron", 300).measured()
    assert (abs(found.accuracy - 0.5) < 0.05).all()
    np.testing.assert_allclose(found.loss, np.log(2), atol=0.005)


def test_two_neurons_learn_xor_with_about_half_of_the_seeds_and_four_with_most() -> None:
    assert 4 <= (right(trained("two-neurons", 500)) > 0.95).sum() <= 8
    assert (right(trained("two-neurons", 500, 20)) > 0.95).sum() in range(7, 13)
    assert (right(trained("two-neurons", 500, 20, network={"layers": [4]})) > 0.95).sum() >= 14


def test_the_spirals_need_a_rate_of_a_half() -> None:
    def at(rate: float) -> Any:
        return right(trained("rates", 2000, 2, training={"learning_rate": rate}))

    assert (at(0.5) > 0.95).all()
    for rate, most in ((0.01, 0.7), (0.05, 0.75), (3, 0.8)):
        assert (at(rate) < most).all()


def test_the_second_layer_folds_and_the_circles_are_told_apart() -> None:
    learning = trained("folding", 400, None)
    assert right(learning) > 0.95


def dead(learning: Learning) -> Any:
    """How many ReLUs are 0 on every training point, for each network."""
    values = learning.model.activations(learning.task.X)
    layers = zip(values.values(), learning.model.layers, strict=True)
    return sum(
        (np.asarray(value) <= 0).all(axis=-2).sum(axis=-1)
        for value, layer in layers
        if isinstance(layer, ReLU)
    )


def test_half_of_the_relus_die_at_a_rate_of_one_and_few_at_a_hundredth() -> None:
    assert (dead(trained("dying", 300)) >= 16).all()
    assert (dead(trained("dying", 300, training={"learning_rate": 0.01})) <= 8).all()


@pytest.mark.filterwarnings("ignore:network .*:RuntimeWarning")
def test_unscaled_weights_explode_and_hes_learn() -> None:
    unscaled = trained("exploding", 0)
    assert np.median(unscaled.measured().loss) > 1000
    unscaled.advance(20)
    assert unscaled.has_diverged
    he = trained("exploding", 0, 3, network={"initialiser": "he_normal"})
    before = he.measured().loss
    he.advance(300)
    assert (before < 2).all() and (he.measured().loss < before).all()
    assert (he.measured().accuracy > 0.7).all()
    adam = trained("exploding", 100, 2, training={"optimizer": "adam"})
    assert (adam.measured().accuracy > 0.7).all()


def test_a_ticket_learns_the_spirals_and_a_random_fifth_does_not() -> None:
    whole = trained("ticket", 600, None)
    assert right(whole) > 0.98
    tab = Tab()
    tab.session._begin(whole)
    tab.do("prune", share=0.8)
    assert tab.picture()[0]["accuracies"]["test"] < 0.85
    found = {}
    for mask in ("smallest", "random"):
        learning = ticket(whole, 0.8, mask)
        learning.advance(600)
        found[mask] = right(learning)
    assert found["smallest"] > 0.93 and found["random"] < 0.88


def test_eight_sigmoid_layers_need_shortcuts() -> None:
    assert (right(trained("depth", 1000)) > 0.95).sum() <= 6
    assert (right(trained("depth", 1000, 3, network={"residual": True})) > 0.95).all()
    assert (right(trained("depth", 1000, 3, network={"layers": [16, 16]})) > 0.95).all()
