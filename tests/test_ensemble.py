"""Ensembles: network i is, bit for bit, the network with its seed trained alone."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import (
    assert_same_bits,
    assert_same_state,
    assert_views,
    every_layer,
    network_with,
    refused,
    two_classes,
)

from scratchnet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Dropout,
    History,
    InputError,
    Layer,
    LeakyReLU,
    Linear,
    Model,
    ReLU,
    Tensor,
    accuracy,
    evaluate_loss,
    fit,
    mlp,
)
from scratchnet.layers import ACTIVATIONS
from scratchnet.optim import Optimizer
from scratchnet.schedules import cosine

OPTIMIZERS: dict[str, Callable[[Model], Optimizer]] = {
    "sgd": lambda model: SGD(model, 0.1),
    "momentum and decay": lambda model: SGD(model, 0.1, 0.9, weight_decay=0.01),
    "nesterov": lambda model: SGD(model, cosine(0.1, steps=20), 0.9, nesterov=True),
    "adam": lambda model: Adam(model, 0.05),
    "adam and decay": lambda model: Adam(model, 0.01, weight_decay=0.1),
    "adamw": lambda model: AdamW(model, 0.01, weight_decay=0.1),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
full_and_ragged = pytest.mark.parametrize("batch_size", [None, 4], ids=["full", "ragged"])
SEED, NETWORKS = 5, 3


def assert_each_as_alone(
    build: Callable[..., Model],
    X: Any,
    y: Any,
    optimizer: str = "sgd",
    seed: int = SEED,
    networks: int = NETWORKS,
    **options: Any,
) -> History:
    """Train the ensemble, then each of its networks alone, and compare all that can be seen.

    X (E, N, d) and y with as many axes more than (N,) are the networks' own. A network that stops
    early alone must have gone the same way until then.
    """

    def own(values: Any, i: int, axes: int) -> Any:
        return values[i] if np.ndim(values) == axes else values

    together = build(seed=seed, ensemble=networks)
    history = fit(together, X, y, optimizer=OPTIMIZERS[optimizer](together), **options)
    assert_views(together)
    for i in range(networks):
        alone = build(seed=seed + i)
        expected = fit(
            alone,
            own(X, i, 3),
            own(y, i, 3),
            optimizer=OPTIMIZERS[optimizer](alone),
            **options,
        )
        epochs = expected.epochs
        assert_same_bits(history.loss[:epochs, i], expected.loss)
        if options.get("validation"):
            assert_same_bits(history.validation_loss[:epochs, i], expected.validation_loss)
        if options.get("patience"):
            assert history.best_epoch[i] == expected.best_epoch
        assert_same_state(together.state_dict(network=i), alone.state_dict())
        assert_same_bits(together.predict(X)[i], alone.predict(own(X, i, 3)))
    return history


@every_layer
@full_and_ragged
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer(layer: Callable[[int], Layer], batch_size: int | None, dtype: str) -> None:
    def build(**options: Any) -> Model:
        return network_with(layer, dtype=dtype, **options)

    X, y = two_classes(11)
    assert_each_as_alone(build, X, y, epochs=3, batch_size=batch_size)


@every_optimizer
@full_and_ragged
def test_every_optimizer(optimizer: str, batch_size: int | None) -> None:
    def build(**options: Any) -> Model:
        return mlp((2, 8, 8, 1), batch_norm=True, dropout=0.2, residual=True, **options)

    X, y = two_classes(22)
    assert_each_as_alone(build, X, y, optimizer, epochs=5, batch_size=batch_size)


SETTINGS: dict[str, dict[str, Any]] = {
    "clipping": {"clip_norm": 0.05},
    "validation": {"validation": two_classes(9, seed=1)},
    # With the labels turned round, so that the loss soon rises.
    "patience": {"validation": (lambda X, y: (X, 1 - y))(*two_classes(9, seed=1)), "patience": 3},
    "hinge": {"loss": "hinge"},
    "squared error": {"loss": "mean_squared_error"},
    "absolute error": {"loss": "mean_absolute_error"},
    "huber": {"loss": "huber"},
}


@pytest.mark.parametrize("setting", SETTINGS)
@full_and_ragged
@pytest.mark.parametrize("own", [False, True], ids=["shared data", "own data"])
def test_every_setting(setting: str, batch_size: int | None, own: bool) -> None:
    def build(**options: Any) -> Model:
        return mlp((2, 6, 6, 1), "tanh", batch_norm=True, dropout=0.3, **options)

    X, y = two_classes(11, networks=NETWORKS if own else None)
    if own:
        of_each = np.random.default_rng(2).integers(0, 2, (NETWORKS, 11, 1))
        y = np.where(of_each, y[:, None], 1 - y[:, None])
    assert_each_as_alone(build, X, y, epochs=12, batch_size=batch_size, **SETTINGS[setting])


def test_patience_ends_each_network_at_an_epoch_of_its_own() -> None:
    X, y = two_classes(30)
    history = assert_each_as_alone(
        lambda **options: mlp((2, 8, 1), **options),
        X,
        y,
        "adam",
        networks=6,
        epochs=200,
        validation=two_classes(30, seed=8),
        patience=2,
    )
    assert history.stopped == "early stopping"
    assert len(set(history.best_epoch)) > 1
    assert history.epochs == max(history.best_epoch) + 2 + 1


@full_and_ragged
def test_classes_with_labels_of_each_network(batch_size: int | None) -> None:
    X, _ = two_classes(11)
    y = np.random.default_rng(0).integers(0, 3, (NETWORKS, 11))
    together = mlp((2, 5, 3), seed=SEED, ensemble=NETWORKS)
    options = {"loss": "softmax_cross_entropy", "epochs": 4, "batch_size": batch_size}
    history = fit(together, X, y, optimizer=Adam(together, 0.01), **options)
    for i in range(NETWORKS):
        alone = mlp((2, 5, 3), seed=SEED + i)
        expected = fit(alone, X, y[i], optimizer=Adam(alone, 0.01), **options)
        assert_same_bits(history.loss[:, i], expected.loss)
        assert_same_state(together.state_dict(i), alone.state_dict())


@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    networks=st.integers(1, 5),
    samples=st.integers(1, 20),
    batch_size=st.none() | st.integers(1, 20),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    residual=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 100),
    dtype=st.sampled_from(["float32", "float64"]),
)
@settings(max_examples=40)
def test_any_shape(
    hidden: list[int],
    activation: str,
    networks: int,
    samples: int,
    batch_size: int | None,
    optimizer: str,
    residual: bool,
    bias: bool,
    seed: int,
    dtype: str,
) -> None:
    def build(**options: Any) -> Model:
        settings = {"residual": residual, "bias": bias, "dtype": dtype}
        return mlp((2, *hidden, 1), activation, **settings, **options)

    X, y = two_classes(samples, seed)
    assert_each_as_alone(
        build, X, y, optimizer, seed, networks, epochs=2, batch_size=batch_size, clip_norm=0.5
    )


def test_realistic_size() -> None:
    # Large enough for blocked matrix products and pairwise sums.
    X, y = two_classes(400)
    assert_each_as_alone(
        lambda **options: mlp([2] + [32] * 4 + [1], **options), X, y, "adam", epochs=3
    )
    assert_each_as_alone(
        lambda **options: mlp([2, 100, 100, 1], batch_norm=True, **options),
        X,
        y,
        epochs=2,
        batch_size=150,
    )


def test_evaluation_and_accuracy_are_per_network() -> None:
    X, y = two_classes(20)
    together = mlp((2, 4, 1), ensemble=2)
    for i in range(2):
        alone = mlp((2, 4, 1), seed=i)
        loss = evaluate_loss(together, X, y, "hinge")
        assert_same_bits(loss[i], evaluate_loss(alone, X, y, "hinge"))
        assert accuracy(together, X, y)[i] == accuracy(alone, X, y)


# Hyperparameters of each network

PER_NETWORK: dict[str, tuple[Callable[..., Optimizer], dict[str, list[float]]]] = {
    "sgd": (
        SGD,
        {"learning_rate": [0.1, 0.0, 0.5], "momentum": [0, 0.9, 0.5], "weight_decay": [0.1, 0, 1]},
    ),
    "adam": (
        Adam,
        {"learning_rate": [1e-3, 0.1, 3], "epsilon": [1e-8, 1e-3, 1], "weight_decay": [0, 0.1, 0]},
    ),
    "adamw": (AdamW, {"learning_rate": [1e-2, 0.1, 0.0], "weight_decay": [0, 0.1, 2.0]}),
}
BETAS = ([0.9, 0.0, 0.5], [0.999, 0.9, 0.0])


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("optimizer", PER_NETWORK)
@full_and_ragged
def test_network_i_with_number_i_is_the_network_alone_with_it(
    batch_size: int | None, optimizer: str, record: bool
) -> None:
    kind, numbers = PER_NETWORK[optimizer]
    options: dict[str, Any] = {"epochs": 4, "batch_size": batch_size, "record": record}

    def build(i: int | None, ensemble: int | None) -> tuple[Model, Optimizer]:
        def pick(values: Any) -> Any:
            return values if i is None else values[i]

        model = Model(
            LeakyReLU(pick([0.1, 0.0, -1.0])),
            Linear(2, 4),
            Dropout(pick([0.5, 0.0, 0.1])),
            BatchNorm(4, pick([0.1, 1.0, 0.0]), pick([1e-5, 1e-3, 1.0])),
            LeakyReLU(pick([0.3, 0.1, 0.0])),
            Linear(4, 1),
            seed=SEED + (i or 0),
            ensemble=ensemble,
        )
        chosen = {name: pick(values) for name, values in numbers.items()}
        if kind is not SGD:
            chosen["betas"] = tuple(map(pick, BETAS))
        return model, kind(model, **chosen)

    X, y = two_classes(11)
    together, moving = build(None, NETWORKS)
    history = fit(together, X, y, optimizer=moving, **options)
    for i in range(NETWORKS):
        alone, expected = build(i, None)
        assert_same_bits(history.loss[:, i], fit(alone, X, y, optimizer=expected, **options).loss)
        assert_same_state(together.state_dict(i), alone.state_dict())
        for name, array in moving.moments().items():
            assert_same_bits(array[i], expected.moments()[name])
        assert_same_bits(together.network(i).predict(X), alone.predict(X))


def test_a_schedule_may_give_a_rate_for_each_network() -> None:
    rates = np.array([0.3, 0.1, 0.0])
    X, y = two_classes(11)
    together = mlp((2, 4, 1), seed=SEED, ensemble=NETWORKS)
    fit(together, X, y, optimizer=SGD(together, lambda step: rates / (1 + step)), epochs=5)
    for i in range(NETWORKS):
        alone = mlp((2, 4, 1), seed=SEED + i)
        fit(alone, X, y, optimizer=SGD(alone, lambda s, i=i: rates[i] / (1 + s)), epochs=5)
        assert_same_state(together.state_dict(i), alone.state_dict())


def test_as_many_numbers_as_networks_are_needed() -> None:
    model = mlp((2, 4, 1), ensemble=NETWORKS)
    with refused("momentum has 2 numbers", "must be one number, or 3"):
        SGD(model, 0.1, momentum=[0.1, 0.2])
    with refused("momentum[1] is 1.5", "from 0 to below 1"):
        SGD(model, 0.1, momentum=[0.1, 1.5, 0.2])
    with refused("dropout rate has 2 numbers", "must be one number, or 3"):
        Model(Linear(2, 1), Dropout([0.1, 0.2]), ensemble=NETWORKS)
    with refused("dropout rate has 2 numbers", "no ensemble"):
        Model(Linear(2, 1), Dropout([0.1, 0.2]))
    optimizer = Adam(model)
    with refused("betas[1] has 4 numbers"):
        optimizer.betas = (0.5, [0.1] * 4)
    assert optimizer.betas == (0.9, 0.999)
    with refused("learning_rate has 2 numbers"):
        fit(model, *two_classes(4), optimizer=SGD(model, lambda step: [0.1, 0.2]), epochs=1)


# Networks that diverge


def train_quietly(model: Model, X: Any, y: Any, **options: Any) -> tuple[History, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(model, X, y, **options)
    # NumPy speaks up too where the data are checked with parameters that are broken already.
    messages = [str(each.message) for each in caught]
    return history, [each for each in messages if each.startswith("network")]


@every_optimizer
@full_and_ragged
def test_a_diverging_network_does_not_disturb_the_others(
    optimizer: str, batch_size: int | None
) -> None:
    def build(**options: Any) -> Model:
        return mlp((2, 4, 4, 1), batch_norm=True, dropout=0.2, seed=SEED, **options)

    X, y = two_classes(11)
    options: dict[str, Any] = {"epochs": 4, "batch_size": batch_size, "clip_norm": 1.0}
    healthy, broken = build(ensemble=3), build(ensemble=3)
    expected = fit(healthy, X, y, optimizer=OPTIMIZERS[optimizer](healthy), **options)
    broken.parameter_buffer[1] = 1e30
    history, messages = train_quietly(
        broken, X, y, optimizer=OPTIMIZERS[optimizer](broken), **options
    )
    for i in (0, 2):
        assert_same_bits(history.loss[:, i], expected.loss[:, i])
        assert_same_state(broken.state_dict(i), healthy.state_dict(i))
    assert [(each.network, each.epoch) for each in history.diverged] == [(1, 0)]
    assert messages == [str(history.diverged[0])]
    assert np.isnan(history.loss[:, 1]).all() and history.stopped == "epochs"


def regression(ensemble: int | None, seed: int) -> tuple[History, Model]:
    """Steps that are far too long: the loss grows until a layer's outputs overflow."""
    model = mlp((2, 6, 6, 1), seed=seed, ensemble=ensemble)
    X, y = two_classes(8)
    history, _ = train_quietly(
        model, X, y, loss="mean_squared_error", optimizer=SGD(model, 3.0), epochs=200
    )
    return history, model


