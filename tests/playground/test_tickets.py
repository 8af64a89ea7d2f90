"""Lottery tickets in the playground: which weights are kept, where they start, and the way back."""

from typing import Any

import numpy as np
import pytest
from tabs import Tab
from test_export import assert_exported, one_thread  # noqa: F401

from scratchnet.pruning import magnitudes, weight_places

STATE = {"data": {"points": 60}, "network": {"layers": [6, 5]}}


def weights(tab: Tab) -> Any:
    """All weights of Linear layers, without biases."""
    model = tab.session.learning.model
    return np.concatenate(
        [model.parameter_buffer[place] for place in weight_places(model).values()]
    )


def trained(steps: int = 9) -> Tab:
    tab = Tab(STATE)
    for _ in range(steps):
        tab.do("step")
    return tab


@pytest.mark.parametrize("mask", ["smallest", "random"])
def test_a_ticket_keeps_its_share_with_initial_values_also_after_steps(mask: str) -> None:
    initial, tab = weights(Tab(STATE)), trained()
    tab.do("ticket", share=0.5, mask=mask)
    kept = weights(tab) != 0
    assert abs(kept.sum() - 0.5 * len(initial)) <= 0.5
    np.testing.assert_array_equal(weights(tab)[kept], initial[kept])
    assert tab.session.learning.steps == 0
    for _ in range(5):
        tab.do("step")
    assert not weights(tab)[~kept].any() and (weights(tab)[kept] != initial[kept]).any()


def test_the_kept_weights_are_the_largest_after_training_of_the_whole_network() -> None:
    tab = trained()
    model = tab.session.learning.model
    size = np.concatenate([magnitudes(model).ravel()[p] for p in weight_places(model).values()])
    tab.do("ticket", share=0.5, mask="smallest")
    kept = weights(tab) != 0
    assert size[kept].min() >= size[~kept].max()
    # A ticket after a random one is that of the whole network, not of the random one.
    tab.do("ticket", share=0.5, mask="random")
    assert ((weights(tab) != 0) != kept).any()
    tab.do("step")
    tab.do("ticket", share=0.5, mask="smallest")
    np.testing.assert_array_equal(weights(tab) != 0, kept)


def test_ten_seeds_and_the_sweep_of_a_ticket_train_the_ticket() -> None:
    tab = trained()
    tab.do("ticket", share=0.3, mask="smallest")
    alone = trained()
    alone.do("ticket", share=0.3, mask="smallest")
    for _ in range(20):
        alone.do("step")
    wanted = alone.picture()[0]["losses"]["train"]
    tab.do("ten_seeds", steps=20)
    header, _ = tab.work("ten_seeds")
    assert header["ticket"] and header["losses"]["train"][0] == wanted
    assert len(set(header["losses"]["train"])) > 1
    tab.do("sweep", steps=20)
    header, _ = tab.work("sweep")
    assert header["losses"]["train"][header["rates"].index(0.01)] == wanted
    other = Tab(STATE)
    other.do("ten_seeds", steps=20)
    header, _ = other.work("ten_seeds")
    assert not header["ticket"] and header["losses"]["train"][0] != wanted


def test_back_and_set_bring_the_whole_network() -> None:
    whole = weights(Tab(STATE))
    for what, message in (("back", {}), ("set", {"state": STATE})):
        tab = trained()
        tab.do("ticket", share=0.9)
        tab.do(what, **message)
        np.testing.assert_array_equal(weights(tab), whole)


def test_the_exported_code_of_a_ticket_makes_the_same_bits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tab = trained()
    tab.do("ticket", share=0.8)
    for _ in range(7):
        tab.do("step")
    assert_exported(tab, capsys)
