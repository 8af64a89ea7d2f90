"""The numbers of backprop and hover are the engine's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tabs import Tab

from scratchnet import Tensor
from scratchnet.layers import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore:network .* not finite:RuntimeWarning")

SMALL: dict[str, Any] = {"data": {"points": 40}, "network": {"layers": [4, 3]}}


def weights(tab: Tab) -> Any:
    return tab.session.learning.model.parameter_buffer.copy()


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

    import scratchnet.backends

    root = Path(str(scratchnet.backends.__file__)).parent.parent
    return (root / file).read_text().splitlines()[line - 1]
