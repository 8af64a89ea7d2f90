"""fit(accumulate=k): one optimizer step for k mini-batches, as for one that holds them all."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, every_layer, network_with, refused
from networks import two_classes as classes

from scratchnet import SGD, Adam, Model, Tensor, fit, losses, mlp

MADE: dict[str, Callable[[Model], Any]] = {
    "sgd": lambda model: SGD(model, 0.3, momentum=0.9, weight_decay=0.01),
    "adam": lambda model: Adam(model, 0.02),
}


def weighted(loss: str, ensemble: int | None) -> dict[str, Any]:
    """Weights of which those of some mini-batches are all 0."""
    shape = (ensemble, 23) if ensemble else (23,)
    weights = np.random.default_rng(0).integers(0, 3, shape) * np.ones(shape)
    return {"loss": loss, "sample_weight": weights}


@pytest.mark.parametrize("optimizer", MADE.values(), ids=MADE)
@pytest.mark.parametrize("ensemble", [None, 1, 3])
@pytest.mark.parametrize("size, count", [(1, 4), (3, 2), (3, 5), (4, 99), (23, 2), (5, 1)])
@pytest.mark.parametrize("has_weights", [False, True])
def test_so_many_batches_are_one_batch_of_that_size(
    optimizer: Any, ensemble: int | None, size: int, count: int, has_weights: bool
) -> None:
    X, y = classes(23)
    options = weighted("binary_cross_entropy", ensemble) if has_weights else {}
    models = [mlp((2, 5, 1), "tanh", ensemble=ensemble, dtype="float64") for _ in range(2)]
    optimizers = [optimizer(model) for model in models]
    sizes: list[Any] = [{"batch_size": size, "accumulate": count}, {"batch_size": size * count}]
    parts, whole = (
        fit(model, X, y, optimizer=each, epochs=4, clip_norm=0.4, **options, **settings)
        for model, each, settings in zip(models, optimizers, sizes, strict=True)
    )
    assert optimizers[0].steps == optimizers[1].steps
    np.testing.assert_allclose(parts.loss, whole.loss, rtol=1e-9)
    np.testing.assert_allclose(
        models[0].parameter_buffer, models[1].parameter_buffer, rtol=1e-7, atol=1e-9
    )


@every_layer
@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_replay_has_the_bits_of_an_eager_training(layer: Any, ensemble: int | None) -> None:
    X, y = classes(23)
    kept = []
    for record in (True, False):
        model = network_with(layer, ensemble=ensemble)
        options: Any = {"batch_size": 3, "accumulate": 3, "clip_norm": 1.0, "record": record}
        kept.append((fit(model, X, y, epochs=4, **options).loss, model.state_dict()))
    assert_same_bits(kept[0][0], kept[1][0])
    assert_same_state(kept[0][1], kept[1][1])


def test_a_group_without_any_weight_gives_no_gradient() -> None:
    X, y = classes(8)
    model = mlp((2, 3, 1), ensemble=2)
    before = model.parameter_buffer.copy()
    weights = np.stack([np.eye(8)[0], np.ones(8)])
    optimizer = SGD(model, 0.1)
    options: Any = {"batch_size": 1, "accumulate": 4, "sample_weight": weights}
    fit(model, X, y, optimizer=optimizer, epochs=1, **options)
    assert optimizer.steps == 2 and np.isfinite(model.parameter_buffer).all()
    other = mlp((2, 3, 1), ensemble=2)
    fit(other, X, y, optimizer=SGD(other, 0.1), epochs=1, batch_size=4, sample_weight=weights)
    np.testing.assert_allclose(model.parameter_buffer, other.parameter_buffer, atol=1e-6)
    assert np.any(model.parameter_buffer[0] != before[0])


def test_the_learning_rate_of_a_step_counts_groups() -> None:
    X, y = classes(23)
    asked: set[int] = set()

    def schedule(step: int) -> float:
        asked.add(step)
        return 0.1

    model = mlp((2, 1))
    fit(model, X, y, epochs=2, batch_size=4, accumulate=4, optimizer=SGD(model, schedule))
    assert asked == {0, 1, 2, 3}  # six mini-batches are a group of four and one of two


@pytest.mark.parametrize("record", [True, False])
def test_a_training_goes_on_with_the_same_bits(record: bool) -> None:
    X, y = classes(23)
    states = []
    for stops in ([6], [2, 6]):
        model = mlp((2, 4, 1), dropout=0.2, ensemble=2)
        optimizer, first = Adam(model, 0.05), 0
        for stop in stops:
            options: Any = {"batch_size": 4, "accumulate": 4, "record": record}
            fit(model, X, y, optimizer=optimizer, epochs=stop, first_epoch=first, **options)
            first = stop
        states.append(model.state_dict())
    assert_same_state(states[0], states[1])


@pytest.mark.parametrize("record", [True, False])
def test_what_is_frozen_between_epochs_stays(record: bool) -> None:
    """Of three mini-batches two are a group and one is the next, so that the step on the last of a
    group is replayed before that on the others is."""
    X, y = classes(9)
    model = mlp((2, 4, 1))
    frozen = model.parameters()[0]
    kept: list[Any] = []

    def freezing(epoch: int, given: Model, loss: Any) -> None:
        if epoch == 1:
            frozen.requires_grad = False
            kept.append(frozen.data.copy())

    optimizer = Adam(model, 0.05, weight_decay=0.1)
    others = model.parameters()[2].data.copy()
    options: Any = {"batch_size": 3, "accumulate": 2, "record": record, "callbacks": [freezing]}
    fit(model, X, y, optimizer=optimizer, epochs=5, **options)
    assert_same_bits(frozen.data, kept[0])
    assert np.all(model.parameters()[2].data != others)


@pytest.mark.parametrize("record", [True, False])
def test_what_an_interrupted_group_reached_is_no_part_of_a_later_step(record: bool) -> None:
    X, y = classes(9)
    model = mlp((2, 4, 1))
    passes = []

    def interrupting(outputs: Tensor, targets: Any) -> Tensor:
        passes.append(outputs)
        if len(passes) == 2:
            raise KeyboardInterrupt
        return losses.binary_cross_entropy(outputs, targets)

    options: Any = {"batch_size": 3, "accumulate": 3, "record": record}
    history = fit(model, X, y[:, None], loss=interrupting, **options)
    assert history.stopped == "interrupted" and history.epochs == 0
    frozen = model.parameters()[0]
    frozen.requires_grad = False
    before = frozen.data.copy()
    fit(model, X, y, epochs=2, record=record, optimizer=Adam(model, weight_decay=0.1))
    assert_same_bits(frozen.data, before)


def test_a_network_that_diverges_does_not_disturb_the_others() -> None:
    X, y = classes(12)
    alone, together = mlp((2, 3, 1), seed=[1]), mlp((2, 3, 1), seed=[1, 2], ensemble=2)
    options: Any = {"batch_size": 3, "accumulate": 2, "epochs": 4}
    together.parameter_buffer[1] = 1e38
    with pytest.warns(RuntimeWarning, match="network 1: the loss was not finite at epoch 0"):
        history = fit(together, X, y, **options)
    expected = fit(alone, X, y, **options)
    assert_same_bits(history.loss[:, 0], expected.loss.reshape(4))
    assert_same_bits(together.parameter_buffer[0], alone.parameter_buffer.reshape(-1))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"accumulate": 2}, ("accumulate is 2 without a batch_size", "must be 1")),
        ({"accumulate": 2, "batch_size": 3, "compile": True}, ("accumulate", "compile=True")),
        ({"accumulate": 0, "batch_size": 3}, ("accumulate", "0")),
        ({"accumulate": 1.5, "batch_size": 3}, ("accumulate", "1.5")),
    ],
)
def test_refused_settings(options: dict[str, Any], parts: tuple[str, ...]) -> None:
    X, y = classes(9)
    with refused(*parts):
        fit(mlp((2, 1)), X, y, **options)