def test_each_network_diverges_at_the_epoch_and_layer_at_which_it_does_alone() -> None:
    history, _ = regression(5, seed=0)
    reported = {each.network: (each.epoch, each.layer) for each in history.diverged}
    alone = [regression(None, seed)[0] for seed in range(5)]
    assert reported == {
        i: (each.diverged[0].epoch, each.diverged[0].layer) for i, each in enumerate(alone)
    }
    assert history.stopped == "diverged" and history.epochs == max(each.epochs for each in alone)
    for i, each in enumerate(alone):
        assert_same_bits(history.loss[: each.epochs, i], each.loss)


def test_the_layer_is_the_first_whose_output_is_not_finite() -> None:
    X, y = two_classes(6)
    for layer in (0, 2, 4):
        model = Model(Linear(2, 3), ReLU(), Linear(3, 3), ReLU(), Linear(3, 1), ensemble=2)
        model.parameter_buffer[...] = 1
        model.layers[layer].parameters["bias"].data[1] = np.inf
        history, _ = train_quietly(model, X, y, epochs=1)
        kind = repr(model.layers[layer])
        assert str(history.diverged[0]) == (
            f"network 1: the loss was not finite at epoch 0, first seen in layer {layer}, {kind}"
        )
    # All layers are finite, but their square is not.
    model = mlp((2, 1), ensemble=2)
    model.parameter_buffer[0] = 1e30
    history, _ = train_quietly(model, X, y, loss="mean_squared_error", epochs=1)
    assert [(each.network, each.layer) for each in history.diverged] == [(0, "the loss")]


