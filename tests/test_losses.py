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
    FORMULAS,
    LOSSES,
    binary_cross_entropy,
    get_loss,
    hinge,
    huber,
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


def naive_absolute_error(y: Any, t: Any) -> tuple[Any, Any]:
    return np.abs(y - t).mean(), np.where(y > t, 1, -1) / y.size


def naive_huber(y: Any, t: Any, delta: float = 1.0) -> tuple[Any, Any]:
    d = y - t
    inside, slopes = np.abs(d) <= delta, np.where(d > 0, delta, -delta)
    losses = np.where(inside, d**2 / 2, delta * (np.abs(d) - delta / 2))
    return losses.mean(), np.where(inside, d, slopes) / y.size


def naive_softmax(z: Any, labels: Any) -> tuple[Any, Any]:
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    onehot = np.eye(z.shape[1])[labels]
    return -np.log(p[np.arange(len(z)), labels]).mean(), (p - onehot) / len(z)


Naive = Callable[[Any, Any], tuple[Any, Any]]
NAIVE: dict[str, Naive] = {
    "binary_cross_entropy": naive_cross_entropy,
    "hinge": naive_hinge,
    "mean_squared_error": naive_squared_error,
    "mean_absolute_error": naive_absolute_error,
    "huber": naive_huber,
    "softmax_cross_entropy": naive_softmax,
}
REGRESSION = ("mean_squared_error", "mean_absolute_error", "huber")
every_loss = pytest.mark.parametrize("name", LOSSES)


def outputs_and_targets(
    name: str, samples: int, outputs: int, networks: int | None = None, seed: int = 0
) -> tuple[Any, Any]:
    """Outputs (N, k) or (E, N, k), none near a kink, and targets (N, k), or (N,) for labels."""
    rng = np.random.default_rng(seed)
    if name in ("binary_cross_entropy", "hinge"):
        outputs = 1
    y = spread(seed, (*([networks] if networks else []), samples, outputs), shift=0.02)
    if name == "softmax_cross_entropy":
        return y, rng.integers(0, outputs, samples)
    if name in REGRESSION:
        # `spread` is 0.02 away from all multiples of 0.05, and so no difference is near 0 or 1.
        return y, rng.integers(-20, 20, (samples, outputs)) / 10
    if name == "binary_cross_entropy":
        return y, rng.choice([0.0, 1.0, rng.random()], (samples, outputs))
    return y, rng.integers(0, 2, (samples, outputs)).astype(float)


def value_and_gradient(name: str, y: Any, targets: Any, **options: Any) -> tuple[Any, Any]:
    outputs = Tensor(y)
    loss = LOSSES[name](outputs, targets, **options)
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


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "huber": [{}, {"delta": 0.25}, {"delta": 2}],
    "softmax_cross_entropy": [{}, {"label_smoothing": 0.3}],
}
every_option = pytest.mark.parametrize(
    ("name", "options"), [(name, each) for name in LOSSES for each in OPTIONS.get(name, [{}])]
)


def sample_weights(shape: tuple[int, ...], seed: int) -> Any:
    """Some of them 0, but not all of a network's."""
    rng = np.random.default_rng(seed)
    weights = rng.choice([0, 0.5, 1, 3], shape) * rng.uniform(0.5, 1, shape)
    weights[..., rng.integers(shape[-1])] = 0.7
    return weights


def distribution(labels: Any, classes: int, label_smoothing: float = 0.0) -> Any:
    return (1 - label_smoothing) * np.eye(classes)[labels] + label_smoothing / classes


@every_option
@given(
    networks=st.none() | st.integers(1, 3),
    samples=st.integers(1, 5),
    outputs=st.integers(1, 4),
    weighted=st.booleans(),
    seed=seeds,
)
@settings(deadline=None)
def test_a_loss_is_the_mean_of_its_formula_with_the_derivative_that_backward_finds(
    name: str,
    options: dict[str, Any],
    networks: int | None,
    samples: int,
    outputs: int,
    weighted: bool,
    seed: int,
) -> None:
    y, targets = outputs_and_targets(name, samples, outputs, networks, seed)
    weights = sample_weights((samples,), seed) if weighted else np.ones(samples)
    given_weights = {"weights": weights} if weighted else {}
    loss, gradient = value_and_gradient(name, y, targets, **given_weights, **options)

    if name == "softmax_cross_entropy":
        targets, options = distribution(targets, y.shape[-1], **options), {}
    z = Tensor(y)
    errors = FORMULAS[name](z, Tensor(targets, "float64", requires_grad=False), **options)
    mean = (errors * weights[:, None]).sum((-2, -1)) / (weights.sum() * errors.shape[-1])
    mean.backward()
    np.testing.assert_allclose(loss, mean.numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient, z.grad, rtol=1e-12, atol=1e-14)


