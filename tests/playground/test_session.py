"""What a tab's session does on each message, and that its pictures and numbers are the engine's."""

import gc
import json
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tabs import Tab

from scratchnet import Tensor, evaluate_loss, fit
from scratchnet.demos.playground import pacing, pictures, protocol
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.learning import Learning, make_model, make_optimizer
from scratchnet.demos.playground.state import KINDS, state_from
from scratchnet.depth.regions import plane_regions
from scratchnet.depth.slices import points
from scratchnet.layers import ACTIVATIONS

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
    for _ in range(100):
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
    before = len(tab.said)
    tab.do(what, steps=20_000)
    for _ in range(40):
        tab.session._turn()
    found = [header for header, _ in tab.said[before:] if header["say"] == "picture"]
    assert found and not found[-1]["playing"]


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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("table", "digits")])
def test_every_kind_of_data_is_drawn(kind: str) -> None:
    data: dict[str, Any] = {"kind": kind, "points": 60, "classes": 4, "dimensions": 3}
    if kind == "drawn":
        data["drawn"] = [[0, 0, 0], [1, 1, 0], [0, 1, 7], [1, 0, 7], [0.2, 0.5, 3], [0.3, 0.1, 3]]
    tab = Tab({"data": data, "network": {"layers": [3]}})
    state, _ = tab.last("state")
    tab.do("step")
    header, arrays = tab.picture()
    classes = len(state["classes"])
    shape = (80, 80) if classes == 2 else (classes, 80, 80)
    assert arrays["prediction"].shape == shape
    _, first = next(each for each in tab.said if each[0]["say"] == "picture")
    left, right, bottom, top = state["window"]
    for name in ("points", "test_points"):
        x, y = first[name].T
        assert (left <= x).all() and (x <= right).all() and (bottom <= y).all() and (y <= top).all()
    assert header["accuracies"]["train"] == pytest.approx(1 - arrays["wrong"].mean())


def test_classes_of_drawn_points_keep_their_names() -> None:
    drawn = [[0, 0, 2], [1, 1, 2], [0, 1, 9], [1, 0, 9]]
    state, _ = Tab({"data": {"kind": "drawn", "drawn": drawn}}).last("state")
    assert state["classes"] == ["2", "9"]


def test_pictures_are_the_networks_own() -> None:
    tab = Tab({**SMALL, "network": {"layers": [6, 5], "batch_norm": True}})
    for _ in range(30):
        tab.do("step")
    header, arrays = tab.picture()
    learning = tab.session.learning
    model, task = learning.model, learning.task
    regions = plane_regions(model, task.plane)
    assert header["regions"] == regions.count == len(arrays["regions_polygons"])
    np.testing.assert_array_equal(arrays["regions_polygons"], regions.polygons)
    np.testing.assert_array_equal(arrays["regions_vertices"], regions.vertices.astype(np.float32))
    np.testing.assert_array_equal(arrays["boundary"], regions.boundary.astype(np.float32))
    logits = model.predict(points(task.plane, task.plane.grid(80)))[:, 0].astype(float)
    wanted = 255 / (1 + np.exp(-logits))
    assert np.abs(arrays["prediction"].reshape(-1) - wanted).max() <= 0.51
    np.testing.assert_array_equal(arrays["wrong"], model.classify(task.X) != task.y)
    loss = evaluate_loss(model, task.X_test, task.y_test, "binary_cross_entropy")
    assert header["losses"]["test"] == float(loss)
    linear = [model.layers[i] for i in (0, 3, 6)]
    own = [each.parameters[name].data.ravel() for each in linear for name in ("weight", "bias")]
    np.testing.assert_array_equal(arrays["weights"], np.concatenate(own))


def test_a_pictures_neurons_are_activations() -> None:
    tab = Tab({**SMALL, "network": {"layers": [2, 2], "residual": True, "activation": "tanh"}})
    _, arrays = tab.picture()
    model, task = tab.session.learning.model, tab.session.task
    size = arrays["neurons"].shape[1]
    outputs = list(model.activations(points(task.plane, task.plane.grid(size))).values())
    values = [outputs[0], outputs[1], outputs[-1]]
    wanted = [127.5 + 127 * each / np.abs(each).max() for each in values]
    found = arrays["neurons"].reshape(5, -1)
    assert np.abs(found - np.concatenate(wanted, axis=1).T).max() <= 1


