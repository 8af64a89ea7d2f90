"""A session's pictures are those of the engine's own network."""

from typing import Any

import numpy as np
import pytest
from tabs import Tab

from scratchnet import evaluate_loss
from scratchnet.demos.playground import pictures, protocol
from scratchnet.demos.playground.state import KINDS
from scratchnet.depth.regions import plane_regions
from scratchnet.depth.slices import points
from scratchnet.layers import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore:network .* not finite:RuntimeWarning")

SMALL: dict[str, Any] = {"data": {"points": 40}, "network": {"layers": [4, 3]}}


def weights(tab: Tab) -> Any:
    return tab.session.learning.model.parameter_buffer.copy()


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


def no_memory(*arguments: Any, **named: Any) -> None:
    raise MemoryError


def test_regions_that_need_too_much_memory_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    tab = Tab(SMALL)
    monkeypatch.setattr(pictures, "exact", no_memory)
    header, arrays = tab.picture()
    assert header["regions"] is None and "not enough memory" in header["sentence"]
    assert "boundary" in arrays and "prediction" in arrays


def test_a_picture_without_memory_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    tab = Tab(SMALL)
    tab.do("play")
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "prediction", no_memory)
        stopped, _ = tab.work("stopped")
        assert "not enough memory" in stopped["sentence"] and not tab.session.playing
        before = len(tab.said)
        tab.session._turn()
        assert len(tab.said) == before
    tab.do("play")
    assert tab.work("picture")[0]["playing"]


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
