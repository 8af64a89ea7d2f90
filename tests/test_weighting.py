"""Weights of samples and classes: repeated samples, whichever way a step runs."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes

from scratchnet import SGD, Adam, Model, Tensor, evaluate_loss, fit, losses, mlp, ops
from scratchnet.backends.compile import compiler_available
from scratchnet.losses import LOSSES

NETWORKS = 3
X, y = two_classes(11)
WEIGHTS = np.random.default_rng(0).choice([0.0, 0.5, 1.0, 3.0], 11)
OWN_WEIGHTS = np.random.default_rng(1).choice([0.5, 1.0, 3.0], (NETWORKS, 11))


def model_for(loss: Any, **options: Any) -> Model:
    outputs = 2 if losses.base(loss) is LOSSES["softmax_cross_entropy"] else 1
    return mlp((2, 5, outputs), "tanh", seed=3, **options)


def own_loss(outputs: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """Absolute error, written out; a mini-batch whose weights are all 0 gives 0."""
    w = Tensor(weights, requires_grad=False)
    errors = abs(outputs - Tensor(targets, outputs.dtype, requires_grad=False))
    return ops.sum(w * errors, axis=(-2, -1)) / ops.maximum(ops.sum(w, axis=(-2, -1)), 1e-9)


SMOOTHED = partial(losses.softmax_cross_entropy, label_smoothing=0.1)
EVERY_LOSS = {name: LOSSES[name] for name in LOSSES} | {"smoothed": SMOOTHED, "own": own_loss}
every_loss = pytest.mark.parametrize("loss", EVERY_LOSS.values(), ids=EVERY_LOSS)


@every_loss
def test_whole_weights_train_as_repeated_samples_do(loss: Any) -> None:
    counts = np.random.default_rng(0).integers(0, 4, 11)
    weighted, repeated = (model_for(loss, dtype="float64") for _ in range(2))
    options: dict[str, Any] = {"loss": loss, "epochs": 25}
    history = fit(weighted, X, y, sample_weight=counts, optimizer=SGD(weighted, 0.1), **options)
    if loss is own_loss:
        options["sample_weight"] = np.ones(counts.sum())
    rows = np.repeat(np.arange(11), counts)
    expected = fit(repeated, X[rows], y[rows], optimizer=SGD(repeated, 0.1), **options)
    np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-9)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7, atol=1e-9)


@every_loss
@pytest.mark.parametrize("form", [{0: 0.5, 1: 4.0}, [0.5, 4], np.array([0.5, 4.0]), (0.5, 4, 9)])
def test_the_weight_of_a_class_is_that_of_its_samples(loss: Any, form: Any) -> None:
    by_class, by_sample = model_for(loss), model_for(loss)
    options: dict[str, Any] = {"loss": loss, "epochs": 5, "batch_size": 4}
    found = fit(by_class, X, y, class_weight=form, sample_weight=WEIGHTS, **options)
    each = np.where(y == 1, 4.0, 0.5) * WEIGHTS
    expected = fit(by_sample, X, y, sample_weight=each, **options)
    assert_same_bits(found.loss, expected.loss)
    assert_same_state(by_class.state_dict(), by_sample.state_dict())


@every_loss
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_each_network_as_alone_and_recorded_as_eager(
    loss: Any, batch_size: int | None, own: bool
) -> None:
    weights: Any = OWN_WEIGHTS if own else WEIGHTS
    options: dict[str, Any] = {"loss": loss, "epochs": 6, "batch_size": batch_size}
    together, eager = (model_for(loss, ensemble=NETWORKS) for _ in range(2))
    history = fit(together, X, y, sample_weight=weights, **options)
    plain = fit(eager, X, y, sample_weight=weights, record=False, **options)
    assert_same_bits(history.loss, plain.loss)
    assert_same_state(together.state_dict(), eager.state_dict())
    for i in range(NETWORKS):
        alone = mlp((2, 5, together(X).shape[-1]), "tanh", seed=3 + i)
        each = weights[i] if own else weights
        expected = fit(alone, X, y, sample_weight=each, **options)
        assert_same_bits(history.loss[:, i], expected.loss)
        assert_same_state(together.state_dict(i), alone.state_dict())


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge", "mean_squared_error"])
def test_classes_of_each_network(loss: str) -> None:
    labels = np.random.default_rng(2).integers(0, 2, (NETWORKS, 11))
    by_class, by_sample = (model_for(LOSSES[loss], ensemble=NETWORKS) for _ in range(2))
    own = labels if loss == "softmax_cross_entropy" else labels[..., None]
    options: dict[str, Any] = {"loss": loss, "epochs": 4, "batch_size": 3}
    found = fit(by_class, X, own, class_weight=[1, 3], **options)
    expected = fit(by_sample, X, own, sample_weight=1.0 + 2 * labels, **options)
    assert_same_bits(found.loss, expected.loss)


@pytest.mark.parametrize("ensemble", [None, 2])
def test_the_loss_of_an_epoch_is_the_weighted_mean_over_all_samples(ensemble: int | None) -> None:
    model = model_for(losses.hinge, ensemble=ensemble, dtype="float64")
    before = losses.hinge(model(X), y, weights=WEIGHTS).numpy()
    still = SGD(model, 1e-12)
    history = fit(
        model, X, y, loss="hinge", sample_weight=WEIGHTS, optimizer=still, batch_size=3, epochs=2
    )
    np.testing.assert_allclose(history.loss, np.stack([before, before]), rtol=1e-9)


def test_the_validation_loss_is_not_weighted() -> None:
    model = mlp((2, 3, 1))
    history = fit(model, X, y, sample_weight=WEIGHTS, validation=(X, y), epochs=3)
    assert history.validation_loss[-1] == evaluate_loss(model, X, y, "binary_cross_entropy")


def test_a_rare_class_that_counts_more_is_found_more_often() -> None:
    rng = np.random.default_rng(0)
    rare = (np.arange(200) < 20).astype(int)
    points = rng.standard_normal((200, 1)) + rare[:, None]
    found = []
    for weight in (1.0, 9.0):
        model = mlp((1, 1))
        options: Any = {"optimizer": Adam(model, 0.1), "epochs": 200}
        fit(model, points, rare, class_weight={0: 1.0, 1: weight}, **options)
        found.append((model.predict(points)[rare == 1, 0] > 0).mean())
    assert found[0] < 0.3 and found[1] > 0.6


@pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
@pytest.mark.filterwarnings("error:the step is replayed")
@pytest.mark.parametrize("name", ["binary_cross_entropy", "huber", "smoothed", "own"])
@pytest.mark.parametrize(("batch_size", "ensemble"), [(None, None), (4, 2)])
def test_compiled(name: str, batch_size: int | None, ensemble: int | None) -> None:
    loss = EVERY_LOSS[name]
    options: dict[str, Any] = {"loss": loss, "epochs": 6, "batch_size": batch_size}
    compiled, replayed = (model_for(loss, dtype="float64", ensemble=ensemble) for _ in range(2))
    found = fit(compiled, X, y, sample_weight=WEIGHTS, compile=True, **options)
    expected = fit(replayed, X, y, sample_weight=WEIGHTS, **options)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-9)


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "too few": ({"sample_weight": np.ones(10)}, ("sample_weight of shape (10,)", "(11,)")),
    "a row": ({"sample_weight": np.ones((1, 11))}, ("sample_weight of shape (1, 11)",)),
    "a number": ({"sample_weight": 2.0}, ("sample_weight of shape ()", "(11,)")),
    "below 0": ({"sample_weight": np.arange(11) - 1}, ("sample_weight holds -1.0", "at least 0")),
    "NaN": ({"sample_weight": [np.nan] * 11}, ("sample_weight", "nan", "finite")),
    "words": ({"sample_weight": ["a"] * 11}, ("sample_weight of type",)),
    "all 0": ({"sample_weight": np.zeros(11)}, ("all weights are 0",)),
    "all 0 together": (
        {"sample_weight": y, "class_weight": [1, 0]},
        ("all weights are 0", "above 0"),
    ),
    "a class without": ({"class_weight": {0: 1.0}}, ("class_weight", "label 1")),
    "too short": ({"class_weight": [1.0]}, ("class_weight", "label 1")),
    "a class below 0": ({"class_weight": [1, -2]}, ("class_weight[1] is -2",)),
    "a class of infinity": ({"class_weight": {0: 1, 1: np.inf}}, ("class_weight[1] is inf",)),
    "a word": ({"class_weight": "balanced"}, ("class_weight is 'balanced'", "{0: 1, 1: 5}")),
    "one number": ({"class_weight": 3}, ("class_weight is 3", "{0: 1, 1: 5}")),
    "no classes": (
        {"class_weight": [1, 1], "y": y / 2, "loss": "mean_squared_error"},
        ("class_weight without classes", "whole number for each sample"),
    ),
    "a loss without weights": (
        {"sample_weight": np.ones(11), "loss": lambda outputs, targets: outputs.sum()},
        ("'<lambda>'", "`weights`"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_that_are_none_are_refused_before_anything_changes(case: str) -> None:
    options, parts = REFUSED[case]
    model = mlp((2, 3, 1))
    before = model.state_dict()
    with refused(*parts):
        fit(model, X, **({"y": y} | options))
    assert_same_state(model.state_dict(), before)


def test_weights_of_several_outputs_and_of_networks_are_refused_where_they_do_not_fit() -> None:
    with refused("class_weight without classes"):
        fit(mlp((2, 2)), X, X, loss="mean_squared_error", class_weight=[1, 2])
    with refused("sample_weight of shape (2, 11)"):
        fit(mlp((2, 1), ensemble=3), X, y, sample_weight=np.ones((2, 11)))