@every_option
@given(
    networks=st.none() | st.integers(1, 2),
    samples=st.integers(1, 4),
    outputs=st.integers(1, 3),
    weighted=st.booleans(),
    seed=seeds,
)
@settings(deadline=None, max_examples=20)
def test_gradient_against_central_differences(
    name: str,
    options: dict[str, Any],
    networks: int | None,
    samples: int,
    outputs: int,
    weighted: bool,
    seed: int,
) -> None:
    y, targets = outputs_and_targets(name, samples, outputs, networks, seed)
    weights = sample_weights(y.shape[:-1], seed) if weighted else None
    check_gradients(
        lambda outputs: LOSSES[name](outputs, targets, weights=weights, **options), Tensor(y)
    )


@every_option
@given(
    networks=st.integers(1, 3),
    samples=st.integers(1, 9),
    own=st.booleans(),
    weights=st.sampled_from(["none", "shared", "own"]),
    seed=seeds,
)
@settings(max_examples=25)
def test_each_network_sees_its_own_loss_alone_bit_for_bit(
    name: str,
    options: dict[str, Any],
    networks: int,
    samples: int,
    own: bool,
    weights: str,
    seed: int,
) -> None:
    y, targets = outputs_and_targets(name, samples, 3, networks, seed)
    y = y.astype(np.float32)
    of_each = [outputs_and_targets(name, samples, 3, seed=seed + i)[1] for i in range(networks)]
    w = sample_weights((networks, samples) if weights == "own" else (samples,), seed)
    weighted: dict[str, Any] = {} if weights == "none" else {"weights": w}
    losses, gradients = value_and_gradient(
        name, y, np.stack(of_each) if own else targets, **weighted, **options
    )
    assert losses.shape == (networks,) and losses.dtype == gradients.dtype == np.float32
    for i in range(networks):
        if weights == "own":
            weighted = {"weights": w[i]}
        loss, gradient = value_and_gradient(
            name, y[i], of_each[i] if own else targets, **weighted, **options
        )
        assert_same_bits(losses[i], loss)
        assert_same_bits(gradients[i], gradient)


# Weights, label smoothing and delta, in the formulas of PyTorch's documentation


@every_option
@pytest.mark.parametrize("form", [lambda w: w, lambda w: w[:, None], list, Tensor])
def test_whole_weights_repeat_the_samples(name: str, options: dict[str, Any], form: Any) -> None:
    y, targets = outputs_and_targets(name, 4, 3)
    counts = np.array([2, 0, 1, 3])
    loss, gradient = value_and_gradient(
        name, y, targets, weights=form(counts.astype(float)), **options
    )
    repeated = np.repeat(np.arange(4), counts)
    expected, parts = value_and_gradient(name, y[repeated], targets[repeated], **options)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    together = np.zeros_like(y)
    np.add.at(together, repeated, parts)
    np.testing.assert_allclose(gradient, together, rtol=1e-13)
    # A common factor changes nothing.
    scaled, _ = value_and_gradient(name, y, targets, weights=counts * 0.37, **options)
    np.testing.assert_allclose(scaled, expected, rtol=1e-13)


