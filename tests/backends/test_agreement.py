"""Every op, and training, on every backend in every precision, against float64 on NumPy."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from agreement import TOLERANCE, UNIT_ROUNDOFF, either_dtype
from hypothesis import given, settings
from strategies import EVERY_OP, close, positive, seeds

from scratchnet import SGD, Adam, Tensor, fit, mlp
from scratchnet.backends import Backend, get_backend

OP_TOLERANCE = {"float32": 2e-5, "float64": 10 * TOLERANCE["float64"]}
"""Of an op's value and gradients, relative to the largest entry, or to 1 where that is more."""

PRODUCTS = ("matmul", "affine")
DIVIDED_BY_A_SMALL_SPREAD = ("standardize",)


def value_and_gradients(op: Any, arrays: Any, dtype: str, backend: Backend) -> list[Any]:
    tensors = [Tensor(array, dtype, backend) for array in arrays]
    y = op(*tensors).retain_grad()
    (y * y).backward()
    found = [y.data, *[each.grad for each in (y, *tensors) if each.grad is not None]]
    assert all(type(each) is backend.xp.ndarray and each.dtype == dtype for each in found)
    return [backend.to_numpy(each) for each in found]


@either_dtype
@pytest.mark.parametrize("name", EVERY_OP)
@given(seed=seeds)
@settings(max_examples=2)
def test_an_op_agrees_with_float64(backend: Backend, name: str, dtype: str, seed: int) -> None:
    tolerance = OP_TOLERANCE[dtype] * (20 if name in DIVIDED_BY_A_SMALL_SPREAD else 1)
    assert_agrees(backend, name, dtype, seed, tolerance)


@pytest.mark.parametrize("name", PRODUCTS)
@given(seed=seeds)
@settings(max_examples=4)
def test_a_product_of_rounded_operands_agrees_with_float64(
    rounding_backend: Backend, name: str, seed: int
) -> None:
    """To rounding: the gradient of (op)^2 is a product of something that was rounded already."""
    unit = UNIT_ROUNDOFF[rounding_backend.precision]
    worst = assert_agrees(rounding_backend, name, "float32", seed, 8 * unit)
    assert worst > 1e-2 * unit  # else nothing was rounded


def assert_agrees(backend: Backend, name: str, dtype: str, seed: int, tolerance: float) -> float:
    """The value and the gradients agree; the largest difference."""
    arrays = [positive(seed, (3, 4)), positive(seed + 1, (3, 4), 0.02)]
    expected = value_and_gradients(EVERY_OP[name], arrays, "float64", get_backend("numpy"))
    actual = value_and_gradients(EVERY_OP[name], arrays, dtype, backend)
    for one, other in zip(actual, expected, strict=True):
        close(one, other, tolerance)
    return max(
        float(np.abs(one - other).max()) for one, other in zip(actual, expected, strict=True)
    )


TRAINING_TOLERANCE = {"fp32": 2e-6, "tf32": 1e-3, "bf16": 5e-3, "fp16": 1e-3}
"""Of the loss after 100 steps, against float64."""

OPTIMIZERS = {
    "sgd": lambda model: SGD(model, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda model: Adam(model, 0.01),
}


@cache
def losses(
    optimizer: str, backend: Backend, dtype: str, record: bool = True, epochs: int = 100
) -> Any:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (64, 2))
    model = mlp(
        [2, 16, 16, 1], activation="tanh", dropout=0.1, ensemble=4, dtype=dtype, backend=backend
    )
    history = fit(
        model,
        X,
        X[:, 0] * X[:, 1] > 0,
        optimizer=OPTIMIZERS[optimizer](model),
        epochs=epochs,
        batch_size=48,
        clip_norm=1.0,
        record=record,
    )
    return history.loss


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_ensemble_trained_for_100_steps_stays_near_float64(
    precise_backend: Backend, optimizer: str
) -> None:
    """The same weights, batches and dropped units; only the rounding differs."""
    expected = losses(optimizer, get_backend("numpy"), "float64")
    actual = losses(optimizer, precise_backend, "float32")
    worst = np.abs(actual - expected).max()
    assert worst < TRAINING_TOLERANCE[precise_backend.precision]
    if precise_backend.precision != "fp32":
        assert worst > 1e-5  # else nothing was rounded


def test_recorded_steps_give_the_bits_of_eager_steps(precise_backend: Backend) -> None:
    """Or, where these depend on how an array lies in memory, the same but for rounding."""
    eager, replayed = (
        losses("adam", precise_backend, "float32", record, epochs=10) for record in (False, True)
    )
    if precise_backend.bits_depend_on_layout:
        tolerance = TRAINING_TOLERANCE[precise_backend.precision]
        np.testing.assert_allclose(replayed, eager, rtol=tolerance, atol=tolerance)
    else:
        assert eager.tobytes() == replayed.tobytes()
