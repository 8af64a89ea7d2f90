"""What the statistics of a layer count, on networks and matrices whose numbers are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import two_classes

from scratchnet import SGD, Dropout, InputError, Linear, Model, ReLU, fit, mlp
from scratchnet.layer_statistics import (
    StatisticsRecorder,
    effective_rank,
    hidden_layers,
    hidden_outputs,
    hidden_statistics,
    layer_statistics,
    summarize,
)

INPUTS = np.array([[1.0], [2.0], [-1.0], [-2.0]])


def hand_set(weights: list[float], biases: list[float]) -> Model:
    """x -> relu(x weights + biases) -> their sum, with 1 input."""
    model = Model(Linear(1, len(weights)), ReLU(), Linear(len(weights), 1), dtype="float64")
    model.load_state_dict(
        {
            "0.weight": [weights],
            "0.bias": biases,
            "2.weight": [[1.0]] * len(weights),
            "2.bias": [0.0],
        }
    )
    return model


def test_a_dead_unit_is_zero_on_every_input_which_is_not_the_share_of_zeros() -> None:
    (hidden,) = hidden_statistics(hand_set([1.0, -1.0, 1.0], [0.0, 0.0, -5.0]), INPUTS)
    assert hidden.units == 3
    assert hidden.dead_units == 1
    assert hidden.dead_share == pytest.approx(1 / 3)
    assert hidden.zero_share == pytest.approx(8 / 12)


def test_half_of_the_outputs_can_be_zero_without_a_dead_unit() -> None:
    (hidden,) = hidden_statistics(hand_set([1.0, -1.0], [0.0, 0.0]), INPUTS)
    assert (hidden.zero_share, hidden.dead_units) == (0.5, 0)


def test_mean_and_standard_deviation_are_those_of_all_outputs() -> None:
    (hidden,) = hidden_statistics(hand_set([1.0, -1.0], [0.0, 0.0]), INPUTS)
    outputs = [1, 2, 0, 0, 0, 0, 1, 2]
    assert hidden.mean == pytest.approx(np.mean(outputs))
    assert hidden.standard_deviation == pytest.approx(np.std(outputs))


def test_every_layer_has_its_entry() -> None:
    statistics = layer_statistics(hand_set([1.0, -1.0], [0.0, 0.0]), INPUTS)
    assert [(each.name, each.units) for each in statistics] == [("0", 2), ("1", 2), ("2", 1)]
    assert statistics[1].layer == "ReLU()"
    assert statistics[2].mean == pytest.approx(1.5)


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_norm": True}, {"dropout": 0.5}, {"residual": True}, {"bottleneck": 2}],
    ids=str,
)
def test_hidden_layers_are_counted_alike_however_they_are_made(options: dict) -> None:
    model = mlp([2, 5, 5, 5, 1], **options)
    names = hidden_layers(model)
    assert len(names) == 3
    X, _ = two_classes()
    outputs = hidden_outputs(model, X)
    assert [each.shape for each in outputs] == [(11, 5)] * 3
    # The output layer computes the logits from the last of them, so it was not taken too early.
    last = model.layers[-1]
    logits = outputs[-1] @ last.parameters["weight"].data + last.parameters["bias"].data
    np.testing.assert_allclose(logits, model.predict(X), rtol=1e-4, atol=1e-6)


def test_a_linear_model_has_no_hidden_layer() -> None:
    assert hidden_layers(mlp([2, 1])) == ()


def test_an_ensemble_has_the_numbers_of_its_networks() -> None:
    widths = [2, 6, 4, 1]
    X, _ = two_classes(9, networks=3)
    together = layer_statistics(mlp(widths, ensemble=3), X)
    for network in range(3):
        alone = layer_statistics(mlp(widths, seed=network), X[network])
        for all_of_them, one in zip(together, alone, strict=True):
            for name in ("mean", "standard_deviation", "zero_share", "dead_units"):
                assert getattr(one, name).shape == ()
                assert getattr(all_of_them, name).shape == (3,)
                assert getattr(all_of_them, name)[network] == getattr(one, name)
            np.testing.assert_allclose(all_of_them.effective_rank[network], one.effective_rank)


def test_what_all_networks_share_has_a_number_for_each() -> None:
    model = Model(Dropout(0.5), Linear(2, 3), ensemble=4)
    assert layer_statistics(model, two_classes()[0])[0].mean.shape == (4,)


def test_statistics_leave_the_mode_and_draw_no_dropout() -> None:
    model = mlp([2, 4, 4, 1], dropout=0.5)
    model.train()
    X, _ = two_classes()
    first, second = (layer_statistics(model, X) for _ in range(2))
    assert model.training
    assert [each.mean for each in first] == [each.mean for each in second]


def test_a_network_that_is_not_finite_does_not_disturb_the_others() -> None:
    outputs = np.array([[[1.0, 0.0], [0.0, 0.0]], [[math.nan, 0.0], [1.0, 0.0]]])
    statistics = summarize(outputs)
    assert (statistics.name, statistics.layer) == ("", "")
    assert statistics.mean[0] == 0.25
    assert statistics.effective_rank[0] == pytest.approx(1)
    assert np.isnan([statistics.mean[1], statistics.effective_rank[1]]).all()
    assert statistics.dead_units.tolist() == [1, 1]


@given(
    rank=st.integers(1, 5),
    extra=st.integers(0, 4),
    scale=st.floats(1e-6, 1e6),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=30)
def test_effective_rank_of_equal_singular_values_is_their_number(
    rank: int, extra: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rank + extra + 2, rank)))[0]
    right = np.linalg.qr(rng.standard_normal((rank + extra, rank)))[0]
    assert effective_rank(scale * left @ right.T) == pytest.approx(rank, rel=1e-6)


def test_effective_rank_of_known_matrices() -> None:
    assert effective_rank(np.zeros((4, 3))) == 0
    assert effective_rank(np.outer([1, 2, 3, 4], [1, -1, 2])) == pytest.approx(1)
    assert effective_rank(np.full((5, 2), 7.0)) == pytest.approx(1)
    # p = 3/4, 1/4
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(expected)
    np.testing.assert_allclose(effective_rank(np.stack([np.eye(3), np.zeros((3, 3))])), [3, 0])


def test_a_recorder_takes_every_nth_epoch_and_changes_nothing() -> None:
    X, y = two_classes(40)
    plain, watched = (mlp([2, 6, 6, 1], ensemble=3) for _ in range(2))
    fit(plain, X, y, optimizer=SGD(plain, 0.1), epochs=7)
    recorder = StatisticsRecorder(X, every=3)
    recorder.take(watched, 0)
    fit(watched, X, y, optimizer=SGD(watched, 0.1), epochs=7, callbacks=[recorder])
    assert recorder.epochs == [0, 3, 6]
    assert recorder.curves("mean").shape == (3, 2, 3)
    assert recorder.curves("dead_share").shape == (3, 2, 3)
    assert not np.array_equal(recorder.curves("mean")[0], recorder.curves("mean")[-1])
    np.testing.assert_array_equal(plain.parameter_buffer, watched.parameter_buffer)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: summarize(np.zeros(3)), r"outputs of shape \(3,\): needs"),
        (lambda: summarize(np.zeros((0, 3))), r"outputs of shape \(0, 3\): needs"),
        (lambda: effective_rank([1.0]), "effective rank of shape"),
        (lambda: effective_rank([[math.inf]]), "finite"),
        (lambda: StatisticsRecorder(INPUTS, every=0), "every of StatisticsRecorder is 0"),
        (lambda: StatisticsRecorder(INPUTS).curves("median"), "statistic 'median': must be one of"),
    ],
)
def test_bad_arguments_get_one_line(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
