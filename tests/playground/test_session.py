"""What a tab's session does on each message: training, several networks, bad states."""

import gc
import json
import weakref
from typing import Any

import numpy as np
import pytest
from tabs import Tab

from scratchnet import fit
from scratchnet.demos.playground import pacing, protocol
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.learning import Learning, make_model, make_optimizer
from scratchnet.demos.playground.state import KINDS, state_from

pytestmark = pytest.mark.filterwarnings("ignore:network .* not finite:RuntimeWarning")

SMALL: dict[str, Any] = {"data": {"points": 40}, "network": {"layers": [4, 3]}}


def weights(tab: Tab) -> Any:
    return tab.session.learning.model.parameter_buffer.copy()


def test_step_epoch_and_back() -> None:
    tab = Tab({**SMALL, "training": {"batch_size": 6}})
    first = weights(tab)
    tab.do("step")
    assert tab.session.learning.steps == 1 and (weights(tab) != first).any()
    tab.do("epoch")
    assert tab.session.learning.steps == 4
    tab.do("epoch")
    assert tab.session.learning.steps == 8
    says = [header["say"] for header in tab.do("back")]
    assert says == ["state", "picture"]
    np.testing.assert_array_equal(weights(tab), first)


def test_play_trains_until_pause() -> None:
    tab = Tab(SMALL)
    tab.do("play")
    while tab.session.learning.steps < 20:
        tab.session._turn()
    tab.do("pause")
    steps = tab.session.learning.steps
    tab.session._turn()
    header, arrays = tab.picture()
    assert header["step"] == steps and not header["playing"]
    curves = [arrays["curves"] for header, arrays in tab.said if header["say"] == "picture"]
    reached = np.concatenate(curves)[:, 0]
    assert reached[0] == 0 and reached[-1] == steps and (np.diff(reached) > 0).all()
    assert (np.diff(reached) <= 1 + reached[:-1] // 20).all()


def test_play_ends_at_the_step_that_is_asked_for_and_then_goes_on() -> None:
    tab = Tab(SMALL)
    tab.do("play", until=17)
    while tab.session.playing and tab.session.learning.steps < 30:
        tab.session._turn()
    assert tab.session.learning.steps == 17 and not tab.session.playing
    assert not tab.picture()[0]["playing"]
    tab.do("play", until=17)
    while tab.session.learning.steps < 30:
        tab.session._turn()


@pytest.mark.parametrize("what", ["ten_seeds", "sweep"])
def test_what_ends_the_training_is_seen_in_a_picture(what: str) -> None:
    tab = Tab(SMALL)
    tab.do("play")
    header, _ = tab.work("picture")
    assert header["playing"]
    tab.do("seen", picture=header["n"])
    before, found = len(tab.said), []
    tab.do(what, steps=20_000)
    while tab.session._job is not None and not found:
        tab.session._turn()
        found = [header for header, _ in tab.said[before:] if header["say"] == "picture"]
    assert found and not found[-1]["playing"]


def test_a_picture_says_which_press_it_knows_of() -> None:
    tab = Tab(SMALL)
    said = [tab.picture()[0]["press"]]
    for what, about in (("play", {"id": 1}), ("pause", {"id": 2}), ("step", {}), ("pause", {})):
        tab.do(what, **about)
        said.append(tab.picture()[0]["press"])
    assert said == [None, 1, 2, 2, 2]
    tab.do("set", state=SMALL)
    assert tab.picture()[0]["press"] == 2


def test_the_speed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr(pacing, "monotonic", lambda: now)
    pace, made = pacing.Pace(), 0

    def advance(steps: int) -> int:
        nonlocal made
        made += steps
        return steps

    pace.speed = 64.0
    pace.restart()
    for _ in range(256):
        now += 1 / 256
        pace.spend(advance)
    assert made == 64 and 0 < pace.wait() <= 1 / 64
    now += 3600
    pace.spend(advance)
    assert 64 < made < 70  # it does not catch up
    assert pace.wait() > 0


def test_fast_steps_are_made_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pace = 5.0, pacing.Pace()
    monkeypatch.setattr(pacing, "monotonic", lambda: now)
    pace.speed = 300.0
    pace.restart()
    made: list[int] = []
    while now < 6.0:
        pace.spend(lambda steps: made.append(steps) or steps)  # type: ignore[func-returns-value]
        now += max(pace.wait(), 1e-3)
    assert len(made) < 75 and sum(made) > 290


def test_no_more_than_two_pictures_are_under_way() -> None:
    tab = Tab(SMALL)
    tab.do("play")
    for _ in range(60):
        tab.session._turn()
    shown = [header["n"] for header, _ in tab.said if header["say"] == "picture"]
    assert shown == [1, 2]
    tab.do("seen", picture=2)
    assert tab.work("picture")[0]["n"] == 3


def test_the_steps_are_those_of_fit() -> None:
    state = state_from({**SMALL, "training": {"batch_size": 7}, "network": {"dropout": 0.3}})
    task = make_task(state.data)
    learning = Learning(state, task)
    for several in (1, 2, 5, 1):
        learning.advance(several)
    model = make_model(state, task)
    fit(model, task.X, task.y, optimizer=make_optimizer(state, model), batch_size=7, epochs=3)
    np.testing.assert_array_equal(model.parameter_buffer, learning.model.parameter_buffer)


def test_a_training_that_is_left_is_freed_at_once() -> None:
    """Not when the next collection of cycles comes, which large arrays do not hasten."""
    tab = Tab(SMALL)
    gc.disable()
    try:
        for what in ("step", "backprop", "export"):
            tab.do(what)
        left = weakref.ref(tab.session.learning)
        tab.do("set", state=SMALL)
        assert left() is None
    finally:
        gc.enable()


def test_divergence_is_a_sentence_and_the_session_goes_on() -> None:
    tab = Tab({**SMALL, "training": {"optimizer": "sgd", "learning_rate": 100.0,
                                     "loss": "mean_squared_error"}})  # fmt: skip
    tab.do("play")
    stopped, _ = tab.work("stopped")
    assert stopped["why"] == "diverged" and "not finite" in stopped["sentence"]
    header, _ = tab.picture()
    assert header["sentence"] == stopped["sentence"] and not header["playing"]
    tab.do("play")
    tab.do("step")
    assert not tab.session.playing
    tab.do("set", state=SMALL)
    tab.do("step")
    assert tab.picture()[0]["sentence"] == "" and tab.session.learning.steps == 1


@pytest.mark.parametrize("layers", [[3], []])
@pytest.mark.parametrize("kind", ["spirals", "blobs"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_network_of_numbers_that_are_none_is_drawn(
    layers: list[int], kind: str, value: float
) -> None:
    data = {"kind": kind, "points": 30, "classes": 3}
    tab = Tab({"data": data, "network": {"layers": layers}})
    tab.session.learning.model.parameter_buffer[...] = value
    header, arrays = tab.picture()
    assert (header["sentence"] != "") == (value != 1e30)
    assert header["losses"]["train"] is None or header["losses"]["train"] >= 0
    assert np.isfinite(arrays["boundary"]).all()
    tab.do("prune", share=0.5)
    tab.picture()
    tab.do("backprop", sample=0)
    tab.do("hover", layer=1, neuron=0)
    tab.do("set", state=SMALL)
    assert tab.picture()[0]["sentence"] == ""


def test_ten_seeds_are_ten_networks() -> None:
    tab = Tab({**SMALL, "training": {"seed": 5}})
    tab.do("ten_seeds", steps=30)
    header, arrays = tab.work("ten_seeds")
    assert header["seeds"] == list(range(5, 15)) and header["steps"] == 30
    for number in (0, 7):
        alone = Tab({**SMALL, "training": {"seed": 5 + number}})
        for _ in range(30):
            alone.do("step")
        found = alone.picture()[0]
        assert header["losses"]["train"][number] == found["losses"]["train"]
        assert header["accuracies"]["test"][number] == found["accuracies"]["test"]
    assert arrays["curves"].shape[1] == 41 and arrays["curves"][-1, 0] == 30
    assert arrays["predictions"].shape == (10, 32, 32)
    assert arrays["agreement"].min() >= 127
    assert "on average" in header["sentence"]


def test_the_sweep_finds_a_rate_and_survives_divergence() -> None:
    tab = Tab({**SMALL, "training": {"optimizer": "sgd", "loss": "mean_squared_error"}})
    tab.do("sweep", steps=60)
    header, _ = tab.work("sweep")
    assert header["diverged"][-1] and not header["diverged"][0]
    finite = [loss for loss, gone in zip(header["losses"]["train"], header["diverged"], strict=True)
              if not gone]  # fmt: skip
    best = header["rates"].index(header["best"])
    assert header["losses"]["train"][best] == min(finite)


def test_a_message_during_ten_seeds_is_answered() -> None:
    tab = Tab(SMALL)
    tab.do("ten_seeds", steps=20_000)
    tab.work("progress")
    assert tab.only("hover")["say"] == "hover"
    assert tab.only("cancel") == {"say": "cancelled", "of": "ten_seeds", "id": None}
    tab.do("step")
    assert tab.session.learning.steps == 1


def test_too_many_networks_get_a_sentence() -> None:
    tab = Tab({"data": {"points": 5000, "train_share": 0.9}, "network": {"layers": [64] * 8}})
    tab.do("ten_seeds")
    (error, _) = tab.work("error")
    assert "must be at most" in error["sentence"]


@pytest.mark.parametrize(("part", "field", "value", "must"), [
    ("data", "kind", "spiral", "did you mean 'spirals'"),
    ("data", "points", 3, "from 4 to 5000"),
    ("data", "points", 1e9, "from 4 to 5000"),
    ("data", "points", True, "whole number"),
    ("data", "noise", "much", "must be a number"),
    ("data", "formula", "import os", "cannot be read"),
    ("data", "drawn", [[0, 0, 99]] * 4, "from 0 to 9"),
    ("data", "drawn", [[0, 0, 0]] * 5001, "at most 5000"),
    ("data", "drawn", [[0, 1e9, 0]] * 4, "from -1000 to 1000"),
    ("data", "drawn", [[0, 0, 0]] * 4, "two or more"),
    ("data", "drawn", [], "must be 4 or more"),
    ("data", "table", "nowhere", "must be a table"),
    ("network", "layers", [8] * 9, "at most 8"),
    ("network", "layers", [65], "from 1 to 64"),
    ("network", "layers", [0], "from 1 to 64"),
    ("network", "layers", "8, 8", "must be a list"),
    ("network", "activation", "swish", "must be one of"),
    ("network", "dropout", 1.0, "from 0 to 0.9"),
    ("training", "learning_rate", -1, "from 0 to 100"),
    ("training", "batch_size", 0, "from 1 to 5000, or null"),
    ("training", "seed", 2**40, "from 0 to"),
    ("training", "speed", 1, "unknown field"),
])  # fmt: skip
def test_a_bad_state_gets_a_sentence_and_the_old_one_stays(
    part: str, field: str, value: Any, must: str
) -> None:
    tab = Tab(SMALL)
    data = {"formula": "formula", "drawn": "drawn", "table": "table"}
    state: dict[str, Any] = {part: {field: value}}
    if field in data:
        state["data"]["kind"] = data[field]
    before = tab.session.state
    error = tab.only("set", state=state)
    assert error["say"] == "error" and must in error["sentence"]
    assert tab.session.state == before
    tab.do("step")
    assert tab.session.learning.steps == 1


def test_an_error_names_its_field() -> None:
    error = Tab(SMALL).only("set", state={"network": {"layers": [4, 99]}})
    assert error["field"] == "network.layers"
    error = Tab(SMALL).only("set", state={"data": {"kind": "formula", "formula": "z > 0"}})
    assert error["field"] == "data.formula" and "'z' is unknown" in error["sentence"]
    error = Tab(SMALL).only("set", state={"data": {"formula": "x" * 201}})
    assert error["field"] == "data.formula"


def test_answers_repeat_the_number_of_what_was_asked() -> None:
    tab = Tab(SMALL)
    assert tab.last("state")[0]["id"] is None
    tab.do("set", state=SMALL, id=7)
    assert tab.last("state")[0]["id"] == 7
    refused = tab.only("set", state={"data": {"noise": "much"}}, id=8)
    assert (refused["of"], refused["id"]) == ("set", 8)
    tab.do("ticket", id=9)
    assert tab.last("state")[0]["id"] == 9
    assert tab.only("hover", layer=9)["of"] == "hover"
    assert "of" not in tab.only("dance")
    tab.do("ten_seeds", steps=3, id=1)
    tab.do("sweep", steps=3, id=2)
    assert tab.work("sweep")[0]["id"] == 2
    assert not [each for each, _ in tab.said if each["say"] == "ten_seeds"]


@pytest.mark.parametrize("during", ["answer", "job", "step"])
def test_missing_memory_is_a_sentence_with_the_size(
    monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    def fails(*arguments: Any, **named: Any) -> None:
        np.empty(1 << 60, np.uint8)

    tab = Tab(SMALL)
    if during == "job":
        tab.do("ten_seeds")
    elif during == "step":
        tab.do("play")
    monkeypatch.setattr(Learning, "advance", fails)
    said = (
        tab.only("step")
        if during == "answer"
        else tab.work("error" if during == "job" else "stopped")[0]
    )
    must = "must be a smaller network or fewer points"
    assert said["sentence"] == f"not enough memory for 1.00 EiB: {must}"


@pytest.mark.parametrize(("text", "must"), [
    ("", "object of JSON"), ("{", "object of JSON"), ("[]", 'with "do"'), ("null", 'with "do"'),
    ('{"do": 3}', 'with "do"'), ('{"do": "dance"}', "unknown message"),
    ('{"do": "play", "x": 1}', "unknown field"), ('{"do": "set", "state": []}', "an object"),
    ('{"do": "speed", "steps_per_second": NaN}', "object of JSON"),
    ('{"do": "speed", "steps_per_second": 1e999}', "must be a number"),
    ('{"do": "backprop", "sample": 4999}', "there are 20 training points"),
    ('{"do": "hover", "layer": 9, "neuron": 0}', "from 0 to 3"),
    ('{"do": "hover", "layer": 1, "neuron": 60}', "from 0 to 3"),
    ('{"do": "hover", "layer": 1, "neuron": 0, "from": 2}', "from 0 to 1"),
    ('{"do": "export", "what": "/etc/passwd"}', "must be one of"),
    ("[" * 100_000, "object of JSON"), (b"\x00\x01", "must be text"),
    ('{"do": "set", "state": {"data": {"formula": "' + "x" * 300_000 + '"}}}', "at most"),
])  # fmt: skip
def test_a_bad_message_gets_a_sentence(text: str | bytes, must: str) -> None:
    (error,) = Tab(SMALL).send(text)
    assert error["say"] == "error" and must in error["sentence"]


def test_the_state_that_is_said_is_the_state_that_was_set() -> None:
    tab = Tab({**SMALL, "data": {"kind": "formula", "formula": "x y > 0", "points": 50}})
    said, _ = tab.last("state")
    again = Tab(json.loads(json.dumps(said["state"])))
    assert again.last("state")[0] == said
    np.testing.assert_array_equal(weights(again), weights(tab))


def test_the_limits_hold_their_defaults() -> None:
    fields = protocol.limits()["fields"]
    defaults = {part: {name: each["default"] for name, each in of.items()}
                for part, of in fields.items()}  # fmt: skip
    assert state_from(json.loads(json.dumps(defaults))) == state_from({})
    for kind in KINDS:
        assert set(protocol.USED[kind]) <= set(fields["data"])


@pytest.mark.parametrize("what", ["play", "pause", "step", "back", "sweep"])
def test_what_ends_ten_seeds_says_so(what: str) -> None:
    tab = Tab()
    tab.do("ten_seeds", id=7)
    said = tab.do(what)
    assert {"say": "cancelled", "of": "ten_seeds", "id": 7} in said
