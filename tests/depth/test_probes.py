"""Probes and principal components on outputs whose answer is known."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import two_classes

from scratchnet import InputError, mlp
from scratchnet.depth.probes import (
    GRADIENT_TOLERANCE,
    PENALTY,
    fit_probe,
    principal_components,
    probe_accuracy,
    probe_layers,
    t_sne,
)
from scratchnet.layer_statistics import hidden_layers


def clusters(classes: int, units: int, points: int, seed: int, noise: float = 0.1) -> Any:
    """Points (classes * points, units) around corners of a simplex: linearly separable."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes), points)
    return np.eye(classes, units)[y] + noise * rng.uniform(-1, 1, (len(y), units)), y


# Linear probes


@given(
    classes=st.integers(2, 6),
    extra=st.integers(0, 4),
    seed=st.integers(0, 1000),
    scale=st.floats(1e-3, 1e3),
    offset=st.floats(-10, 10),
)
@settings(deadline=None, max_examples=25)
def test_separable_outputs_are_read_without_error_at_any_scale(
    classes: int, extra: int, seed: int, scale: float, offset: float
) -> None:
    A, y = clusters(classes, classes + extra, 15, seed)
    A_test, y_test = clusters(classes, classes + extra, 20, seed + 1)
    found = probe_accuracy(scale * (A + offset), y, scale * (A_test + offset), y_test)
    assert (found.train, found.test, found.converged) == (1.0, 1.0, True)


@pytest.mark.parametrize("classes", [2, 5])
def test_noise_is_read_at_chance(classes: int) -> None:
    rng = np.random.default_rng(0)
    A, A_test = rng.standard_normal((2, 4, 500, 6))
    y, y_test = rng.integers(0, classes, (2, 500))
    found = probe_accuracy(A, y, A_test, y_test)
    # Four standard deviations of a share of 2,000 at chance.
    chance = 1 / classes
    assert abs(found.test.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / 2000)


def test_classes_that_no_line_separates_are_not_separated() -> None:
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    A, y = np.repeat(corners, 25, axis=0), np.repeat([0, 1, 1, 0], 25)
    assert fit_probe(A, y).accuracy(A, y) <= 0.75
    lifted = np.column_stack([A, A[:, 0] * A[:, 1]])
    assert fit_probe(lifted, y).accuracy(lifted, y) == 1.0


def test_the_probe_is_the_minimum_that_its_docstring_states() -> None:
    A, y = two_classes(80)
    A = np.column_stack([A, A[:, 0] ** 2])
    penalty = 0.02
    probe = fit_probe(A, y, penalty)
    Z = (A - A.mean(axis=0)) / A.std(axis=0)

    def objective(W: Any, b: Any) -> float:
        scores = Z @ W + b
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), y]
        return float(losses.mean() + penalty / 2 * (W**2).sum())

    least = objective(probe.weight, probe.bias)
    rng = np.random.default_rng(1)
    for _ in range(50):
        dW, db = rng.standard_normal(probe.weight.shape), rng.standard_normal(probe.bias.shape)
        for step in (1e-3, 1e-1):
            assert objective(probe.weight + step * dW, probe.bias + step * db) > least - 1e-9


def test_the_probe_agrees_with_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="the extra 'data'")
    A, y = clusters(4, 5, 40, seed=3, noise=1.5)
    probe = fit_probe(A, y)
    Z = (A - A.mean(axis=0)) / A.std(axis=0)
    other = linear.LogisticRegression(C=1 / (PENALTY * len(y)), tol=1e-10, max_iter=5000).fit(Z, y)
    np.testing.assert_allclose(probe.weight.T, other.coef_, atol=5e-3)
    np.testing.assert_array_equal(probe.predict(A), other.predict(Z))


def test_convergence_is_told_from_the_gradient() -> None:
    A, y = clusters(3, 4, 20, seed=0, noise=1.0)
    probe = fit_probe(A, y)
    assert probe.converged and probe.largest_gradient <= GRADIENT_TOLERANCE
    assert probe.iterations > 1


def test_units_that_never_change_do_not_matter() -> None:
    A, y = clusters(3, 4, 20, seed=0, noise=1.0)
    dead = np.column_stack([A, np.zeros(len(A)), np.full(len(A), 0.1)])
    plain, with_dead = fit_probe(A, y), fit_probe(dead, y)
    np.testing.assert_allclose(with_dead.weight[:4], plain.weight, atol=1e-4)
    np.testing.assert_array_equal(with_dead.weight[4:], 0)
    assert np.isfinite(with_dead.predict(dead + 1)).all()