def test_training_stops_when_all_networks_have_diverged() -> None:
    X, y = two_classes(6)
    model = mlp((2, 3, 1), ensemble=3)
    model.parameter_buffer[...] = np.inf
    before = model.parameter_buffer.copy()
    history, messages = train_quietly(model, X, y, epochs=50)
    assert history.stopped == "diverged" and history.epochs == 1
    assert [each.network for each in history.diverged] == [0, 1, 2]
    assert len(messages) == 3
    assert_same_bits(model.parameter_buffer, before)


def test_a_network_that_has_diverged_is_looked_into_only_once() -> None:
    passes = []

    class Counting(Layer):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return x

    X, y = two_classes(6)
    model = Model(Counting(), Linear(2, 1), ensemble=2)
    model.parameter_buffer[0] = np.nan
    train_quietly(model, X, y, epochs=20)
    # One to look at the data, two before the step is replayed, one to find the layer.
    assert len(passes) == 1 + 2 + 1


def test_networks_may_have_any_seeds_and_are_those_that_have_them_alone() -> None:
    together = mlp([2, 5, 1], dropout=0.5, seed=[7, 2, 7], ensemble=3)
    assert together.seeds == (7, 2, 7)
    for number, seed in enumerate(together.seeds):
        alone = mlp([2, 5, 1], dropout=0.5, seed=seed)
        for name, values in alone.state_dict().items():
            np.testing.assert_array_equal(together.state_dict(network=number)[name], values)
    with pytest.raises(InputError, match="must be 2, one per network"):
        mlp([2, 1], seed=[1, 2, 3], ensemble=2)
