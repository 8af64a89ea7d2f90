"""Pruning: exact counts, masks that hold under every optimizer, whole neurons, compacting."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assert_same_bits, assert_same_state, assert_views, refused, two_classes
from strategies import seeds

from scratchnet import (
    SGD,
    Adam,
    AdamW,
    Linear,
    Model,
    ReLU,
    Residual,
    Tanh,
    clip_gradients,
    evaluate_loss,
    fit,
    get_backend,
    mlp,
)
from scratchnet.compacting import compact
from scratchnet.layers import ACTIVATIONS
from scratchnet.optim import Optimizer
from scratchnet.pruning import (
    alive_parameters,
    connection_sensitivity,
    gradient_flow,
    layer_masks,
    prune,
    prune_neurons,
    random_scores,
    remaining_weights,
    synaptic_flow,
    weight_places,
)

OPTIMIZERS: dict[str, Callable[[Model], Optimizer]] = {
    "gradient descent": lambda model: SGD(model, 0.05, weight_decay=0.1),
    "momentum": lambda model: SGD(model, 0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda model: SGD(model, 0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda model: Adam(model, 0.01, weight_decay=0.1),
    "adamw": lambda model: AdamW(model, 0.01, weight_decay=0.1),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)

shares = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 0.3, 0.1, 1 / 3]),
    st.floats(0, 1, allow_subnormal=False),
)


def small(ensemble: int | None = None, **options: Any) -> Model:
    return mlp([2, 4, 5, 1], ensemble=ensemble, **options)


WEIGHTS = 2 * 4 + 4 * 5 + 5


def counts(model: Model, biases: bool = False) -> Any:
    """The remaining weights of each network."""
    total = sum(np.atleast_1d(each.remaining) for each in remaining_weights(model, biases))
    return total.tolist()


# How many go, and which.


@given(seed=seeds, share=shares, ensemble=st.sampled_from([None, 1, 3]), ties=st.booleans())
def test_any_weights_and_any_fraction_give_the_exact_count(
    seed: int, share: float, ensemble: int | None, ties: bool
) -> None:
    model = small(ensemble)
    rng = np.random.default_rng(seed)
    values = rng.integers(-2, 3, model.parameter_buffer.shape) if ties else None
    model.parameter_buffer[...] = rng.normal(size=model.parameter_buffer.shape)
    if values is not None:
        model.parameter_buffer[...] = values
    before = model.parameter_buffer.copy()
    prune(model, fraction=share)
    left = WEIGHTS - round(Fraction(str(share)) * WEIGHTS)
    assert counts(model) == [left] * (ensemble or 1)
    prune(model, fraction=share)
    again = left - round(Fraction(str(share)) * left)
    assert counts(model) == [again] * (ensemble or 1)
    alive = alive_parameters(model).reshape(before.shape)
    assert_same_bits(model.parameter_buffer[alive], before[alive])
    assert not model.parameter_buffer[~alive].any()
    # No weight that stays is smaller than one that went.
    places = np.concatenate([np.r_[place] for place in weight_places(model).values()])
    for row, kept in zip(np.atleast_2d(np.abs(before)), np.atleast_2d(alive), strict=True):
        row, kept = row[places], kept[places]
        if kept.any() and not kept.all():
            assert row[~kept].max() <= row[kept].min()


@given(seed=seeds, share=shares, scope=st.sampled_from(["global", "layer"]))
def test_a_target_sparsity_is_reached_once_and_never_undone(
    seed: int, share: float, scope: str
) -> None:
    model = small(2, seed=seed % 1000)
    prune(model, sparsity=share, scope=scope)
    groups = [WEIGHTS] if scope == "global" else [8, 20, 5]
    left = sum(each - round(Fraction(str(share)) * each) for each in groups)
    assert counts(model) == [left, left]
    once = alive_parameters(model)
    model.parameter_buffer[...] = np.random.default_rng(seed).normal(
        size=model.parameter_buffer.shape
    )
    prune(model, sparsity=share, scope=scope)
    assert_same_bits(alive_parameters(model), once)
    prune(model, sparsity=share / 2, scope=scope)
    assert_same_bits(alive_parameters(model), once)


def test_decimals_mean_what_they_say() -> None:
    """0.7 * 10 is 7.0, but 0.29 * 100 is 28.999999999999996, and 1 - 0.9 is less than 0.1."""
    model = Model(Linear(10, 10))
    prune(model, fraction=0.29)
    assert counts(model) == [71]
    prune(model, sparsity=0.9)
    assert counts(model) == [10]


def test_what_is_pruned_is_a_plain_zero_whatever_it_was() -> None:
    """A product with the mask would leave -0.0 and NaN."""
    model = Model(Linear(2, 1))
    model.parameter_buffer[...] = [-1, np.nan, np.inf]
    model.set_mask([0, 0, 0])
    assert_same_bits(model.parameter_buffer, np.zeros(3, np.float32))


def test_of_equal_weights_the_first_go() -> None:
    model = Model(Linear(2, 3))
    model.parameter_buffer[:6] = [1, -1, 1, 2, 1, -1]
    prune(model, fraction=0.5)
    assert alive_parameters(model)[0, :6].tolist() == [False, False, False, True, True, True]
    prune(model, fraction=0.33)
    assert alive_parameters(model)[0, :6].tolist() == [False, False, False, True, False, True]
    # Many, since a sort that is not stable keeps the order of few.
    model = Model(Linear(40, 50))
    values = np.random.default_rng(0).integers(-3, 4, 2000)
    model.parameter_buffer[:2000] = values
    prune(model, fraction=0.45)
    in_order = sorted(range(2000), key=lambda place: abs(values[place]))
    assert np.flatnonzero(~alive_parameters(model)[0]).tolist() == sorted(in_order[:900])


def test_biases_are_pruned_only_on_request() -> None:
    model = small()
    model.parameter_buffer[...] = 1.0
    prune(model, sparsity=1)
    assert model.parameter_buffer.sum() == model.parameter_count - WEIGHTS == 10
    prune(model, sparsity=1, biases=True)
    assert not model.parameter_buffer.any()


def test_batch_norm_is_never_pruned() -> None:
    model = mlp([2, 3, 1], batch_norm=True)
    prune(model, sparsity=1, biases=True)
    assert model.state_dict()["1.weight"].tolist() == [1, 1, 1]


def test_each_network_is_pruned_for_itself() -> None:
    together, alone = small(3, seed=5), small(seed=6)
    for model in (together, alone):
        prune(model, fraction=0.4)
    assert_same_bits(alive_parameters(together)[1], alive_parameters(alone)[0])
    assert_same_bits(together.parameter_buffer[1], alone.parameter_buffer)


def test_random_scores_are_those_of_the_generator() -> None:
    together, alone = small(2), small()

    def generator(seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)

    prune(together, fraction=0.4, scores=random_scores(together, [generator(1), generator(2)]))
    prune(alone, fraction=0.4, scores=random_scores(alone, [generator(2)]))
    assert_same_bits(alive_parameters(together)[1], alive_parameters(alone)[0])
    assert not np.array_equal(*alive_parameters(together))


# The mask holds.


@every_optimizer
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("ensemble", [None, 2])
def test_what_is_pruned_stays_pruned_for_a_hundred_steps(
    optimizer: str, record: bool, ensemble: int | None
) -> None:
    """Pruned in the middle of training, when momentum is at full speed; with clipping and without,
    since that masks gradients too."""
    X, y = two_classes(20)
    model = small(ensemble)
    moving = OPTIMIZERS[optimizer](model)
    fit(model, X, y, optimizer=moving, epochs=20, record=record)
    prune(model, fraction=0.5, biases=True)
    gone = ~alive_parameters(model).reshape(model.parameter_buffer.shape)
    start = model.parameter_buffer.copy()

    def look(*_: Any) -> None:
        for array in (model.parameter_buffer, model.gradient_buffer, *moving.moments().values()):
            assert not array[gone].any()

    clip_norm = None if ensemble is None else 1.0
    settings: dict[str, Any] = {"callbacks": [look], "record": record, "clip_norm": clip_norm}
    fit(model, X, y, optimizer=moving, epochs=100, **settings)
    assert (model.parameter_buffer != start)[~gone].any()
    assert_views(model)


@every_optimizer
@pytest.mark.parametrize("ensemble", [None, 3])
def test_replayed_steps_with_a_mask_give_the_bits_of_eager_ones(
    optimizer: str, ensemble: int | None
) -> None:
    X, y = two_classes(20)
    trained = []
    for record in (False, True):
        model = small(ensemble, batch_norm=True, dropout=0.2)
        prune(model, fraction=0.5)
        moving = OPTIMIZERS[optimizer](model)
        fit(model, X, y, optimizer=moving, epochs=8, batch_size=7, clip_norm=0.5, record=record)
        trained.append(model.state_dict())
    assert_same_state(*trained)


@every_optimizer
def test_steps_with_a_mask_are_steps_on_the_smaller_problem(optimizer: str) -> None:
    """What remains moves as if the gradients of the pruned had been zero from the beginning."""
    model, other = small(dtype="float64"), small(dtype="float64")
    prune(model, fraction=0.5)
    alive = alive_parameters(model)[0]
    moving, reference = OPTIMIZERS[optimizer](model), OPTIMIZERS[optimizer](other)
    other.parameter_buffer[...] = model.parameter_buffer
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradients = rng.normal(size=alive.shape)
        model.gradient_buffer[...] = gradients
        other.gradient_buffer[...] = gradients * alive
        for each in (moving, reference):
            each.step()
        np.testing.assert_array_equal(model.parameter_buffer, other.parameter_buffer)


def test_clipping_counts_pruned_gradients_as_zero() -> None:
    model = Model(Linear(1, 2), dtype="float64")
    model.set_mask([0, 1, 1, 1])
    model.gradient_buffer[...] = [100, 3, 0, 4]
    assert clip_gradients(model, 1.0) == pytest.approx(5)
    assert model.gradient_buffer == pytest.approx([0, 0.6, 0, 0.8])


def test_a_first_mask_is_noticed_by_a_step_that_is_recorded_already() -> None:
    """And a later one is written into the same array, which the recording reads."""
    X, y = two_classes(20)
    model = small()

    def prune_twice(epoch: int, *_: Any) -> None:
        if epoch in (5, 10):
            prune(model, fraction=0.5)
        gone = ~alive_parameters(model)[0]
        assert not model.parameter_buffer[gone].any()

    fit(model, X, y, optimizer=SGD(model, 0.1, 0.9), epochs=20, callbacks=[prune_twice])
    # 33 - 16 - 8: halves are rounded to the even number.
    assert counts(model) == [9]


def test_early_stopping_does_not_bring_pruned_weights_back() -> None:
    """The best epoch may have been before the pruning."""
    X, y = two_classes(20)
    model = small()

    def prune_late(epoch: int, *_: Any) -> None:
        if epoch == 5:
            prune(model, sparsity=0.9)

    data: dict[str, Any] = {"validation": (X, y), "patience": 3, "callbacks": [prune_late]}
    history = fit(model, X, y, optimizer=Adam(model, 0.05), epochs=20, **data)
    assert history.best_epoch <= 5 and history.stopped == "early stopping"
    assert not model.parameter_buffer[~alive_parameters(model)[0]].any()


def test_loading_does_not_bring_pruned_weights_back() -> None:
    model = small()
    state = model.state_dict()
    prune(model, sparsity=0.5)
    mask = model.mask_buffer
    model.load_state_dict(state)
    assert not model.parameter_buffer[~alive_parameters(model)[0]].any()
    prune(model, sparsity=0.7)
    assert model.mask_buffer is mask
    model.clear_mask()
    model.load_state_dict(state)
    assert_same_bits(model.state_dict()["0.weight"], state["0.weight"])


def test_a_network_taken_out_of_an_ensemble_keeps_its_mask() -> None:
    X, y = two_classes(20)
    model = small(3, seed=4, batch_norm=True, dropout=0.2)
    fit(model, X, y, epochs=3)
    prune(model, fraction=0.5)
    single = model.network(2)
    assert single.seeds == (6,) and single.ensemble is None
    assert_same_bits(alive_parameters(single)[0], alive_parameters(model)[2])
    assert_same_bits(single.predict(X), model.predict(X)[2])
    fit(single, X, y, epochs=2)
    assert_views(single)
    assert_views(model)


def test_copies_of_a_network_compute_what_it_does_and_are_pruned_alone() -> None:
    X, y = two_classes(20)
    model = small(batch_norm=True, dropout=0.2)
    fit(model, X, y, epochs=3)
    prune(model, fraction=0.2)
    copies = model.repeated(2)
    assert copies.mask_buffer is None
    for network in range(2):
        assert_same_bits(copies.predict(X)[network], model.predict(X))
    mask = np.ones(copies.parameter_buffer.shape)
    mask[1] = 0
    copies.set_mask(mask)
    assert_same_bits(copies.predict(X)[0], model.predict(X))
    fit(copies, X, y, epochs=2)
    assert_views(copies)
    assert_views(model)


def test_masks_and_counts_of_layers() -> None:
    model = small(2)
    prune(model, sparsity=0.5, scope="layer")
    masks = layer_masks(model)
    assert {name: mask.shape for name, mask in masks.items()} == {
        "0.weight": (2, 2, 4),
        "2.weight": (2, 4, 5),
        "4.weight": (2, 5, 1),
    }
    assert [(each.name, each.total) for each in remaining_weights(model)] == [
        ("0.weight", 8),
        ("2.weight", 20),
        ("4.weight", 5),
    ]
    for each in remaining_weights(model):
        assert each.remaining.tolist() == masks[each.name].sum(axis=(1, 2)).tolist()
    assert isinstance(remaining_weights(small())[0].remaining, int)


# Scores.


def test_connection_sensitivity_is_the_change_of_the_loss_to_first_order() -> None:
    X, y = two_classes(20)
    model = small(2, dtype="float64")
    scores = connection_sensitivity(model, X, y)
    before = evaluate_loss(model, X, y, "binary_cross_entropy")
    for place in (0, 7, 20):
        kept = model.parameter_buffer.copy()
        model.parameter_buffer[:, place] *= 1 - 1e-6
        change = evaluate_loss(model, X, y, "binary_cross_entropy") - before
        np.testing.assert_allclose(np.abs(change) / 1e-6, scores[:, place], rtol=1e-3, atol=1e-9)
        model.parameter_buffer[...] = kept


def test_gradient_flow_is_half_of_what_the_squared_gradient_loses_to_first_order() -> None:
    X, y = two_classes(20)
    model = mlp([2, 4, 3, 1], activation="tanh", ensemble=2, dtype="float64")
    prune(model, sparsity=0.3)
    scores = gradient_flow(model, X, y)

    def squared_gradients() -> Any:
        connection_sensitivity(model, X, y)
        alive = alive_parameters(model)
        return ((model.gradient_buffer * alive) ** 2).sum(axis=1)

    before = squared_gradients()
    for place in (0, 5, 20):
        kept = model.parameter_buffer.copy()
        model.parameter_buffer[:, place] *= 1 - 1e-6
        lost = (before - squared_gradients()) / 1e-6
        np.testing.assert_allclose(lost / 2, scores[:, place], rtol=1e-2, atol=1e-6)
        model.parameter_buffer[...] = kept


def test_synaptic_flow_is_the_sum_over_all_paths_through_a_weight() -> None:
    """In 2-3-1 the paths of first-layer weight (i, j) have |w_ij v_j|; each layer's flow is R."""
    model = mlp([2, 3, 1], ensemble=2, dtype="float64")
    prune(model, sparsity=0.2)
    scores = synaptic_flow(model)
    places = weight_places(model)
    first, second = (np.abs(model.state_dict()[name]) for name in places)
    flow = first * second.reshape(2, 1, 3)
    np.testing.assert_allclose(scores[:, places["0.weight"]], flow.reshape(2, -1))
    np.testing.assert_allclose(scores[:, places["2.weight"]], flow.sum(axis=1))
    with refused("synaptic flow of this network overflows"):
        synaptic_flow(mlp([2, *[32] * 100, 1]))