@pytest.mark.parametrize("loss", ["mean_squared_error", "hinge"])
def test_the_boundary_is_where_the_class_changes(loss: str) -> None:
    """With squared errors class 1 begins at an output of 1/2, not at 0."""
    tab = Tab({**SMALL, "training": {"loss": loss, "learning_rate": 0.05}})
    for _ in range(100):
        tab.do("step")
    _, arrays = tab.picture()
    model = tab.session.learning.model
    middles = arrays["boundary"].mean(axis=1)
    assert len(middles)
    wanted = 0.5 if loss == "mean_squared_error" else 0.0
    np.testing.assert_allclose(model.predict(middles)[:, 0], wanted, atol=1e-4)


def test_contours_of_a_smooth_network_lie_on_its_boundary() -> None:
    tab = Tab({**SMALL, "network": {"layers": [6], "activation": "tanh"}})
    for _ in range(200):
        tab.do("step")
    tab.do("show", size=100)
    header, arrays = tab.picture()
    assert header["regions"] is None and "smooth" in header["sentence"]
    outputs = tab.session.learning.model.predict(arrays["boundary"].reshape(-1, 2))
    assert len(outputs) > 20
    assert np.abs(outputs).max() < 0.05


def test_three_classes_meet_at_the_contours() -> None:
    data = {"kind": "blobs", "points": 60, "classes": 3}
    tab = Tab({"data": data, "network": {"layers": [5], "activation": "tanh"}})
    for _ in range(100):
        tab.do("step")
    _, arrays = tab.picture()
    outputs = np.sort(tab.session.learning.model.predict(arrays["boundary"].mean(axis=1)), axis=1)
    spread = np.ptp(outputs, axis=1).mean()
    assert np.median(outputs[:, -1] - outputs[:, -2]) < 0.05 * spread


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_and_is_drawn(activation: str) -> None:
    tab = Tab({**SMALL, "network": {"layers": [3, 3], "activation": activation}})
    before = weights(tab)
    tab.do("step")
    header, _ = tab.picture()
    assert (weights(tab) != before).any()
    assert (header["regions"] is None) == (activation not in protocol.PIECEWISE_LINEAR)


def test_a_picture_counts_the_neurons_that_no_training_point_moves() -> None:
    tab = Tab({**SMALL, "network": {"layers": [6, 4]}})
    model = tab.session.learning.model
    model.layers[0].parameters["bias"].data[:3] = -1000
    assert tab.picture()[0]["silent"] >= 3
    tab.do("play")
    assert tab.picture()[0]["silent"] is None


def test_regions_can_be_left_out() -> None:
    tab = Tab(SMALL)
    tab.do("show", regions=False)
    _, arrays = tab.picture()
    assert "regions_vertices" not in arrays and len(arrays["boundary"])


def test_too_many_regions_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_REGIONS", 5)
    tab = Tab({**SMALL, "network": {"layers": [8, 8]}})
    for _ in range(2):
        header, arrays = tab.picture()
        assert header["regions"] is None and header["sentence"] == pictures.TOO_MANY
        assert "regions_vertices" not in arrays and "boundary" in arrays
    tab.do("set", state={**SMALL, "network": {"layers": [1]}})
    assert tab.picture()[0]["regions"] <= 2


def test_pruning_is_a_view() -> None:
    tab = Tab(SMALL)
    before = weights(tab)
    tab.do("prune", share=1.0)
    header, arrays = tab.picture()
    assert header["pruned"] == 1.0
    assert header["regions"] == 1 and np.ptp(arrays["prediction"]) == 0
    np.testing.assert_array_equal(weights(tab), before)
    tab.do("prune", share=0.0)
    assert tab.picture()[0]["regions"] > 1


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


