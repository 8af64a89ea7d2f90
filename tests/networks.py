"""What the tests of models share: a layer of every kind, data, equality of bits, refusals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from scratchnet import InputError, Layer, Linear, Model
from scratchnet.layers import KINDS

LAYERS: dict[str, Callable[[int], Layer]] = {name: kind.example for name, kind in KINDS.items()}
"""A layer of each registered kind that keeps the width."""

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())


def network_with(layer: Callable[[int], Layer], **options: Any) -> Model:
    """2 inputs and 1 output, with the layer in the middle and, on the raw inputs, in front."""
    return Model(layer(2), Linear(2, 3), layer(3), Linear(3, 1), **options)


def perturb(model: Model, seed: int = 0) -> None:
    """Gains other than 1, shifts other than 0: else a forgotten factor would not show."""
    rng = np.random.default_rng(seed)
    model.parameter_buffer += 0.3 * rng.standard_normal(model.parameter_buffer.shape)


def two_classes(samples: int = 11, seed: int = 0, networks: int | None = None) -> tuple[Any, Any]:
    """Points (N, 2), or (E, N, 2), and labels (N,) that are a curved function of the first ones."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((*([networks] if networks else []), samples, 2))
    first = X[0] if networks else X
    return X, (first[:, 0] * first[:, 1] + 0.3 * first[:, 0] > 0).astype(int)


def assert_same_bits(actual: Any, expected: Any) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    assert actual.tobytes() == expected.tobytes()


def assert_same_state(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(actual) == list(expected)
    for name in expected:
        assert_same_bits(actual[name], expected[name])


def assert_views(model: Model) -> None:
    """Each parameter is its place of the parameter buffer, each gradient the same of the other."""
    for buffer, arrays in (
        (model.parameter_buffer, [parameter.data for parameter in model.parameters()]),
        (model.gradient_buffer, [parameter.grad for parameter in model.parameters()]),
    ):
        lead = buffer.shape[:-1]
        assert all(np.shares_memory(array, buffer) for array in arrays)
        places = np.concatenate([array.reshape(*lead, -1) for array in arrays], axis=-1)
        np.testing.assert_array_equal(places, buffer)


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    """What is inside raises `InputError`, with a message of one line that holds all the parts."""
    with pytest.raises(InputError) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