@pytest.mark.parametrize(
    "score", [connection_sensitivity, gradient_flow, lambda model, X, y: synaptic_flow(model)]
)
def test_scores_change_nothing_but_gradients(score: Any) -> None:
    X, y = two_classes(20)
    model = mlp([2, 4, 1], batch_norm=True, dropout=0.3).eval()
    before = model.state_dict()
    score(model, X, y)
    after = model.state_dict()
    assert not model.training
    for name, array in before.items():
        assert_same_bits(after[name], array)


# Whole neurons, and the network without them.


def test_neurons_go_with_their_weights_in_and_out() -> None:
    model = mlp([2, 4, 3, 1], ensemble=2)
    weights = model.state_dict()["0.weight"]
    weakest = np.abs(weights).sum(axis=1).argsort(axis=1)[:, :2]
    prune_neurons(model, fraction=0.5)
    state = model.state_dict()
    for network, gone in enumerate(weakest):
        assert not state["0.weight"][network][:, gone].any()
        assert not state["2.weight"][network][gone].any()
    assert [each.remaining.tolist() for each in remaining_weights(model)] == [
        [4, 4],
        [2, 2],
        [1, 1],
    ]
    prune_neurons(model, sparsity=0.5)
    assert counts(model) == [7, 7]


def with_dead_neurons(ensemble: int | None, **options: Any) -> Model:
    """A model with random numbers, two neurons of which have lost their incoming weights."""
    model = mlp([3, 5, 4, 2], ensemble=ensemble, dtype="float64", **options)
    rng = np.random.default_rng(0)
    model.load_state_dict(
        {
            name: array if array.dtype.kind in "iu" else rng.uniform(0.3, 1.2, array.shape)
            for name, array in model.state_dict().items()
        }
    )
    alive = alive_parameters(model)
    first = weight_places(model)["0.weight"]
    for number, row in enumerate(alive):
        row[first].reshape(3, 5)[:, [number, 3]] = False
    model.set_mask(alive.reshape(model.parameter_buffer.shape))
    return model.eval()


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"activation": "sigmoid"},
        {"activation": "softplus", "batch_norm": True, "dropout": 0.3},
        {"activation": "leaky_relu", "batch_norm": True},
    ],
    ids=str,
)
def test_what_a_neuron_without_inputs_puts_out_goes_into_the_next_bias(
    options: Any, ensemble: int | None
) -> None:
    model = with_dead_neurons(ensemble, **options)
    X = np.random.default_rng(1).normal(size=(20, 3))
    before = model.predict(X)
    weights = [name for name in weight_places(model) if name != "0.weight"]
    prune_neurons(model, fraction=0)
    np.testing.assert_allclose(model.predict(X), before, rtol=0, atol=1e-12)
    for number, row in enumerate(alive_parameters(model)):
        outgoing = row[weight_places(model)[weights[0]]].reshape(5, 4)
        assert outgoing.any(axis=1).tolist() == [i not in (number, 3) for i in range(5)]
    # Once: what has gone into the bias is not added again.
    state = model.state_dict()
    prune_neurons(model, fraction=0)
    assert_same_state(model.state_dict(), state)


