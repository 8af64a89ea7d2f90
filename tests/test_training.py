"""fit(): it learns, repeats itself to the bit, stops when it should, and leaves nothing behind."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from networks import (
    assert_same_bits,
    assert_same_state,
    every_layer,
    network_with,
    refused,
    two_classes,
)

from scratchnet import (
    SGD,
    Adam,
    InputError,
    Layer,
    Linear,
    Model,
    Tensor,
    accuracy,
    evaluate_loss,
    fit,
    losses,
    mlp,
)
from scratchnet.datasets import linearly_separable, xor
from scratchnet.layers import ACTIVATIONS
from scratchnet.losses import LOSSES
from scratchnet.schedules import cosine

# It learns


@pytest.mark.parametrize(
    "build",
    [
        lambda: mlp((2, 1)),
        lambda: mlp((2, 16, 1)),
        lambda: mlp((2, 16, 1), dtype="float64"),
        lambda: mlp((2, 16, 16, 1), batch_norm=True, residual=True),
        lambda: mlp((2, 32, 1), "tanh", dropout=0.2),
        lambda: mlp((2, 16, 1), ensemble=3),
        *[lambda name=name: mlp((2, 16, 1), name) for name in ACTIVATIONS],
    ],
)
@pytest.mark.parametrize("batch_size", [None, 32])
def test_separable_classes_are_learned_to_the_last_point(
    build: Callable[[], Model], batch_size: int | None
) -> None:
    X, y = linearly_separable(100, margin=0.3)
    model = build()
    history = fit(model, X, y, optimizer=Adam(model, 0.03), epochs=250, batch_size=batch_size)
    assert np.all(accuracy(model, X, y) == 1)
    assert np.all(history.loss[-1] < history.loss[0])
    assert history.stopped == "epochs" and not history.diverged


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_separates(loss: str) -> None:
    X, y = linearly_separable(60)
    outputs = 2 if loss == "softmax_cross_entropy" else 1
    model = mlp((2, 8, outputs))
    fit(model, X, y, loss=loss, optimizer=Adam(model, 0.03), epochs=200)
    assert accuracy(model, X, y) == 1


@pytest.mark.parametrize(
    ("loss", "outputs"),
    [
        (partial(losses.huber, delta=0.2), 1),
        (partial(losses.softmax_cross_entropy, label_smoothing=0.2), 2),
    ],
)
@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_settings_of_a_loss(
    loss: Any, outputs: int, ensemble: int | None, batch_size: int | None
) -> None:
    X, y = two_classes(20)
    models = [mlp((2, 5, outputs), ensemble=ensemble) for _ in range(3)]
    options: list[Any] = [
        {"loss": loss},
        {"loss": loss, "record": False},
        {"loss": loss.func.__name__},
    ]
    recorded, eager, plain = (
        fit(model, X, y, epochs=12, batch_size=batch_size, **each)
        for model, each in zip(models, options, strict=True)
    )
    assert_same_bits(recorded.loss, eager.loss)
    assert_same_state(models[0].state_dict(), models[1].state_dict())
    assert not np.allclose(recorded.loss, plain.loss, rtol=1e-3)
    assert np.all(recorded.loss[-1] < recorded.loss[0])


def test_a_network_learns_xor_and_a_neuron_cannot() -> None:
    X, y = xor()
    network, neuron = mlp((2, 8, 1), "tanh"), mlp((2, 1))
    for model in (network, neuron):
        fit(model, X, y, optimizer=Adam(model, 0.1), epochs=300)
    assert accuracy(network, X, y) == 1
    assert evaluate_loss(neuron, X, y, "binary_cross_entropy") > 0.69  # ln 2 = 0.6931


def test_training_goes_on_where_it_stopped() -> None:
    X, y = two_classes()
    at_once, in_parts = mlp((2, 4, 1)), mlp((2, 4, 1))
    fit(at_once, X, y, epochs=7, optimizer=Adam(at_once))
    optimizer = Adam(in_parts)
    fit(in_parts, X, y, epochs=3, optimizer=optimizer)
    fit(in_parts, X, y, epochs=4, optimizer=optimizer)
    assert optimizer.steps == 7
    assert_same_state(in_parts.state_dict(), at_once.state_dict())


def test_a_model_in_eval_mode_is_trained_in_training_mode() -> None:
    X, y = two_classes()
    models = [mlp((2, 4, 1), batch_norm=True, dropout=0.3) for _ in range(2)]
    models[1].eval()
    for model in models:
        fit(model, X, y, epochs=3)
    assert_same_state(models[1].state_dict(), models[0].state_dict())
    assert models[1].state_dict()["1.running_mean"].any()


# It repeats itself


@every_layer
@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_same_seed_gives_the_same_bits(layer: Any, batch_size: int | None) -> None:
    X, y = two_classes()

    def once(seed: int) -> tuple[Any, dict[str, Any]]:
        model = network_with(layer, seed=seed)
        return fit(model, X, y, epochs=3, batch_size=batch_size).loss, model.state_dict()

    (loss, state), (again, same), (other, _) = once(1), once(1), once(2)
    assert_same_bits(again, loss)
    assert_same_state(same, state)
    assert other.tobytes() != loss.tobytes()


@every_layer
def test_training_neither_writes_to_the_data_nor_leaves_float32(layer: Any) -> None:
    X, y = (each.astype(np.float32) for each in two_classes())
    kept = X.copy(), y.copy()
    model = network_with(layer)
    fit(model, X, y, epochs=2, optimizer=SGD(model, 0.1, 0.9), clip_norm=1.0)
    fit(model, X, y, epochs=2, optimizer=Adam(model, weight_decay=0.1), batch_size=4)
    assert_same_bits(X, kept[0])
    assert_same_bits(y, kept[1])
    floats = [each for each in model.state_dict().values() if each.dtype.kind == "f"]
    assert {each.dtype for each in [*floats, model.gradient_buffer]} == {np.dtype("float32")}


# What the history says


@pytest.mark.parametrize("ensemble", [None, 1, 3])
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("epochs", [0, 1, 5, np.int64(5)])
def test_the_shapes_of_the_history(
    ensemble: int | None, batch_size: int | None, epochs: int
) -> None:
    X, y = two_classes()
    model = mlp((2, 3, 1), ensemble=ensemble)
    options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size}
    history = fit(model, X, y, **options, validation=two_classes(6), patience=50)
    lead = (ensemble,) if ensemble else ()
    shape = (epochs, *lead) if epochs else (0,)
    assert history.loss.shape == history.validation_loss.shape == shape
    assert np.shape(history.best_epoch) == lead
    assert history.epochs == epochs and history.seconds >= 0
    plain = fit(model, X, y, **options)
    assert plain.validation_loss.shape == (0,) and plain.best_epoch is None


def test_each_loss_is_the_one_before_its_step_and_each_validation_loss_the_one_after() -> None:
    X, y = two_classes()
    held_out = two_classes(7, seed=1)
    model, follower = mlp((2, 4, 1)), mlp((2, 4, 1))
    optimizers = SGD(model, 0.3), SGD(follower, 0.3)
    history = fit(model, X, y, epochs=5, optimizer=optimizers[0], validation=held_out)
    for epoch in range(5):
        before = evaluate_loss(follower, X, y, "binary_cross_entropy")
        assert history.loss[epoch] == before
        fit(follower, X, y, epochs=1, optimizer=optimizers[1])
        after = evaluate_loss(follower, *held_out, "binary_cross_entropy")
        assert history.validation_loss[epoch] == after


@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_small_last_batch_weighs_as_little_as_it_holds(ensemble: int | None) -> None:
    X, y = two_classes(10)
    model = mlp((2, 4, 1), ensemble=ensemble, dtype="float64")
    expected = evaluate_loss(model, X, y, "binary_cross_entropy")
    for batch_size in (3, 4, 9, 10, 99):
        optimizer = SGD(model, 0.0)
        history = fit(model, X, y, epochs=1, batch_size=batch_size, optimizer=optimizer)
        np.testing.assert_allclose(history.loss[0], expected, rtol=1e-14)
        assert optimizer.steps == -(-10 // batch_size)


def test_without_an_optimizer_it_is_adam_at_a_thousandth() -> None:
    X, y = two_classes()
    one, other = mlp((2, 4, 1)), mlp((2, 4, 1))
    fit(one, X, y, epochs=3)
    fit(other, X, y, epochs=3, optimizer=Adam(other, 1e-3))
    assert_same_state(one.state_dict(), other.state_dict())


def test_the_schedule_counts_steps_and_not_epochs() -> None:
    X, y = two_classes(10)
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.1

    model = mlp((2, 1))
    fit(model, X, y, epochs=2, batch_size=4, optimizer=SGD(model, schedule))
    assert sorted(set(asked)) == [0, 1, 2, 3, 4, 5]
    still = mlp((2, 1))
    before = still.parameter_buffer.copy()
    fit(still, X, y, epochs=1, optimizer=SGD(still, cosine(0.0, steps=1)))
    assert_same_bits(still.parameter_buffer, before)


def test_clip_norm_bounds_the_step_of_each_network() -> None:
    X, y = two_classes()
    model = mlp((2, 4, 1), ensemble=3, dtype="float64")
    before = model.parameter_buffer.copy()
    fit(model, 100 * X, y, epochs=1, optimizer=SGD(model, 1.0), clip_norm=0.25)
    steps = np.linalg.norm(model.parameter_buffer - before, axis=1)
    np.testing.assert_allclose(steps, 0.25, rtol=1e-10)


# Callbacks, interruption, divergence


def test_callbacks_get_epoch_model_and_loss_and_all_of_them_are_called_before_a_stop() -> None:
    X, y = two_classes()
    model = mlp((2, 3, 1), ensemble=2)
    calls: list[tuple[str, int, Any]] = []

    def noting(epoch: int, given: Model, loss: Any) -> None:
        assert given is model
        calls.append(("noting", epoch, loss))

    def stopping(epoch: int, given: Model, loss: Any) -> bool:
        calls.append(("stopping", epoch, loss))
        return epoch == 2

    history = fit(model, X, y, epochs=9, callbacks=[stopping, noting])
    assert history.stopped == "callback" and history.epochs == 3
    order = [(name, epoch) for name, epoch, _ in calls]
    assert order == [(name, epoch) for epoch in range(3) for name in ("stopping", "noting")]
    for _, epoch, loss in calls:
        assert_same_bits(loss, history.loss[epoch])


def test_an_interruption_keeps_what_is_done() -> None:
    X, y = two_classes()
    model, shorter = mlp((2, 3, 1)), mlp((2, 3, 1))

    def interrupting(epoch: int, given: Model, loss: Any) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    history = fit(model, X, y, epochs=99, callbacks=[interrupting], validation=(X, y))
    expected = fit(shorter, X, y, epochs=4, validation=(X, y))
    assert history.stopped == "interrupted" and history.epochs == 4
    assert_same_bits(history.loss, expected.loss)
    assert_same_bits(history.validation_loss, expected.validation_loss)
    assert_same_state(model.state_dict(), shorter.state_dict())
    # And training can go on.
    assert fit(model, X, y, epochs=1).epochs == 1


def test_an_interruption_while_validating_leaves_curves_of_one_length() -> None:
    X, y = two_classes(12)

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        if not outputs.requires_grad:
            validations.append(outputs)
            if len(validations) == 3:
                raise KeyboardInterrupt
        return losses.mean_squared_error(outputs, targets)

    validations: list[Tensor] = []
    targets = y[:, None].astype("float32")
    history = fit(mlp((2, 3, 1)), X, targets, loss=loss, validation=(X, targets))
    assert history.stopped == "interrupted"
    assert history.epochs == len(history.validation_loss) == 2


def test_an_interruption_in_the_middle_of_a_step_leaves_a_model_that_works() -> None:
    class Interrupting(Layer):
        passes = 0

        def forward(self, x: Tensor) -> Tensor:
            self.passes += 1
            if self.passes == 4:
                raise KeyboardInterrupt
            return x

    X, y = two_classes()
    model = Model(Linear(2, 3), Interrupting(), Linear(3, 1))
    # One pass checks the data, two are epochs, the fourth is interrupted.
    history = fit(model, X, y, epochs=99, record=False)
    assert history.stopped == "interrupted" and history.epochs == 2
    assert np.isfinite(model.predict(X)).all()


def test_of_inputs_that_overflow_nothing_is_said_but_where() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(mlp([1, 4, 1], "gelu"), [[1e30], [-1e30]], [0, 1], epochs=2)
    (warning,) = caught
    assert "network 0: the loss was not finite" in str(warning.message)


def test_one_network_that_diverges_stops_with_the_parameters_that_show_it() -> None:
    X, y = two_classes()
    model = mlp((2, 3, 1))
    model.parameter_buffer[...] = 1e38
    before = model.parameter_buffer.copy()
    with pytest.warns(RuntimeWarning, match="network 0.*epoch 0.*layer 2, Linear") as caught:
        history = fit(model, X, y, epochs=9)
    reported = [each for each in caught if "network 0" in str(each.message)]
    assert len(reported) == 1 and reported[0].filename == __file__
    assert history.stopped == "diverged" and history.epochs == 1 and len(history.diverged) == 1
    assert not np.isfinite(history.loss[0])
    assert_same_bits(model.parameter_buffer, before)


def test_healthy_training_warns_of_nothing() -> None:
    X, y = two_classes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = mlp((2, 8, 1), batch_norm=True, dropout=0.2, ensemble=2)
        fit(model, X, y, epochs=5, validation=(X, y), patience=2, clip_norm=1.0, batch_size=4)


# Early stopping


def turned_round(samples: int = 30) -> tuple[Any, Any]:
    """Held-out data on which the loss gets worse once the network begins to learn."""
    X, y = two_classes(samples, seed=3)
    return X, 1 - y


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_early_stopping_gives_back_the_network_with_the_best_validation_loss(
    batch_norm: bool, dropout: float
) -> None:
    X, y = two_classes(30)
    model = mlp((2, 8, 1), batch_norm=batch_norm, dropout=dropout)
    history = fit(model, X, y, epochs=99, validation=turned_round(), patience=4)
    assert history.stopped == "early stopping"
    assert history.best_epoch == int(np.argmin(history.validation_loss))
    assert history.epochs == history.best_epoch + 4 + 1
    best = evaluate_loss(model, *turned_round(), "binary_cross_entropy")
    assert_same_bits(best, history.validation_loss.min())


def test_patience_counts_epochs_since_the_last_improvement() -> None:
    X, y = two_classes()
    model = Model(Linear(2, 1), dtype="float64")
    # The output is the bias b, the target 0, the validation loss b^2; SGD moves b by the schedule
    # alone, since the training loss has the slope 1 everywhere.
    wanted = [5.0, 4.0, 4.5, 3.0, 3.0, 3.5, 3.25, 1.0, 1.0]
    model.parameter_buffer[...] = [0, 0, 6]
    moves = [earlier - later for earlier, later in zip([6.0, *wanted], wanted, strict=False)]

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        if outputs.requires_grad:
            return outputs.mean()
        return losses.mean_squared_error(outputs, targets)

    optimizer = SGD(model, lambda step: moves[step])
    history = fit(
        model,
        0 * X,
        0 * y,
        loss=loss,
        optimizer=optimizer,
        epochs=9,
        validation=(0 * X, 0 * y),
        patience=3,
    )
    # Better at 0 and 1, not at 2, better at 3, then equal, worse and worse: three epochs.
    np.testing.assert_allclose(history.validation_loss, np.square(wanted[:7]))
    assert history.best_epoch == 3 and history.stopped == "early stopping"
    assert model.parameter_buffer.tolist() == pytest.approx([0, 0, 3], abs=1e-12)


def test_patience_restores_the_best_also_when_the_epochs_run_out_or_a_callback_stops() -> None:
    X, y = two_classes(30)
    for options in ({"epochs": 6}, {"epochs": 99, "callbacks": [lambda epoch, *_: epoch == 5]}):
        model = mlp((2, 8, 1))
        optimizer = Adam(model, 0.05)
        history = fit(
            model, X, y, optimizer=optimizer, validation=turned_round(), patience=50, **options
        )
        assert history.epochs == 6 and history.best_epoch < 5
        best = evaluate_loss(model, *turned_round(), "binary_cross_entropy")
        assert_same_bits(best, history.validation_loss.min())


@pytest.mark.parametrize("first_epoch", [0, 5])
def test_without_a_finite_validation_loss_no_epoch_is_the_best(first_epoch: int) -> None:
    X, y = two_classes()
    model = mlp((2, 3, 1))
    before = model.state_dict()

    def never_finite(outputs: Tensor, targets: Any) -> Tensor:
        loss = losses.mean_squared_error(outputs, targets)
        return loss if outputs.requires_grad else loss * float("nan")

    targets = y[:, None].astype("float32")
    history = fit(
        model,
        X,
        targets,
        loss=never_finite,
        validation=(X, targets),
        patience=3,
        first_epoch=first_epoch,
    )
    assert history.epochs == 3 and history.stopped == "early stopping"
    assert history.best_epoch == first_epoch - 1
    assert_same_state(model.state_dict(), before)


# Evaluation


def test_accuracy_by_hand() -> None:
    one = Model(Linear(1, 1))
    one.parameter_buffer[...] = [1, 0]
    # Logits -1, 0, 2, 3: a logit of 0 is class 0.
    X = [[-1], [0], [2], [3]]
    assert accuracy(one, X, [0, 0, 1, 0]) == 0.75
    assert accuracy(one, X, [[0], [0], [1], [True]]) == 1
    assert accuracy(one, X, np.array([1.0, 1.0, 0.0, 0.0])) == 0
    three = Model(Linear(1, 3), ensemble=2)
    three.parameter_buffer[...] = [[-1, 0, 1, 0, 0.5, 0], [1, 0, -1, 0, 0.5, 0]]
    # x = -1, 0, 2, 3 gives the classes 0, 1, 2, 2 in one network and 2, 1, 0, 0 in the other.
    assert accuracy(three, X, [0, 1, 2, 0]).tolist() == [0.75, 0.5]
    with refused("X of shape (4, 1)", "y of shape (3,)"):
        accuracy(one, X, [0, 1, 0])
    with refused("X of shape (0, 1)", "no samples"):
        accuracy(one, np.empty((0, 1)), [])


@every_layer
def test_evaluation_is_in_eval_mode_without_a_graph_and_leaves_no_trace(layer: Any) -> None:
    X, y = two_classes()
    model = network_with(layer).train()
    before = model.state_dict()
    first = evaluate_loss(model, X, y, "binary_cross_entropy")
    assert isinstance(first, np.ndarray) and first.shape == () and first.dtype == np.float32
    assert_same_bits(evaluate_loss(model, X, y, losses.binary_cross_entropy), first)
    assert model.training
    assert_same_state(model.state_dict(), before)
    z = model.predict(X)
    expected = losses.binary_cross_entropy(Tensor(z), y).numpy()
    assert_same_bits(first, expected)


def test_a_loss_of_ones_own() -> None:
    def absolute_error(outputs: Tensor, targets: Any) -> Tensor:
        return abs(outputs - targets).mean(axis=(-2, -1))

    X, y = two_classes(20)
    for ensemble in (None, 2):
        model = mlp((2, 8, 1), ensemble=ensemble)
        history = fit(
            model, X, X[:, :1] - X[:, 1:], loss=absolute_error, optimizer=Adam(model, 0.05)
        )
        assert history.loss.shape == ((100,) if ensemble is None else (100, 2))
        assert np.all(history.loss[-1] < 0.3 * history.loss[0])


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    ("ensemble", "loss", "parts"),
    [
        (None, lambda outputs, targets: abs(outputs - targets), ("(12, 1)", "()")),
        (2, lambda outputs, targets: abs(outputs - targets).mean(), ("shape ()", "(2,)")),
        (None, lambda outputs, targets: 1.0, ("float", "Tensor")),
    ],
)
def test_a_loss_that_is_not_one_number_per_network_is_refused(
    ensemble: int | None, loss: Any, parts: tuple[str, ...], record: bool
) -> None:
    X = two_classes(12)[0]
    model = mlp((2, 3, 1), ensemble=ensemble)
    before = model.state_dict()
    with refused("the loss", *parts):
        fit(model, X, X[:, :1], loss=loss, record=record)
    assert_same_state(model.state_dict(), before)


# Nothing is changed by what is refused


@pytest.mark.parametrize(
    "options",
    [
        {"clip_norm": -1},
        {"patience": 2},
        {"patience": 0, "validation": two_classes()},
        {"validation": (np.zeros((3, 2)), [0, 1, 2])},
        {"epochs": -1},
        {"batch_size": 0},
        {"batch_size": 5},  # 11 = 5 + 5 + 1, and BatchNorm needs two
        {"loss": "softmax_cross_entropy"},
        {"optimizer": SGD(mlp((2, 1)), 0.1)},
        {"optimizer": Adam},
        {"first_epoch": 0.5},
        {"first_epoch": 101},
        {"callbacks": lambda epoch, *_: False},
    ],
)
def test_refused_settings_leave_the_model_as_it_was(options: dict[str, Any]) -> None:
    X, y = two_classes()
    model = mlp((2, 4, 1), batch_norm=True, dropout=0.5).eval()
    before = model.state_dict()
    with pytest.raises(InputError):
        fit(model, X, y, **options)
    assert_same_state(model.state_dict(), before)
    assert not model.training and not model.gradient_buffer.any()


def test_arguments_in_the_wrong_order_and_answers_that_are_arrays_are_one_line() -> None:
    X, y = two_classes(6)
    model = mlp((2, 1), ensemble=2)
    with refused("model is of type ndarray", "fit(model, X, y)"):
        fit(X, y, model)  # type: ignore[arg-type]
    with refused("a callback answered with shape (2,)", "must be"):
        fit(model, X, y, epochs=2, callbacks=[lambda epoch, model, loss: loss < 0.5])