@given(classes=st.integers(1, 5), smoothing=st.floats(0, 0.99), seed=seeds)
def test_label_smoothing_and_a_weight_per_class_as_in_cross_entropy_loss(
    classes: int, smoothing: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    z, labels = spread(seed, (6, classes)), rng.integers(0, classes, 6)
    log_p = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    of_label, of_all = -log_p[np.arange(6), labels], -log_p.mean(axis=1)
    loss, _ = value_and_gradient("softmax_cross_entropy", z, labels, label_smoothing=smoothing)
    expected = (1 - smoothing) * of_label.mean() + smoothing * of_all.mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    of_class = rng.uniform(0.1, 3, classes)[labels]
    loss, _ = value_and_gradient("softmax_cross_entropy", z, labels, weights=of_class)
    np.testing.assert_allclose(loss, (of_class * of_label).sum() / of_class.sum(), rtol=1e-12)


def test_label_smoothing_is_least_at_the_smoothed_distribution() -> None:
    labels = np.array([2, 0])
    q = distribution(labels, 3, 0.3)
    np.testing.assert_allclose(q, [[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]], rtol=1e-15)
    loss, gradient = value_and_gradient(
        "softmax_cross_entropy", np.log(q), labels, label_smoothing=0.3
    )
    np.testing.assert_allclose(loss, -(q * np.log(q)).sum() / 2, rtol=1e-13)
    np.testing.assert_allclose(gradient, 0, atol=1e-15)


def test_absolute_error_and_huber_at_their_kinks() -> None:
    y = np.array([[-2.0], [-0.5], [0.0], [0.5], [2.0]])
    loss, gradient = value_and_gradient("mean_absolute_error", y, np.zeros(5))
    assert loss == 1 and (5 * gradient).ravel().tolist() == [-1, -1, 0, 1, 1]
    loss, gradient = value_and_gradient("huber", y, np.zeros(5), delta=0.5)
    assert (5 * gradient).ravel().tolist() == [-0.5, -0.5, 0, 0.5, 0.5]
    assert 5 * loss == pytest.approx(2 * 0.5 * (2 - 0.25) + 2 * 0.125)


def test_samples_of_weight_0_change_nothing_and_only_such_samples_give_0() -> None:
    for name in LOSSES:
        y, targets = outputs_and_targets(name, 4, 3)
        weights = [1.0, 0.0, 2.0, 0.0]
        expected = value_and_gradient(name, y, targets, weights=weights)
        y[1] *= np.inf
        with np.errstate(invalid="ignore"):
            found = value_and_gradient(name, y, targets, weights=weights)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        y[1] = 0
        loss, gradient = value_and_gradient(name, y, targets, weights=np.zeros(4))
        assert loss == 0 and not gradient.any()


@pytest.mark.parametrize("delta", [0, -1.0, float("inf"), float("nan"), "1", None])
def test_a_delta_of_huber_is_above_0(delta: Any) -> None:
    with refused(f"delta of the Huber loss is {delta!r}", "must be finite and above 0"):
        huber(Tensor(np.zeros((2, 1))), np.zeros(2), delta=delta)


@pytest.mark.parametrize("smoothing", [1.0, -0.1, float("nan"), None])
def test_label_smoothing_is_below_1(smoothing: Any) -> None:
    with refused(f"label_smoothing is {smoothing!r}", "from 0 to below 1"):
        softmax_cross_entropy(Tensor(np.zeros((2, 3))), [0, 1], label_smoothing=smoothing)


@every_loss
@pytest.mark.parametrize("shape", [(), (1,), (5,), (1, 4), (4, 4), (4, 1, 1)])
def test_weights_that_do_not_line_up_are_refused(name: str, shape: tuple[int, ...]) -> None:
    y, targets = outputs_and_targets(name, 4, 1)
    with refused(f"weights of shape {shape}", "outputs of shape (4, 1)", "must be (4,)"):
        value_and_gradient(name, y, targets, weights=np.ones(shape))


# Extremes and relations


EXTREMES = np.array([-1e4, -745, -104, -88.8, -17, -1e-4, 0, 1e-4, 17, 88.8, 104, 745, 1e4])


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "softmax_cross_entropy"])
def test_large_logits_in_float32_neither_overflow_nor_lose_the_small_losses(
    name: str, target: float
) -> None:
    exact = {
        "binary_cross_entropy": lambda z: np.logaddexp(0, z) - target * z,
        "hinge": lambda z: np.maximum(0, 1 - (2 * target - 1) * z),
        "mean_squared_error": lambda z: (z - target) ** 2,
        "mean_absolute_error": lambda z: np.abs(z - target),
        "huber": lambda z: naive_huber(z, np.float64(target))[0],
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


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "softmax_cross_entropy"])
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


@pytest.mark.parametrize("loss", [x for x in LOSSES.values() if x is not softmax_cross_entropy])
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