def test_neurons_that_lose_their_inputs_with_the_layer_before_are_folded_too() -> None:
    """All of the first layer goes; the others put out constants, which reach the last bias."""
    model = mlp([2, 3, 4, 1], "sigmoid", dtype="float64").eval()
    rng = np.random.default_rng(0)
    state = {name: rng.normal(size=a.shape) for name, a in model.state_dict().items()}
    model.load_state_dict(state)
    prune_neurons(model, sparsity=1)
    hidden = 1 / (1 + np.exp(-state["2.bias"]))
    expected = hidden @ state["4.weight"] + state["4.bias"]
    assert not any(model.state_dict()[f"{i}.weight"].any() for i in (0, 2, 4))
    np.testing.assert_allclose(
        model.predict(rng.normal(size=(5, 2))), [expected] * 5, rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("bias", [True, False])
def test_where_the_next_bias_is_pruned_or_missing_outgoing_weights_stay(bias: bool) -> None:
    model = Model(Linear(2, 3), Tanh(), Linear(3, 2, bias=bias), dtype="float64")
    rng = np.random.default_rng(0)
    model.load_state_dict({k: rng.normal(size=a.shape) for k, a in model.state_dict().items()})
    places = weight_places(model, biases=True)
    alive = alive_parameters(model)
    alive[0, places["0.weight"]].reshape(2, 3)[:, 1] = False
    if bias:
        alive[0, places["2.bias"].start] = False
    model.set_mask(alive[0])
    X = rng.normal(size=(9, 2))
    before = model.predict(X)
    prune_neurons(model, fraction=0)
    np.testing.assert_allclose(model.predict(X), before, rtol=0, atol=1e-14)
    assert layer_masks(model)["2.weight"].tolist() == [[True, True], [True, not bias], [True, True]]


@settings(max_examples=40)
@given(
    seed=seeds,
    share=st.sampled_from([0.0, 0.3, 0.6, 0.8, 0.9, 0.97, 1.0]),
    activation=st.sampled_from(
        [name for name, kind in ACTIVATIONS.items() if kind.is_differentiable]
    ),
    batch_norm=st.booleans(),
    structured=st.booleans(),
    bias=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_the_compacted_network_computes_what_the_masked_one_does(
    seed: int,
    share: float,
    activation: str,
    batch_norm: bool,
    structured: bool,
    bias: bool,
    dtype: str,
) -> None:
    rng = np.random.default_rng(seed)
    model = mlp(
        [3, 6, 5, 4, 2],
        activation,
        batch_norm=batch_norm,
        dropout=0.1,
        bias=bias,
        dtype=dtype,
        seed=seed % 100,
    )
    state = {
        name: np.abs(rng.normal(size=each.shape)) if "var" in name else rng.normal(size=each.shape)
        for name, each in model.state_dict().items()
        if each.dtype.kind == "f"
    }
    model.load_state_dict(model.state_dict() | state)
    if structured:
        prune_neurons(model, sparsity=share)
    else:
        prune(model, sparsity=share)
    smaller = compact(model)
    assert smaller.parameter_count <= model.parameter_count and smaller.training
    assert not compact(model.eval()).training
    X = rng.normal(size=(20, 3))
    expected = model.predict(X)
    scale = max(1.0, np.abs(expected).max())
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(smaller.predict(X), expected, rtol=0, atol=tolerance * scale)
    if structured and share == 0.6:
        # Two of six, five and four are left: 6, 5 and 4 minus round(3.6), 3 and round(2.4).
        assert [each.fan_out for each in smaller.layers if isinstance(each, Linear)] == [2, 2, 2, 2]


def test_a_dead_neurons_constant_goes_into_the_next_bias() -> None:
    model = Model(Linear(1, 2), ReLU(), Linear(2, 1), dtype="float64")
    state = {
        "0.weight": [[0.0, 3.0]],
        "0.bias": [2.0, -1.0],
        "2.weight": [[5.0], [7.0]],
        "2.bias": [0.5],
    }
    model.load_state_dict(state)
    smaller = compact(model)
    assert {name: each.tolist() for name, each in smaller.state_dict().items()} == {
        "0.weight": [[3.0]],
        "0.bias": [-1.0],
        "2.weight": [[7.0]],
        "2.bias": [10.5],
    }


def test_the_constants_are_exact_where_the_backend_rounds() -> None:
    model = Model(Linear(1, 2), Tanh(), Linear(2, 1), backend=get_backend("numpy", "bf16"))
    # 1/3 is no bf16 number; the second neuron is left.
    model.parameter_buffer[...] = [0, 1, 1 / 3, 0, 1 / 3, 1, 0]
    bias = compact(model).state_dict()["2.bias"]
    assert bias.tolist() == pytest.approx([np.tanh(1 / 3) / 3], rel=1e-6)


def test_neurons_die_in_a_row() -> None:
    """A neuron that hears only dead ones is dead, and one that only dead ones hear is unheard."""
    model = mlp([2, 3, 3, 3, 1])
    state = model.state_dict()
    state["2.weight"][:, 0] = 0
    state["2.weight"][:, 0][1] = 1.0
    state["0.weight"][:, 1] = 0
    state["6.weight"][2] = 0
    state["4.weight"][0, :2] = 0
    model.load_state_dict(state)
    smaller = compact(model)
    widths = [each.fan_out for each in smaller.layers if isinstance(each, Linear)]
    assert widths == [2, 2, 2, 1]
    X = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_allclose(smaller.predict(X), model.predict(X), atol=1e-5)


# Bad input.


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "half"])
@pytest.mark.parametrize("argument", ["fraction", "sparsity"])
def test_shares_outside_0_to_1_are_refused(argument: str, share: Any) -> None:
    with refused(f"{argument} is {share!r}", "from 0 to 1"):
        prune(small(), **{argument: share})


