"""Losses: plain formulas and their derivatives, stability, targets of every accepted shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assert_same_bits, refused
from strategies import seeds, spread

from scratchnet import Adam, InputError, Tensor, fit, mlp
from scratchnet.gradcheck import check_gradients
from scratchnet.losses import (
    LOSSES,
    binary_cross_entropy,
    get_loss,
    hinge,
    mean_squared_error,
    softmax_cross_entropy,
)


def naive_cross_entropy(z: Any, t: Any) -> tuple[Any, Any]:
    p = 1 / (1 + np.exp(-z))
    return (-t * np.log(p) - (1 - t) * np.log(1 - p)).mean(), (p - t) / z.size


def naive_hinge(z: Any, t: Any) -> tuple[Any, Any]:
    s = np.where(t == 1, 1.0, -1.0)
    return np.maximum(0, 1 - s * z).mean(), np.where(s * z < 1, -s, 0) / z.size


def naive_squared_error(y: Any, t: Any) -> tuple[Any, Any]:
    return ((y - t) ** 2).mean(), 2 * (y - t) / y.size


def naive_softmax(z: Any, labels: Any) -> tuple[Any, Any]:
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    onehot = np.eye(z.shape[1])[labels]
    return -np.log(p[np.arange(len(z)), labels]).mean(), (p - onehot) / len(z)


Naive = Callable[[Any, Any], tuple[Any, Any]]
NAIVE: dict[str, Naive] = {
    "binary_cross_entropy": naive_cross_entropy,
    "hinge": naive_hinge,
    "mean_squared_error": naive_squared_error,
    "softmax_cross_entropy": naive_softmax,
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def outputs_and_targets(
    name: str, samples: int, outputs: int, networks: int | None = None, seed: int = 0
) -> tuple[Any, Any]:
    """Outputs (N, k) or (E, N, k), none near the hinge's kinks at -1 and 1, and targets (N, k)."""
    rng = np.random.default_rng(seed)
    if name in ("binary_cross_entropy", "hinge"):
        outputs = 1
    y = spread(seed, (*([networks] if networks else []), samples, outputs), shift=0.02)
    if name == "softmax_cross_entropy":
        return y, rng.integers(0, outputs, samples)
    if name == "mean_squared_error":
        return y, rng.standard_normal((samples, outputs))
    if name == "binary_cross_entropy":
        return y, rng.choice([0.0, 1.0, rng.random()], (samples, outputs))
    return y, rng.integers(0, 2, (samples, outputs)).astype(float)


def value_and_gradient(name: str, y: Any, targets: Any) -> tuple[Any, Any]:
    outputs = Tensor(y)
    loss = LOSSES[name](outputs, targets)
    loss.backward()
    return loss.numpy(), outputs.grad


@every_loss
@given(samples=st.integers(1, 5), outputs=st.integers(1, 4), seed=seeds)
def test_value_and_gradient_are_the_plain_formulas(
    name: str, samples: int, outputs: int, seed: int
) -> None:
    y, targets = outputs_and_targets(name, samples, outputs, seed=seed)
    loss, gradient = value_and_gradient(name, y, targets)
    expected_loss, expected_gradient = NAIVE[name](y, targets)
    assert loss.shape == () and loss.dtype == np.float64
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-14)


@every_loss
@pytest.mark.parametrize("networks", [None, 2])
def test_gradient_against_central_differences(name: str, networks: int | None) -> None:
    y, targets = outputs_and_targets(name, 4, 3, networks)
    check_gradients(lambda outputs: LOSSES[name](outputs, targets), Tensor(y))


