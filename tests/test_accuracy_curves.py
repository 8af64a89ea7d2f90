"""fit(accuracy=True): the curves are what accuracy() says after each epoch, and change nothing."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes

from scratchnet import Adam, Model, Tensor, accuracy, fit, losses, mlp
from scratchnet.backends.compile import compiler_available

NO_COMPILER = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
WAYS: list[Any] = [{}, {"record": False}, pytest.param({"compile": True}, marks=NO_COMPILER)]


def own_loss(outputs: Tensor, targets: Any) -> Tensor:
    return losses.mean_squared_error(outputs, targets)


def own_softmax(outputs: Tensor, targets: Any) -> Tensor:
    return losses.softmax_cross_entropy(outputs, targets)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("ensemble", [None, 1, 3])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_curves_are_those_of_a_callback(
    options: dict[str, Any], ensemble: int | None, batch_size: int | None
) -> None:
    (X, y), held_out = two_classes(30), two_classes(17, seed=1)
    models = [mlp((2, 6, 1), batch_norm=True, dropout=0.2, ensemble=ensemble) for _ in range(2)]
    noted: list[tuple[Any, Any]] = []

    def noting(epoch: int, model: Model, loss: Any) -> None:
        noted.append((accuracy(model, X, y), accuracy(model, *held_out)))

    settings: Any = {"epochs": 12, "batch_size": batch_size, **options}
    extras: list[Any] = [{"accuracy": True}, {"callbacks": [noting]}]
    with_curves, with_callback = (
        fit(model, X, y, optimizer=Adam(model, 0.05), validation=held_out, **settings, **each)
        for model, each in zip(models, extras, strict=True)
    )
    lead = (ensemble,) if ensemble else ()
    assert with_curves.accuracy.shape == with_curves.validation_accuracy.shape == (12, *lead)
    assert_same_bits(with_curves.accuracy, [each for each, _ in noted])
    assert_same_bits(with_curves.validation_accuracy, [each for _, each in noted])
    assert len(np.unique(with_curves.accuracy)) > 1
    assert_same_bits(with_curves.loss, with_callback.loss)
    assert_same_state(models[0].state_dict(), models[1].state_dict())


@pytest.mark.parametrize("options", WAYS)
def test_the_whole_set_without_validation(options: dict[str, Any]) -> None:
    X, y = two_classes(30)
    models = [mlp((2, 6, 1)) for _ in range(2)]
    curve, off = (
        fit(model, X, y, optimizer=Adam(model, 0.05), epochs=9, accuracy=on, **options)
        for model, on in zip(models, (True, False), strict=True)
    )
    assert curve.accuracy.shape == (9,) and curve.validation_accuracy.shape == (0,)
    assert curve.accuracy[-1] == accuracy(models[0], X, y)
    assert off.accuracy.shape == off.validation_accuracy.shape == (0,)
    assert_same_state(models[0].state_dict(), models[1].state_dict())


@pytest.mark.parametrize(
    ("loss", "above"),
    [
        ("mean_squared_error", 0.5),
        ("hinge", 0.0),
        (partial(losses.huber, delta=0.3), 0.5),
        (own_loss, 0.0),
    ],
)
@pytest.mark.parametrize("own_labels", [False, True])
def test_the_threshold_is_the_one_of_the_loss(loss: Any, above: float, own_labels: bool) -> None:
    X, y = two_classes(30)
    y = np.stack([y, 1 - y])[..., None] if own_labels else y[:, None]
    model = mlp((2, 6, 1), ensemble=2)
    history = fit(model, X, y, loss=loss, optimizer=Adam(model, 0.03), epochs=10, accuracy=True)
    right = (model.predict(X) > above) == y
    assert_same_bits(history.accuracy[-1], right.mean(axis=(1, 2)))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", own_softmax])
@pytest.mark.parametrize("own_labels", [False, True])
def test_with_several_outputs_the_largest_counts(loss: Any, own_labels: bool) -> None:
    X, y = two_classes(30)
    y = np.stack([y, 1 - y]) if own_labels else y
    model = mlp((2, 6, 2), ensemble=2)
    history = fit(model, X, y, loss=loss, optimizer=Adam(model, 0.03), epochs=10, accuracy=True)
    right = model.predict(X).argmax(axis=-1) == y
    assert_same_bits(history.accuracy[-1], right.mean(axis=-1))


def test_a_training_that_goes_on_gives_the_rest_of_the_curve() -> None:
    X, y = two_classes(30)
    curves = []
    for stops in ([10], [4, 10]):
        model = mlp((2, 6, 1), ensemble=2)
        optimizer, first, parts = Adam(model, 0.05), 0, []
        for stop in stops:
            settings: Any = {"epochs": stop, "first_epoch": first, "batch_size": 8}
            history = fit(model, X, y, optimizer=optimizer, accuracy=True, **settings)
            assert len(history.accuracy) == stop - first
            parts.append(history.accuracy)
            first = stop
        curves.append(np.concatenate(parts))
    assert_same_bits(curves[0], curves[1])


@pytest.mark.parametrize("passes", [5, 6, 7])
def test_an_interruption_while_measuring_leaves_curves_of_one_length(passes: int) -> None:
    """Each epoch has three passes in eval mode, two for accuracies and one for the loss."""
    X, y = two_classes(12)
    model, seen = mlp((2, 3, 1)), []
    forward = model.root.forward

    def interrupting(x: Tensor) -> Tensor:
        if not model.training and x.shape[0] == 12:
            seen.append(x)
            if len(seen) == passes:
                raise KeyboardInterrupt
        return forward(x)

    model.root.forward = interrupting  # type: ignore[method-assign]
    history = fit(model, X, y, validation=(X, y), accuracy=True)
    assert history.stopped == "interrupted" and len(seen) == passes
    lengths = (history.validation_loss, history.accuracy, history.validation_accuracy)
    assert {len(each) for each in lengths} == {history.epochs} == {(passes - 1) // 3}


@pytest.mark.parametrize(
    ("loss", "y", "parts"),
    [
        ("mean_squared_error", np.linspace(0, 1, 12), ("y holds the label 0.09", "0 or 1")),
        ("mean_squared_error", np.tile([-1, 1], 6), ("the label -1", "0 or 1")),
        ("binary_cross_entropy", np.tile([0.25, 1], 6), ("the label 0.25", "0 or 1")),
    ],
)
def test_what_has_no_classes_is_refused(loss: Any, y: Any, parts: tuple[str, ...]) -> None:
    X = two_classes(12)[0]
    model = mlp((2, 3, 1))
    before = model.state_dict()
    with refused("accuracy=True: ", *parts):
        fit(model, X, y, loss=loss, accuracy=True)
    assert_same_state(model.state_dict(), before)
    assert model.loss is None


def test_outputs_and_validation_labels_that_are_no_classes_are_refused() -> None:
    X, y = two_classes(12)
    with refused("accuracy=True: y of shape (12, 2)", "one-hot"):
        fit(mlp((2, 3, 2)), X, np.eye(2)[y], loss="mean_squared_error", accuracy=True)
    with refused("accuracy=True, validation: y holds the label 0.5"):
        fit(mlp((2, 3, 1)), X, y, validation=(X, np.full(12, 0.5)), accuracy=True)