def test_other_bad_input_is_refused() -> None:
    model = small(2)
    with refused("fraction (of what remains) or a sparsity"):
        prune(model)
    with refused("fraction (of what remains) or a sparsity"):
        prune(model, fraction=0.1, sparsity=0.1)
    with refused("scope", "'global'"):
        prune(model, fraction=0.1, scope="globel")
    with refused("scores of shape (3,)", "(2, 43)"):
        prune(model, fraction=0.1, scores=np.zeros(3))
    with refused("mask of shape (43,)", "(2, 43)"):
        model.set_mask(np.ones(43))
    with refused("other than 0 and 1"):
        model.set_mask(np.full((2, 43), 0.5))
    with refused("ensemble", "model.network(i)"):
        compact(model)
    with refused("copies of an ensemble"):
        model.repeated(2)
    with refused("network 2 of an ensemble of 2"):
        model.network(2)
    with refused("without Linear layers"):
        prune(Model(ReLU()), fraction=0.1)
    with refused("layer 2, Residual"):
        prune_neurons(mlp([2, 4, 4, 1], residual=True), fraction=0.1)
    with refused("1 generators for 2 networks"):
        random_scores(model, [np.random.default_rng()])
    assert model.mask_buffer is None


def test_blocks_with_weights_inside_are_pruned_too() -> None:
    model = Model(Linear(2, 3), Residual(Linear(3, 3), ReLU()), Linear(3, 1))
    prune(model, sparsity=1)
    assert [each.total for each in remaining_weights(model)] == [6, 9, 3]


def test_a_constant_neuron_gives_a_layer_without_bias_one_if_it_needs_it() -> None:
    for activation, needs_bias in (("relu", False), ("sigmoid", True)):
        model = mlp((2, 4, 3, 1), activation, bias=False, dtype="float64")
        prune_neurons(model, fraction=0.5)
        # Its incoming weights are gone, and the outgoing ones are there again.
        model.clear_mask()
        model.layers[2].parameters["weight"].data[...] = 0.7
        small = compact(model)
        linear = [layer for layer in small.layers if isinstance(layer, Linear)]
        assert [layer.bias for layer in linear[:2]] == [False, needs_bias]
        X = two_classes(9)[0]
        np.testing.assert_allclose(small.predict(X), model.predict(X), rtol=0, atol=1e-14)


def test_pruning_with_biases_counts_those_that_there_are() -> None:
    model = mlp((2, 3, 1), bias=False)
    assert list(weight_places(model, biases=True)) == ["0.weight", "2.weight"]
    prune(model, sparsity=1, biases=True)
    assert not model.parameter_buffer.any()
    mixed = Model(Linear(2, 3, bias=False), ReLU(), Linear(3, 1))
    assert [each.total for each in remaining_weights(mixed, biases=True)] == [6, 3, 1]
