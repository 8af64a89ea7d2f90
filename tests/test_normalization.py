"""BatchNorm and LayerNorm: their formulas, their modes, networks alone and in ensembles."""

from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, perturb, refused, two_classes
from strategies import spread

from scratchnet import BatchNorm, LayerNorm, Model, Tensor, fit, mlp

# BatchNorm


def batch_norm(features: int = 2, ensemble: int | None = None, **options: float) -> Model:
    return Model(BatchNorm(features, **options), ensemble=ensemble, dtype="float64")


def test_batch_norm_trains_on_the_biased_variance_and_averages_the_unbiased_one() -> None:
    model = batch_norm(1, momentum=0.25, epsilon=0.5).train()
    layer = model.layers[0]
    # Mean (1+2+6)/3 = 3, squared deviations 4+1+9 = 14: variance 14/3, unbiased 14/2 = 7.
    y = model(np.array([[1.0], [2.0], [6.0]])).numpy()
    expected = np.array([[-2], [-1], [3]]) / np.sqrt(14 / 3 + 0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-15)
    # 0.75 * 0 + 0.25 * 3 = 0.75 and 0.75 * 1 + 0.25 * 7 = 2.5
    assert layer.buffers["running_mean"].tolist() == [0.75]
    assert layer.buffers["running_var"] == pytest.approx([2.5], rel=1e-15)
    # A batch (10, 10): 0.75 * 0.75 + 0.25 * 10 = 3.0625 and 0.75 * 2.5 + 0 = 1.875
    model(np.array([[10.0], [10.0]]))
    assert layer.buffers["running_mean"].tolist() == [3.0625]
    assert layer.buffers["running_var"] == pytest.approx([1.875], rel=1e-15)
    # In eval (x - 3.0625) / sqrt(1.875 + 0.5), and nothing is averaged.
    y = model.eval()(np.array([[4.0]])).numpy()
    np.testing.assert_allclose(y, [[0.9375 / np.sqrt(2.375)]], rtol=1e-15)
    assert layer.buffers["running_mean"].tolist() == [3.0625]


def test_batch_norm_has_mean_0_and_variance_1_per_feature_and_then_gain_and_shift() -> None:
    model = batch_norm(3).train()
    x = spread(3, (50, 3)) * [1, 20, 400] + [0, -7, 1e3]
    y = model(x).numpy()
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=0), x.var(axis=0) / (x.var(axis=0) + 1e-5), rtol=1e-10)
    gain, shift = model.parameters()
    gain.data[...], shift.data[...] = [1, 2, 3], [5, 6, 7]
    np.testing.assert_allclose(model(x).numpy(), y * [1, 2, 3] + [5, 6, 7], atol=1e-12)


def test_batch_norm_keeps_the_averages_of_each_network_apart() -> None:
    together = batch_norm(2, ensemble=2).train()
    x = spread(4, (2, 5, 2))
    together(x)
    for network in range(2):
        alone = batch_norm(2).train()
        alone(x[network])
        for name, expected in alone.layers[0].buffers.items():
            assert_same_bits(together.layers[0].buffers[name][network, 0], expected)


def test_batch_norm_refuses_a_batch_of_one_in_training_only() -> None:
    model = batch_norm(2).train()
    with refused("BatchNorm(2)", "(1, 2)", "at least 2"):
        model(np.zeros((1, 2)))
    assert model.layers[0].buffers["running_var"].tolist() == [1, 1]
    assert model.eval()(np.zeros((1, 2))).shape == (1, 2)