def test_an_ensemble_has_the_probes_of_its_networks() -> None:
    X, y = two_classes(60, networks=3)
    X_test, y_test = two_classes(50, seed=1, networks=3)
    y_test = (X_test[0, :, 0] > 0).astype(int)
    together = probe_layers(mlp([2, 8, 8, 1], ensemble=3), X, y, X_test, y_test)
    for network in range(3):
        model = mlp([2, 8, 8, 1], seed=network)
        alone = probe_layers(model, X[network], y, X_test[network], y_test)
        assert list(alone) == list(together) == list(hidden_layers(model))
        for name, accuracy in alone.items():
            assert accuracy.train == together[name].train[network]
            assert accuracy.test == together[name].test[network]


def test_any_layer_can_be_probed() -> None:
    X, y = two_classes(60)
    found = probe_layers(mlp([2, 8, 1]), X, y, X, y, layers=["0", "2"])
    assert list(found) == ["0", "2"]


def test_a_network_that_diverged_has_no_accuracy() -> None:
    A, y = clusters(2, 3, 10, seed=0)
    broken = A.copy()
    broken[3, 1] = np.nan
    found = probe_accuracy(np.stack([A, broken]), y, np.stack([A, A]), y)
    assert found.test[0] == 1.0 and np.isnan(found.test[1]) and np.isnan(found.train[1])
    assert found.converged.all()
    on_test = probe_accuracy(A, y, broken, y)
    assert np.isnan(on_test.train) and np.isnan(on_test.test) and on_test.converged
    with pytest.raises(ValueError, match="shorter"):
        probe_accuracy(np.stack([A, A]), y, A[None], y)


# Principal components


@given(seed=st.integers(0, 1000), units=st.integers(3, 6))
@settings(deadline=None, max_examples=30)
def test_components_are_those_of_a_known_rotation(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((units, units)))[0]
    deviations = 2.0 ** -np.arange(units)
    # Orthonormal columns of mean 0, so that the sample has these deviations exactly.
    columns = rng.standard_normal((50, units))
    columns = np.linalg.qr(columns - columns.mean(axis=0))[0]
    A = columns * deviations @ rotation.T + 7
    found = principal_components(A, 3)
    np.testing.assert_allclose(found.mean, 7)
    np.testing.assert_allclose(np.abs(found.components @ rotation[:, :3]), np.eye(3), atol=1e-9)
    shares = deviations**2 / (deviations**2).sum()
    np.testing.assert_allclose(found.explained, shares[:3])
    np.testing.assert_allclose(np.abs(found.transform(A)), np.abs(columns * deviations)[:, :3])


def test_all_components_give_the_rows_back_and_the_sign_is_settled() -> None:
    A = np.random.default_rng(0).standard_normal((9, 4))
    found = principal_components(A, 4)
    np.testing.assert_allclose(found.transform(A) @ found.components + found.mean, A)
    np.testing.assert_allclose(principal_components(-A, 4).components, found.components)
    assert (found.components.max(axis=1) >= -found.components.min(axis=1)).all()


def test_rows_that_do_not_vary_explain_nothing() -> None:
    found = principal_components(np.ones((5, 3)))
    assert found.explained.tolist() == [0, 0]
    assert found.transform(np.ones((5, 3))).tolist() == [[0, 0]] * 5


# t-SNE


def test_t_sne_keeps_clusters_together() -> None:
    pytest.importorskip("sklearn", reason="t-SNE comes with scikit-learn, the extra 'data'")
    A, y = clusters(3, 5, 20, seed=0)
    places = t_sne(A, perplexity=10)
    assert places.shape == (60, 2)
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(y[distances.argmin(axis=1)], y)
    np.testing.assert_array_equal(t_sne(A, perplexity=10), places)


def test_t_sne_without_scikit_learn_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(InputError, match=r"t-SNE needs scikit-learn.*'\.\[data\]'"):
        t_sne(np.eye(5), perplexity=2)


ROWS, LABELS = np.eye(4), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_probe(LABELS, LABELS), r"outputs of shape \(4,\)"),
        (lambda: fit_probe(ROWS, LABELS[:3]), r"labels of shape \(3,\) for 4 rows"),
        (lambda: fit_probe(ROWS * np.nan, LABELS), "not all finite"),
        (lambda: fit_probe(ROWS, LABELS - 1), "whole numbers from 0"),
        (lambda: fit_probe(ROWS, LABELS / 2), "whole numbers from 0"),
        (lambda: fit_probe(ROWS, LABELS, penalty=-1), "penalty of a probe is -1"),
        (lambda: principal_components(ROWS, 5), "5 principal components of outputs of shape"),
        (lambda: principal_components(ROWS, 0), "components is 0"),
        (lambda: principal_components(ROWS + np.inf), "not all finite"),
        (lambda: t_sne(ROWS, perplexity=4), "perplexity is 4 for 4 rows"),
        (lambda: t_sne(LABELS), r"t-SNE of outputs of shape \(4,\)"),
        (
            lambda: probe_layers(mlp([4, 3, 1]), ROWS, LABELS, ROWS, LABELS, ["7"]),
            "layer '7' of a probe: the model has 0, 1, 2",
        ),
    ],
)
def test_bad_arguments_get_one_line(call: Callable, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
