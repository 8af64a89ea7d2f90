"""Batches: every sample once per epoch, inputs beside their own targets, networks apart."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assert_same_bits

from scratchnet import BatchNorm, Linear, Model, Tensor, losses, mlp
from scratchnet.batches import Batches, checked_data
from scratchnet.losses import Loss, mean_squared_error, softmax_cross_entropy
from scratchnet.seeds import DROPOUT, INITIALIZATION

sizes = st.integers(1, 12)


def test_each_use_of_a_seed_draws_from_a_stream_of_its_own() -> None:
    model, X, y, loss = numbered(50, None, False, False, False)
    ((rows,), _), *_ = Batches(model, *checked_data(model, X, y, loss), 50)
    for other in (INITIALIZATION, DROPOUT):
        stream = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(other,)))
        assert not np.array_equal(rows, stream.permutation(50))


def numbered(
    samples: int, ensemble: int | None, own_inputs: bool, own_targets: bool, labels: bool
) -> tuple[Model, Any, Any, Loss]:
    """A model and data in which every input and every target is its sample's number."""
    outputs = samples if labels else 1
    model = Model(Linear(1, outputs), ensemble=ensemble)
    number = np.arange(samples)
    X, y = number.reshape(-1, 1), number if labels else number.reshape(-1, 1)
    if ensemble and own_inputs:
        X = np.stack([X] * ensemble)
    if ensemble and own_targets:
        y = np.stack([y] * ensemble)
    return model, X, y, softmax_cross_entropy if labels else mean_squared_error


@given(
    samples=sizes,
    batch_size=sizes,
    ensemble=st.none() | st.integers(1, 12),
    own_inputs=st.booleans(),
    own_targets=st.booleans(),
    labels=st.booleans(),
)
def test_each_network_visits_each_sample_once_per_epoch_with_its_own_target(
    samples: int,
    batch_size: int,
    ensemble: int | None,
    own_inputs: bool,
    own_targets: bool,
    labels: bool,
) -> None:
    model, X, y, loss = numbered(samples, ensemble, own_inputs, own_targets, labels)
    batches = Batches(model, *checked_data(model, X, y, loss), batch_size)
    for _ in range(2):
        rows, shares = zip(*batches, strict=True)
        inputs, targets = zip(*[batches.select(*each) for each in rows], strict=True)
        sizes = [each.shape[-2] for each in inputs]
        assert all(size == min(batch_size, samples) for size in sizes[:-1]) and sizes[-1] > 0
        assert list(shares) == [size / samples for size in sizes]
        assert sum(shares) == pytest.approx(1, abs=1e-15)
        visited = np.concatenate([each.data for each in inputs], axis=-2)[..., 0]
        named = np.concatenate([t if labels else t[..., 0] for t in targets], axis=-1)
        assert visited.shape == named.shape == ((ensemble, samples) if ensemble else (samples,))
        np.testing.assert_array_equal(visited, named)
        everyone = np.broadcast_to(np.arange(samples), visited.shape)
        np.testing.assert_array_equal(np.sort(visited), everyone)


@given(
    samples=st.integers(1, 20),
    batch_size=sizes,
    ensemble=st.integers(1, 3),
    seed=st.integers(0, 9),
    own=st.booleans(),
)
@settings(max_examples=25)
def test_network_i_of_an_ensemble_takes_the_batches_it_takes_alone(
    samples: int, batch_size: int, ensemble: int, seed: int, own: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ensemble, samples, 2) if own else (samples, 2))
    y = rng.standard_normal(samples)

    def two_epochs(model: Model, X: Any) -> list[Any]:
        batches = Batches(model, *checked_data(model, X, y, mean_squared_error), batch_size)
        return [(*batches.select(*rows), share) for _ in range(2) for rows, share in batches]

    together = two_epochs(mlp((2, 1), seed=seed, ensemble=ensemble), X)
    for i in range(ensemble):
        alone = two_epochs(mlp((2, 1), seed=seed + i), X[i] if own else X)
        for (inputs, targets, share), expected in zip(together, alone, strict=True):
            assert_same_bits(inputs.data[i], expected[0].data)
            assert_same_bits(targets[i], expected[1])
            assert share == expected[2]


def orders(model: Model, epochs: int = 2, samples: int = 30) -> list[Any]:
    X, y = np.arange(samples).reshape(-1, 1), np.zeros(samples)
    batches = Batches(model, *checked_data(model, X, y, mean_squared_error), samples)
    return [batches.select(*rows)[0].data[..., 0] for _ in range(epochs) for rows, _ in batches]


def test_epochs_networks_and_seeds_shuffle_differently_and_the_same_seed_alike() -> None:
    first = orders(mlp((1, 1), ensemble=2, seed=1))
    again = orders(mlp((1, 1), ensemble=2, seed=1))
    other = orders(mlp((1, 1), ensemble=2, seed=5))
    assert [each.tobytes() for each in first] == [each.tobytes() for each in again]
    shuffled = [row.tobytes() for order in [*first, *other] for row in order]
    assert len(set(shuffled)) == len(shuffled) == 8


def test_the_full_batch_is_the_data_in_its_order() -> None:
    model = mlp((2, 1))
    X = np.arange(10.0).reshape(5, 2)
    batches = Batches(model, *checked_data(model, X, np.arange(5), mean_squared_error), None)
    for _ in range(2):
        ((rows, share),) = batches
        inputs, targets = batches.select(*rows)
        assert inputs.numpy().tolist() == X.tolist()
        assert targets.ravel().tolist() == [0, 1, 2, 3, 4] and share == 1


def test_a_loss_of_ones_own_gets_whole_columns_as_rows_and_fractions_in_the_models_dtype() -> None:
    def own_loss(outputs: Tensor, targets: Any) -> Tensor:
        return losses.mean_squared_error(outputs, targets)

    model, X = mlp((1, 1), ensemble=2), np.arange(6).reshape(-1, 1)
    for y, dtype in ((X.astype(np.int64), "int64"), (X.astype(np.float64), "float32")):
        batches = Batches(model, *checked_data(model, X, y, own_loss), 4)
        for inputs, targets in (batches.select(*rows) for rows, _ in batches):
            assert targets.dtype == dtype
            np.testing.assert_array_equal(targets, inputs.data)


@pytest.mark.parametrize("name", [x for x in losses.LOSSES if x != "softmax_cross_entropy"])
@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 1],
        [[0], [1], [1]],
        [False, True, True],
        np.array([0, 1, 1], np.uint8),
        np.array([0.0, 1.0, 1.0]),
        Tensor([0.0, 1.0, 1.0]),
    ],
    ids=["list", "column", "bool", "uint8", "float64", "tensor"],
)
def test_labels_of_every_accepted_kind_become_one_column(name: str, y: Any) -> None:
    model = mlp((2, 1))
    for X in ([[1, 2], [3, 4], [5, 6]], Tensor([[1.0, 2], [3, 4], [5, 6]])):
        inputs, targets = checked_data(model, X, y, losses.LOSSES[name])
        assert_same_bits(inputs.data, np.array([[1, 2], [3, 4], [5, 6]], np.float32))
        assert_same_bits(targets, np.array([[0], [1], [1]], np.float32))


def test_checking_data_leaves_the_model_as_it_was() -> None:
    model = Model(Linear(2, 2), BatchNorm(2), Linear(2, 1)).train()
    before = model.state_dict()
    checked_data(model, np.ones((3, 2)), [0, 1, 1], mean_squared_error)
    assert model.training
    for name, array in model.state_dict().items():
        assert_same_bits(array, before[name])