# LayerNorm


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ensemble", [None, 2])
def test_layer_norm_has_mean_0_and_variance_1_per_sample_then_gain_and_shift(
    ensemble: int | None, dtype: str
) -> None:
    model = Model(LayerNorm(4, epsilon=0.5), ensemble=ensemble, dtype=dtype)
    gain, shift = model.parameters()
    gain.data[...], shift.data[...] = [1, 2, 3, 4], [5, 6, 7, 8]
    # Mean (1+2+3+6)/4 = 3, squared deviations 4+1+0+9 = 14: variance 14/4 = 3.5, and 3.5 + 0.5 = 4.
    x = np.array([[1.0, 2, 3, 6], [10, 20, 30, 60], [7, 7, 7, 7]])
    ten = 100 * 3.5 + 0.5
    standard = np.array([[-2, -1, 0, 3], [-20, -10, 0, 30], [0, 0, 0, 0]]) / np.sqrt(
        [[4.0], [ten], [0.5]]
    )
    expected = standard * [1, 2, 3, 4] + [5, 6, 7, 8]
    for training in (True, False):
        y = model.train(training)(x).numpy()
        assert y.dtype == dtype and y.shape == (*([ensemble] if ensemble else []), 3, 4)
        np.testing.assert_allclose(y, np.broadcast_to(expected, y.shape), rtol=1e-6)


def test_layer_norm_treats_samples_apart_and_takes_one() -> None:
    model = Model(LayerNorm(3), dtype="float64").train()
    perturb(model)
    x = spread(2, (5, 3))
    together = model(x).numpy()
    for row, expected in zip(x, together, strict=True):
        assert_same_bits(model(row[None]).numpy()[0], expected)
    with refused("LayerNorm(3)", "(5, 2)", "needs (N, 3)"):
        model(np.zeros((5, 2)))
    with refused("epsilon of LayerNorm is 0.0", "above 0"):
        LayerNorm(3, epsilon=0)
    with refused("features of LayerNorm is 0"):
        LayerNorm(0)


def test_layer_norm_of_one_feature_is_its_shift_with_finite_gradients() -> None:
    model = Model(LayerNorm(1))
    model.parameter_buffer[...] = [2, 3]
    y = model(spread(3, (4, 1)))
    assert y.numpy().tolist() == [[3.0]] * 4
    y.sum().backward()
    assert model.gradient_buffer.tolist() == [0, 4]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("width", [1, 8, 33])
def test_mlp_with_layer_norm_trains_each_network_as_alone(
    width: int, record: bool, dtype: str
) -> None:
    def build(**options: Any) -> Model:
        return mlp((2, width, width, 1), layer_norm=True, residual=True, dtype=dtype, **options)

    X, y = two_classes(30)
    together = build(ensemble=3, seed=2)
    history = fit(together, X, y, epochs=10, batch_size=7, record=record)
    assert not history.diverged
    for i in range(3):
        alone = build(seed=2 + i)
        fit(alone, X, y, epochs=10, batch_size=7, record=record)
        assert_same_state(together.state_dict(i), alone.state_dict())


def test_layer_norm_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours, theirs = Model(LayerNorm(6), dtype="float64"), torch.nn.LayerNorm(6).double()
    perturb(ours)
    theirs.load_state_dict(
        {name: torch.from_numpy(ours.state_dict()[f"0.{name}"]) for name in ("weight", "bias")}
    )
    x, weights = spread(4, (5, 6)), spread(5, (5, 6))
    mine, its = Tensor(x), torch.from_numpy(x).requires_grad_()
    y, z = ours(mine), theirs(its)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12, atol=1e-12)
    (y * weights).sum().backward()
    (z * torch.from_numpy(weights)).sum().backward()
    np.testing.assert_allclose(mine.grad, its.grad.numpy(), rtol=1e-10, atol=1e-12)
    for name, parameter in ours.named_parameters():
        expected = getattr(theirs, name.removeprefix("0.")).grad.numpy()
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-10, atol=1e-12)


def test_mlp_puts_layer_norm_where_batch_norm_would_stand_and_takes_one_of_them() -> None:
    kinds = [type(layer).__name__ for layer in mlp((2, 4, 3, 1), layer_norm=True).layers]
    assert kinds == ["Linear", "LayerNorm", "ReLU"] * 2 + ["Linear"]
    with refused("batch_norm and layer_norm"):
        mlp((2, 4, 1), batch_norm=True, layer_norm=True)
    with refused("bottleneck", "layer_norm"):
        mlp((2, 4, 4, 1), bottleneck=2, layer_norm=True)
