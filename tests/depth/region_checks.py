"""What the tests of linear regions share: networks of all kinds, and what is true of any mosaic."""

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from scratchnet import LeakyReLU, Linear, Model, ReLU, Residual, Tensor, Threshold
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.regions import Plane, PlaneRegions
from scratchnet.depth.slices import points

ACTIVATIONS: dict[str, Any] = {
    "relu": ReLU,
    "leaky": lambda: LeakyReLU(0.25),
    "reflecting": lambda: LeakyReLU(-0.5),
    "threshold": Threshold,
}
CONTINUOUS = ("relu", "leaky", "reflecting")


@st.composite
def networks(draw: Any, activations: Any = tuple(ACTIVATIONS), rounded: bool = True) -> Model:
    """Two to four inputs, up to four blocks of up to six neurons, one to three outputs."""
    width = draw(st.integers(2, 4))
    layers: list[Any] = []
    for _ in range(draw(st.integers(1, 4))):
        neurons = draw(st.integers(1, 6))
        activation = ACTIVATIONS[draw(st.sampled_from(activations))]
        if draw(st.integers(0, 2)) == 0:
            inside = Linear(width, neurons), activation(), Linear(neurons, width)
            layers.append(Residual(*inside, scale=draw(st.sampled_from([1.0, 0.25, -2.0]))))
        else:
            layers += [Linear(width, neurons), activation()]
            width = neurons
    seed = draw(st.integers(0, 2**32 - 1))
    model = Model(*layers, Linear(width, draw(st.integers(1, 3))), seed=seed, dtype="float64")
    share_rounded = draw(st.sampled_from([0.0, 0.3, 1.0])) if rounded else 0.0
    return with_biases(model, seed, share_rounded=share_rounded)


def with_biases(model: Model, seed: int, size: float = 0.5, share_rounded: float = 0.0) -> Model:
    rng = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data[...] = rng.normal(0, size, parameter.shape)
        if rng.random() < share_rounded:
            parameter.data[...] = np.round(2 * parameter.data) / 2
    return model


def plane_of(model: Model, seed: int = 0) -> Plane:
    """A slanting plane, whose window has no special place."""
    linear = (layer for _, layer in model.root.walk() if isinstance(layer, Linear))
    dimensions = next(linear).fan_in
    rng = np.random.default_rng(seed)
    origin, first, second = rng.normal(0, 0.5, (3, dimensions))
    return Plane(origin, first, second, ((-1.31, 1.07), (-0.93, 1.22)))


def one_layer(W: Any, b: Any, out: Any = None, activation: str = "relu") -> Model:
    """Hidden neurons W (inputs, neurons) and b; their sum with weights `out`, 1, 1.7, 2.4, ..."""
    W, b = np.array(W, float), np.array(b, float)
    out = 1 + 0.7 * np.arange(len(b)) if out is None else np.array(out, float)
    return model_from_weights([(W, b), (out[:, None], np.zeros(1))], activation)


def values_at(regions: PlaneRegions, coordinates: np.ndarray) -> np.ndarray:
    """(R, outputs): what the map of each region gives at its row of coordinates."""
    return (regions.gradients @ coordinates[:, :, None])[..., 0] + regions.offsets


def check_tiling(regions: PlaneRegions) -> None:
    ends, sides = regions.edges()
    assert len(regions.vertices) - len(ends) + regions.count == 1
    # A vertex that is there twice adds an edge of no length, which Euler's sum does not see.
    assert np.linalg.norm(np.diff(regions.vertices[ends], axis=1), axis=2).min() > 1e-12
    assert len(np.unique(regions.vertices, axis=0)) == len(regions.vertices)
    for polygon in regions.polygons:
        around = np.append(polygon[:1], polygon[1:][polygon[1:] != polygon[0]])
        assert len(set(around)) == len(around)
    assert set(regions.polygons.ravel()) == set(range(len(regions.vertices)))
    areas = regions.areas()
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(regions.plane.area, rel=1e-9)
    (left, right), (bottom, top) = regions.plane.window
    rim = ends[sides[:, 1] < 0]
    lengths = np.linalg.norm(np.diff(regions.vertices[rim], axis=1), axis=2)
    assert lengths.sum() == pytest.approx(2 * (right - left + top - bottom))
    assert len(np.unique(regions.patterns, axis=0)) == regions.count


def check_maps(model: Model, regions: PlaneRegions) -> None:
    """At the centre of each region, map and gradient are those of the model and of backward()."""
    centres = regions.centres()
    X = Tensor(points(regions.plane, centres), "float64")
    outputs = model(X)
    scale = max(1.0, np.abs(outputs.numpy()).max(), np.abs(regions.gradients).max())
    large = regions.areas() > 1e-9
    for output in range(outputs.shape[1]):
        y = outputs[:, output]
        y.sum().backward()
        gradient = X.grad @ regions.plane.directions.T
        value = values_at(regions, centres)[:, output]
        np.testing.assert_allclose(y.numpy()[large], value[large], rtol=0, atol=1e-8 * scale)
        np.testing.assert_allclose(
            gradient[large], regions.gradients[large, output], rtol=0, atol=1e-8 * scale
        )
