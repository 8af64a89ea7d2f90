"""A compiled step leaves what a replay leaves, within the bound, for each layer and loss."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import compare, record, replayed, state_of
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet import SGD, Adam, AdamW, Model, mlp
from scratchnet.backends.compile import CompiledStep, NotCompiled, compiler_available
from scratchnet.layers import ACTIVATIONS

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")


def data(samples: int, targets: int | str = 1) -> tuple:
    rng = np.random.default_rng(samples)
    X = rng.normal(size=(samples, 2))
    if targets == "labels":
        return X, rng.integers(0, 3, samples)
    return X, (rng.random((samples, int(targets))) < 0.5).astype(float)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 7, 16, 83])
def test_tiles_of_any_number_of_points(samples: int, dtype: str) -> None:
    model = mlp([2, 9, 16, 1], dtype=dtype)
    calls, outcome, _ = record(SGD(model, 0.1), *data(samples))
    compare(model, calls, outcome)


@pytest.mark.parametrize(
    ("widths", "dtype", "has_wide_outputs"),
    # Every two of the three meet.
    [
        ((70, 131), "float32", True),
        ((70, 131), "float64", False),
        ((256, 96, 40), "float32", False),
        ((256, 96, 40), "float64", True),
        ((520, 300), "float32", True),
        ((520, 300), "float64", False),
    ],
)
def test_wide_layers(widths: tuple[int, ...], dtype: str, has_wide_outputs: bool) -> None:
    """Matrices in panels, rows that lie apart, long tiles, and outputs of a wide layer."""
    outputs = 257 if has_wide_outputs else 1
    model = mlp([2, *widths, outputs], dtype=dtype)
    X, y = data(83, outputs)
    loss = "mean_squared_error" if has_wide_outputs else "binary_cross_entropy"
    calls, outcome, _ = record(SGD(model, 0.01), X, y, loss=loss)
    compare(model, calls, outcome)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    model = mlp([2, 7, 4, 1], activation=activation)
    calls, outcome, _ = record(SGD(model, 0.1), *data(30))
    compare(model, calls, outcome)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        ("mean_squared_error", 1),
        ("mean_squared_error", 3),
        ("mean_absolute_error", 1),
        ("mean_absolute_error", 3),
        ("huber", 1),
        ("huber", 3),
        ("hinge", 1),
        ("softmax_cross_entropy", "labels"),
        ("binary_cross_entropy", 1),
    ],
)
@pytest.mark.parametrize("ensemble", [None, 3])
def test_losses(loss: str, targets: int | str, ensemble: int | None) -> None:
    outputs = 3 if targets == "labels" else int(targets)
    model = mlp([2, 8, outputs], ensemble=ensemble)
    calls, outcome, _ = record(SGD(model, 0.1), *data(40, targets), loss=loss)
    compare(model, calls, outcome)


OPTIMIZERS = {
    "sgd": lambda m: SGD(m, 0.1),
    "momentum": lambda m: SGD(m, 0.1, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda m: SGD(m, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda m: Adam(m, 0.01, weight_decay=0.1),
    "adamw": lambda m: AdamW(m, 0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_optimizers(name: str, clip_norm: float | None) -> None:
    model = mlp([2, 8, 1], ensemble=2)
    calls, outcome, _ = record(OPTIMIZERS[name](model), *data(40), clip_norm=clip_norm)
    compare(model, calls, outcome, float32=1e-4)


def test_a_mask_keeps_pruned_weights_at_zero() -> None:
    model = mlp([2, 8, 8, 1])
    model.set_mask(np.arange(model.parameter_count) % 3 == 0)
    calls, outcome, _ = record(SGD(model, 0.1, momentum=0.5), *data(40))
    compare(model, calls, outcome)
    assert not model.parameter_buffer[model.mask_buffer == 0].any()


def test_dropout_draws_the_same_bits() -> None:
    model = mlp([2, 8, 8, 1], dropout=0.3, ensemble=2)
    calls, outcome, _ = record(SGD(model, 0.1), *data(40))
    masks = [call.out for call in calls if call.kernel is np.greater_equal]
    assert masks
    compare(model, calls, outcome, steps=3)


@pytest.mark.parametrize("ensemble", [None, 2])
def test_batch_normalisation_in_several_phases(ensemble: int | None) -> None:
    model = mlp([2, 8, 6, 1], batch_norm=True, ensemble=ensemble)
    calls, outcome, _ = record(SGD(model, 0.1), *data(50))
    compare(model, calls, outcome, float32=2e-4)


def test_mini_batches_read_their_rows_anew() -> None:
    model = mlp([2, 8, 1], ensemble=2)
    calls, outcome, (rows,) = record(SGD(model, 0.1), *data(40), batch_size=16)
    state = [(array, array.copy()) for array in state_of(calls)]
    several = np.stack([(rows + i) % 40 for i in range(4)])
    want = []
    for each in several:
        rows[...] = each
        want.append(replayed(calls, outcome, 1)[0])
    for array, before in state:
        array[...] = before
    losses = CompiledStep(calls, outcome, 2).run(4, [(rows, several)])
    np.testing.assert_allclose(losses, want, rtol=1e-5)


def test_rows_out_of_range_are_refused() -> None:
    model = mlp([2, 8, 1])
    calls, outcome, (rows,) = record(SGD(model, 0.1), *data(40), batch_size=16)
    with pytest.raises(IndexError, match="40 rows"):
        CompiledStep(calls, outcome).run(1, [(rows, rows[None] + 40)])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_of_an_ensemble_has_the_bits_of_the_network_alone(threads: int) -> None:
    X, y = data(50)
    ensemble = mlp([2, 9, 8, 1], ensemble=3, dropout=0.2, batch_norm=True)
    calls, outcome, _ = record(Adam(ensemble, 0.01), X, y, clip_norm=0.5)
    losses = CompiledStep(calls, outcome, 3).run(5, threads=threads)
    for i in range(3):
        alone = mlp([2, 9, 8, 1], seed=i, dropout=0.2, batch_norm=True)
        calls, outcome, _ = record(Adam(alone, 0.01), X, y, clip_norm=0.5)
        np.testing.assert_array_equal(CompiledStep(calls, outcome).run(5), losses[:, i])
        np.testing.assert_array_equal(alone.parameter_buffer, ensemble.parameter_buffer[i])


def test_the_same_bits_on_every_run() -> None:
    parameters = []
    for steps in ([6], [1, 2, 3]):
        model = mlp([2, 9, 8, 1])
        calls, outcome, _ = record(Adam(model, 0.01), *data(50))
        compiled = CompiledStep(calls, outcome)
        for number in steps:
            compiled.run(number)
        parameters.append(model.parameter_buffer.tobytes())
    assert parameters[0] == parameters[1]


def test_a_loss_that_is_not_finite_comes_out_as_in_a_replay() -> None:
    model = mlp([2, 8, 1])
    model.parameter_buffer[...] *= 1e30
    with np.errstate(all="ignore"):
        calls, outcome, _ = record(SGD(model, 1e30), *data(20))
        want = replayed(calls, outcome, 2)
    assert not np.isfinite(want).all()
    got = CompiledStep(calls, outcome).run(2)
    np.testing.assert_array_equal(np.isnan(got[-1]), np.isnan(want[-1]))


def test_a_call_without_a_lowering_is_named() -> None:
    model = mlp([2, 8, 1])
    calls, outcome, _ = record(SGD(model, 0.1), *data(20))
    x = calls[-1].out
    calls.append(calls[-1]._replace(kernel=np.arcsin, inputs=(x,), out=x, is_new=False))
    with pytest.raises(NotCompiled, match=f"call {len(calls)}, arcsin"):
        CompiledStep(calls, outcome)


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_norm_and_scaled_branches(dtype: str, ensemble: int | None) -> None:
    model = mlp(
        [2, 7, 7, 1],
        layer_norm=True,
        residual=True,
        residual_scale=0.5,
        ensemble=ensemble,
        dtype=dtype,
    )
    calls, outcome, _ = record(SGD(model, 0.1), *data(30))
    compare(model, calls, outcome)


@settings(max_examples=12, deadline=None)
@given(
    widths=st.lists(st.integers(1, 36), min_size=1, max_size=3),
    samples=st.integers(2, 90),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    dtype=st.sampled_from(["float32", "float64"]),
    ensemble=st.sampled_from([None, 1, 2]),
    batch_norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.25]),
    residual=st.booleans(),
    bias=st.booleans(),
    optimizer=st.sampled_from(["sgd", "momentum", "nesterov"]),
)
def test_random_networks(
    widths: list[int],
    samples: int,
    activation: str,
    dtype: str,
    ensemble: int | None,
    batch_norm: bool,
    dropout: float,
    residual: bool,
    bias: bool,
    optimizer: str,
) -> None:
    widths = [widths[0]] * len(widths) if residual else widths
    model: Model = mlp(
        [2, *widths, 1],
        activation=activation,
        dtype=dtype,
        ensemble=ensemble,
        batch_norm=batch_norm,
        dropout=dropout,
        residual=residual,
        bias=bias,
    )
    calls, outcome, _ = record(OPTIMIZERS[optimizer](model), *data(samples))
    # A threshold may fall to either side of a number that is rounded otherwise.
    loose = {"float32": 5e-3, "float64": 1e-8} if batch_norm else {}
    compare(model, calls, outcome, steps=1, **loose)