@every_loss
@given(networks=st.integers(1, 3), samples=st.integers(1, 9), own=st.booleans(), seed=seeds)
@settings(max_examples=25)
def test_each_network_sees_its_own_loss_alone_bit_for_bit(
    name: str, networks: int, samples: int, own: bool, seed: int
) -> None:
    y, targets = outputs_and_targets(name, samples, 3, networks, seed)
    y = y.astype(np.float32)
    of_each = [outputs_and_targets(name, samples, 3, seed=seed + i)[1] for i in range(networks)]
    losses, gradients = value_and_gradient(name, y, np.stack(of_each) if own else targets)
    assert losses.shape == (networks,) and losses.dtype == gradients.dtype == np.float32
    for i in range(networks):
        loss, gradient = value_and_gradient(name, y[i], of_each[i] if own else targets)
        assert_same_bits(losses[i], loss)
        assert_same_bits(gradients[i], gradient)


EXTREMES = np.array([-1e4, -745, -104, -88.8, -17, -1e-4, 0, 1e-4, 17, 88.8, 104, 745, 1e4])


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "hinge", "mean_squared_error"])
def test_large_logits_in_float32_neither_overflow_nor_lose_the_small_losses(
    name: str, target: float
) -> None:
    exact = {
        "binary_cross_entropy": lambda z: np.logaddexp(0, z) - target * z,
        "hinge": lambda z: np.maximum(0, 1 - (2 * target - 1) * z),
        "mean_squared_error": lambda z: (z - target) ** 2,
    }[name]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for z in EXTREMES:
            loss, gradient = value_and_gradient(name, np.array([[z]], np.float32), [[target]])
            assert loss.dtype == gradient.dtype == np.float32
            np.testing.assert_allclose(loss, exact(np.float64(np.float32(z))), rtol=2e-6, atol=1e-7)
            assert np.isfinite(gradient).all()
            if name == "binary_cross_entropy":
                slope = np.exp(-np.logaddexp(0, -np.float64(z))) - target
                np.testing.assert_allclose(gradient, [[slope]], rtol=1e-4, atol=1e-7)


@given(classes=st.integers(1, 5), seed=seeds)
def test_softmax_cross_entropy_is_stable_and_ignores_a_common_shift(
    classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    z = rng.choice(EXTREMES, (6, classes)).astype(np.float32)
    labels = rng.integers(0, classes, 6)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, gradient = value_and_gradient("softmax_cross_entropy", z, labels)
    wide = z.astype(np.float64)
    exact = np.logaddexp.reduce(wide, axis=1) - wide[np.arange(6), labels]
    np.testing.assert_allclose(loss, exact.mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-6)
    shifted, _ = value_and_gradient("softmax_cross_entropy", z.astype(float) + 1000, labels)
    np.testing.assert_allclose(shifted, exact.mean(), rtol=1e-12, atol=1e-9)


def test_softmax_of_two_classes_is_binary_cross_entropy_of_their_difference() -> None:
    z, labels = spread(1, (7, 2)), np.array([0, 1, 1, 0, 1, 0, 0])
    of_two = softmax_cross_entropy(Tensor(z), labels).item()
    of_one = binary_cross_entropy(Tensor(z[:, 1:] - z[:, :1]), labels).item()
    assert of_two == pytest.approx(of_one, rel=1e-13)


@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_soft_target_is_the_probability_that_is_learned(ensemble: int | None) -> None:
    X, y = np.eye(4), np.array([0.0, 0.25, 0.6, 1.0])
    model = mlp((4, 1), ensemble=ensemble)
    fit(model, X, y, optimizer=Adam(model, 0.1), epochs=400, validation=(X, y))
    p = 1 / (1 + np.exp(-model.predict(X)[..., 0]))
    np.testing.assert_allclose(p, np.broadcast_to(y, p.shape), atol=0.03)


def test_hinge_has_gradient_0_at_its_kink_and_beyond() -> None:
    _, gradient = value_and_gradient("hinge", np.array([[1.0], [-1.0], [2.0], [0.5]]), [1, 0, 1, 1])
    assert gradient.tolist() == [[0], [0], [0], [-0.25]]


@every_loss
def test_the_loss_is_a_mean_and_scales_its_gradient_with_what_comes_after(name: str) -> None:
    y, targets = outputs_and_targets(name, 5, 3)
    loss, gradient = value_and_gradient(name, y, targets)
    twice, halves = value_and_gradient(name, np.tile(y, (2, 1)), np.concatenate([targets, targets]))
    np.testing.assert_allclose(twice, loss, rtol=1e-14)
    np.testing.assert_allclose(halves[:5], gradient / 2, rtol=1e-14)
    outputs = Tensor(np.stack([y, y]))
    (LOSSES[name](outputs, targets) * Tensor(np.array([3.0, -5.0]))).backward()
    np.testing.assert_allclose(outputs.grad, [3 * gradient, -5 * gradient], rtol=1e-14)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "hinge", "mean_squared_error"])