@pytest.mark.parametrize("settings", [
    {"network": {"layers": [4, 4, 3], "activation": "relu"}},
    {"network": {"layers": [3, 3], "batch_norm": True, "residual": True, "dropout": 0.5}},
    {"network": {"layers": [3, 4], "activation": "threshold"}},
    {"network": {"layers": []}},
    {"data": {"kind": "blobs", "classes": 3}, "network": {"layers": [4], "activation": "gelu"}},
    {"data": {"kind": "blobs", "classes": 3}, "training": {"loss": "hinge"}},
])  # fmt: skip
def test_backprop_numbers_are_the_engines(settings: Mapping[str, Any]) -> None:
    tab = Tab(settings)
    for _ in range(5):
        tab.do("step")
    sample = 3
    answer = tab.only("backprop", sample=sample)
    learning = tab.session.learning
    model = learning.model
    untouched = model.gradient_buffer.copy()
    inputs = Tensor(learning.task.X[sample : sample + 1])
    model.eval()
    loss = learning.loss(model(inputs), learning.batches.targets[sample : sample + 1])
    loss.backward()
    assert answer["loss"]["value"] == pytest.approx(loss.item(), rel=1e-5)
    near = {"rtol": 1e-5, "atol": 1e-7}
    first, *_ = answer["layers"]
    np.testing.assert_allclose(first["input_gradients"], inputs.grad[0], **near)  # type: ignore[index]
    gradients = [np.array(each.grad) for each in model.parameters()]
    for layer in answer["layers"]:
        contributions = np.array(layer["contributions"])
        np.testing.assert_allclose(contributions.sum(axis=0) + layer["bias"], layer["sums"], **near)
        for name in ("weight_gradients", "sum_gradients"):
            wanted = np.array(layer[name])
            assert any(
                np.shape(g) == wanted.shape and np.allclose(g, wanted, **near) for g in gradients
            )
        outer = np.outer(layer["inputs"], layer["sum_gradients"])
        np.testing.assert_allclose(layer["weight_gradients"], outer, **near)
        if layer["shortcut"] is None:
            sent_back = np.array(layer["sent_back"]).sum(axis=1)
            np.testing.assert_allclose(sent_back, layer["input_gradients"], **near)
            last = layer["after"][-1]["outputs"] if layer["after"] else layer["sums"]
            assert layer["outputs"] == last
    for one, other in zip(answer["layers"], answer["layers"][1:], strict=False):
        assert one["outputs"] == other["inputs"]
        assert one["output_gradients"] == other["input_gradients"]
    model.gradient_buffer[...] = untouched


def test_backprop_leaves_the_training_as_it_was() -> None:
    tabs = Tab(SMALL), Tab(SMALL)
    for tab in tabs:
        tab.do("step")
    tabs[0].do("backprop", sample=1)
    tabs[0].do("hover", layer=1, neuron=0)
    for tab in tabs:
        tab.do("step")
    np.testing.assert_array_equal(weights(tabs[0]), weights(tabs[1]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hover_says_formula_value_gradient_and_the_lines(activation: str) -> None:
    network = {"layers": [3, 3], "activation": activation, "batch_norm": True, "residual": True}
    tab = Tab({**SMALL, "network": network})
    numbers = tab.only("backprop", sample=2)["layers"]
    node = tab.only("hover", layer=2, neuron=1, sample=2)
    assert node["value"] == numbers[1]["outputs"][1]
    assert node["gradient"] == numbers[1]["output_gradients"][1]
    assert "h1[1]" in node["formula"] and activation in node["formula"]
    edge = tab.only("hover", layer=2, neuron=1, sample=2, **{"from": 0})
    assert edge["gradient"] == numbers[1]["weight_gradients"][0][1]
    assert edge["contribution"] == pytest.approx(numbers[1]["contributions"][0][1], rel=1e-6)
    places = {each["what"]: (each["file"], each["line"]) for each in node["places"]}
    assert places[activation][0] == "scratchnet/ops/activations.py"
    wanted = {activation: f"def {activation}(", "z and its derivatives": "def affine(",
              "BatchNorm": "def forward(", "the shortcut": "def added(",
              "the walk back": "def backward("}  # fmt: skip
    assert set(places) == set(wanted)
    for what, (file, line) in places.items():
        assert wanted[what] in source_line(file, line)
    output = tab.only("hover", layer=3, neuron=0)
    (loss,) = [each for each in output["places"] if "loss" in each["what"]]
    assert "def binary_cross_entropy(" in source_line(loss["file"], loss["line"])
    assert tab.only("hover", layer=0, neuron=1)["name"] == "y"


def source_line(file: str, line: int) -> str:
    from pathlib import Path

    import scratchnet.backends

    root = Path(str(scratchnet.backends.__file__)).parent.parent
    return (root / file).read_text().splitlines()[line - 1]


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
    assert tab.only("cancel") == {"say": "cancelled", "of": "ten_seeds"}
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
    fields = protocol.limits(compiler=False)["fields"]
    defaults = {part: {name: each["default"] for name, each in of.items()}
                for part, of in fields.items()}  # fmt: skip
    assert state_from(json.loads(json.dumps(defaults))) == state_from({})
    for kind in KINDS:
        assert set(protocol.USED[kind]) <= set(fields["data"])