def test_a_flat_list_of_labels_is_the_column_and_never_an_n_by_n_table(name: str) -> None:
    y = spread(2, (4, 1)).astype(np.float32)
    column = value_and_gradient(name, y, np.array([[0.0], [1], [1], [0]], np.float32))
    for targets in (
        [0, 1, 1, 0],
        np.array([False, True, True, False]),
        np.array([0, 1, 1, 0], np.int64),
        np.array([0, 1, 1, 0], np.float64),
        Tensor([[0.0], [1], [1], [0]]),
    ):
        for actual, expected in zip(value_and_gradient(name, y, targets), column, strict=True):
            assert_same_bits(actual, expected)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_class_labels_of_any_whole_type(dtype: str) -> None:
    y = spread(3, (4, 3)).astype(np.float32)
    expected = value_and_gradient("softmax_cross_entropy", y, [2, 0, 1, 2])
    actual = value_and_gradient("softmax_cross_entropy", y, np.array([2, 0, 1, 2], dtype))
    assert_same_bits(actual[0], expected[0])
    assert_same_bits(actual[1], expected[1])


@pytest.mark.parametrize("loss", [binary_cross_entropy, hinge, mean_squared_error])
@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        ((4, 1), (3,)),
        ((4, 1), (1, 4)),
        ((4, 1), (4, 2)),
        ((4, 1), (1, 1)),
        ((4, 1), ()),
        ((4, 2), (4,)),
        ((2, 4, 1), (2, 4)),
        ((2, 4, 1), (3, 4, 1)),
        ((2, 4, 1), (1, 4, 1)),
    ],
)
def test_targets_that_would_broadcast_are_refused_with_both_shapes(
    loss: Callable, outputs: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    with refused(f"targets of shape {targets}", f"outputs of shape {outputs}"):
        loss(Tensor(np.zeros(outputs)), np.zeros(targets))


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (np.zeros(3, int), "(3,)"),
        (np.zeros((4, 1), int), "(4, 1)"),
        (np.zeros((2, 4), int), "(2, 4)"),
        (np.zeros((4, 3), int), "(4, 3)"),
        (np.zeros(4), "float64"),
        (np.zeros(4, bool), "bool"),
    ],
)
def test_class_labels_that_do_not_line_up_are_refused_with_both_shapes(
    labels: Any, named: str
) -> None:
    with refused("labels of shape", named, "logits of shape (4, 3)", "whole numbers of shape (4,)"):
        softmax_cross_entropy(Tensor(np.zeros((4, 3))), labels)


@every_loss
def test_no_samples_have_no_mean(name: str) -> None:
    with refused("(0, 1)", "no samples"):
        LOSSES[name](Tensor(np.zeros((0, 1))), np.zeros(0, int))
    with refused("(3,)", "(N, k)"):
        LOSSES[name](Tensor(np.zeros(3)), np.zeros(3, int))


def test_losses_by_name() -> None:
    assert get_loss("hinge") is hinge and get_loss(hinge) is hinge
    with refused("unknown loss 'binary_crossentropy'", "hinge", "mean 'binary_cross_entropy'?"):
        get_loss("binary_crossentropy")
    with pytest.raises(InputError):
        get_loss(None)  # type: ignore[arg-type]
