"""Layers: values and gradients of each kind, BatchNorm and Dropout in both modes, containers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import LAYERS, assert_same_bits, assert_same_state, refused, two_classes
from strategies import seeds, spread

from scratchnet import (
    SGD,
    BatchNorm,
    Bottleneck,
    Dropout,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Model,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    Tensor,
    Threshold,
    fit,
    mlp,
)
from scratchnet.datasets import spirals
from scratchnet.gradcheck import GradientError, check_gradients
from scratchnet.layers import KINDS

DIFFERENTIABLE = [name for name, kind in KINDS.items() if kind.is_differentiable]


def perturb(model: Model, seed: int = 0) -> None:
    """Gains other than 1, shifts other than 0: else a forgotten factor would not show."""
    rng = np.random.default_rng(seed)
    model.parameter_buffer += 0.3 * rng.standard_normal(model.parameter_buffer.shape)


def same_masks_every_time(model: Model) -> Callable[..., Tensor]:
    """The model as a function of its input and parameters, with Dropout rewound at each call."""

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        for _, layer in model.root.walk():
            if isinstance(layer, Dropout):
                layer.buffers["drawn"][...] = 0
        return model(x)

    return function


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    ("ensemble", "shape"),
    [(None, (4, 3)), (2, (4, 3)), (2, (2, 4, 3))],
    ids=["single", "shared inputs", "own inputs"],
)
def test_gradient_of_input_and_parameters(
    name: str, training: bool, ensemble: int | None, shape: tuple[int, ...]
) -> None:
    model = Model(LAYERS[name](3), ensemble=ensemble, dtype="float64").train(training)
    perturb(model)
    x = Tensor(spread(1, shape))
    check_gradients(same_masks_every_time(model), x, *model.parameters())


def test_a_layer_with_a_wrong_gradient_is_caught() -> None:
    class Detached(Layer):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.detach()

    model = Model(Detached(), dtype="float64")
    with pytest.raises(GradientError):
        check_gradients(model, Tensor(spread(1, (4, 3))))


VALUES: dict[str, Callable[[Any], Any]] = {
    "ReLU": lambda x: np.where(x > 0, x, 0),
    "LeakyReLU": lambda x: np.where(x > 0, x, 0.2 * x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
    "Softplus": lambda x: np.log(1 + np.exp(x)),
    "GELU": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "Threshold": lambda x: (x >= 0).astype(x.dtype),
}


@pytest.mark.parametrize("name", VALUES)
def test_each_activation_is_the_function_of_its_name(name: str) -> None:
    x = np.linspace(-3, 3, 21).reshape(7, 3)
    y = Model(LAYERS[name](3), dtype="float64").predict(x)
    np.testing.assert_allclose(y, VALUES[name](x), rtol=0, atol=1e-14)


def test_linear_is_rows_times_weight_plus_bias_and_not_its_transpose() -> None:
    model = Model(Linear(3, 3), dtype="float64")
    perturb(model)
    weight, bias = (parameter.numpy() for parameter in model.parameters())
    x = spread(2, (5, 3))
    rows = [sum(row[i] * weight[i] for i in range(3)) + bias for row in x]
    np.testing.assert_allclose(model.predict(x), rows, rtol=0, atol=1e-14)


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_without_bias_is_the_layer_with_a_bias_of_zero(
    ensemble: int | None, dtype: str
) -> None:
    without = mlp((2, 5, 3), bias=False, ensemble=ensemble, dtype=dtype, seed=1)
    with_zeros = mlp((2, 5, 3), ensemble=ensemble, dtype=dtype, seed=1)
    assert [name for name, _ in without.named_parameters()] == ["0.weight", "2.weight"]
    assert without.parameter_count == with_zeros.parameter_count - 8 == 25
    X = spread(2, (7, 2))
    assert_same_bits(without.predict(X), with_zeros.predict(X))
    for model in (without, with_zeros):
        model(X).sum().backward()
    for layer in ("0", "2"):
        ours, theirs = (
            dict(m.named_parameters())[f"{layer}.weight"] for m in (without, with_zeros)
        )
        assert_same_bits(ours.grad, theirs.grad)


def test_bias_is_true_or_false_and_a_layer_without_one_says_so() -> None:
    assert repr(Linear(2, 3, bias=False)) == "Linear(2 -> 3, bias=False)"
    for wrong in (0, "no", None):
        with refused("bias of Linear", repr(wrong), "must be True or False"):
            Linear(2, 3, bias=wrong)  # type: ignore[arg-type]


def test_options_reach_the_op() -> None:
    x = Tensor([[-2.0, -0.4, 0.4, 2.0]])
    LeakyReLU(0.25)(x).backward()
    assert x.grad.tolist() == [[0.25, 0.25, 1, 1]]
    Threshold(surrogate_window=0.5)(x).backward()
    assert x.grad.tolist() == [[0, 1, 1, 0]]
    Threshold()(x).backward()
    assert x.grad.tolist() == [[0, 0, 0, 0]]


def test_sequential_composes_in_order_and_residual_adds_its_input() -> None:
    class Double(Layer):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2.0

    class Increment(Layer):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1.0

    x = Tensor([[1.0, -3.0]])
    assert Sequential(Double(), Increment())(x).numpy().tolist() == [[3, -5]]
    assert Sequential(Increment(), Double())(x).numpy().tolist() == [[4, -4]]
    assert Residual(Double(), Increment())(x).numpy().tolist() == [[4, -8]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", [False, True])
def test_residual_scales_its_branch_by_one_number_or_one_per_network(
    record: bool, dtype: str
) -> None:
    def build(scale: Any, seed: int = 3, ensemble: int | None = None) -> Model:
        block = Residual(Linear(3, 3), Tanh(), scale=scale)
        return Model(Linear(2, 3), block, Linear(3, 1), seed=seed, ensemble=ensemble, dtype=dtype)

    X, y = two_classes(9)
    together = build([0.5, 1.0, -2.0], ensemble=3)
    fit(together, X, y, epochs=4, record=record)
    for i, scale in enumerate([0.5, 1.0, -2.0]):
        alone = build(scale, seed=3 + i)
        fit(alone, X, y, epochs=4, record=record)
        assert_same_state(together.state_dict(i), alone.state_dict())
        outputs = alone.activations(X)
        x, block = outputs["0"], alone.layers[1]
        branch = np.tanh(x @ alone.state_dict()["1.0.weight"] + alone.state_dict()["1.0.bias"])
        np.testing.assert_allclose(outputs["1"], x + scale * branch, rtol=1e-5, atol=1e-6)
        assert ("scale" in repr(block)) == (scale != 1)
    assert together.network(2).layers[1].scale == -2


def test_a_scale_that_a_callback_changes_is_used_by_recorded_steps() -> None:
    X, y = two_classes(9)
    states = []
    for record in (False, True):
        model = Model(Linear(2, 3), Residual(Linear(3, 3), Tanh(), scale=0.5), Linear(3, 1))

        def change(epoch: int, model: Model, loss: Any) -> None:
            model.layers[1].scale = [0.5, 1.0, 0.25, 0.0][epoch]

        fit(model, X, y, epochs=4, record=record, callbacks=[change])
        states.append(model.state_dict())
    assert_same_state(*states)


def test_mlp_divides_residual_branches_by_the_root_of_their_number() -> None:
    model = mlp((2, 8, 8, 8, 5, 8, 8, 1), residual=True)
    scales = [layer.scale for layer in model.layers if isinstance(layer, Residual)]
    assert scales == [1 / np.sqrt(3)] * 3
    model = mlp((2, 8, 8, 8, 1), residual=True, residual_scale=[1.0, 0.5], ensemble=2)
    assert [layer.scale.tolist() for layer in model.layers[2:4]] == [[1.0, 0.5]] * 2
    assert mlp((2, 8, 1), residual=True).parameter_count == mlp((2, 8, 1)).parameter_count
    with refused("residual_scale is 0.5 without residual"):
        mlp((2, 8, 8, 1), residual_scale=0.5)
    with refused("scale of Residual is nan", "must be a finite number"):
        Residual(Tanh(), scale=np.nan)


@pytest.mark.parametrize("depth", [16, 32])
def test_deep_residual_networks_train_by_gradient_descent(depth: int) -> None:
    X, y = spirals(200, turns=1.0)
    model = mlp([2] + [16] * depth + [1], residual=True, ensemble=3)
    history = fit(model, X, y, optimizer=SGD(model, 0.1), epochs=300)
    assert not history.diverged
    assert np.all(history.loss[-1] < 0.6 * history.loss[0])


def test_residual_that_changes_the_width_names_both_shapes() -> None:
    model = Model(Residual(Linear(2, 3), ReLU()))
    with refused("Residual(Linear(2 -> 3), ReLU())", "(5, 2)", "(5, 3)"):
        model.predict(np.zeros((5, 2)))
    # (N, 1) + (N, 3) would broadcast without a word.
    with refused("(5, 1)", "(5, 3)"):
        Model(Residual(Linear(1, 3))).predict(np.zeros((5, 1)))


# Bottleneck


@given(
    width=st.integers(1, 4),
    inner=st.integers(1, 3),
    activation=st.sampled_from(["tanh", "sigmoid", "softplus", "gelu"]),
    batch_norm=st.booleans(),
    ensemble=st.sampled_from([None, 2]),
    seed=seeds,
)
@settings(max_examples=25, deadline=None)
def test_gradient_of_a_bottleneck_block(
    width: int, inner: int, activation: str, batch_norm: bool, ensemble: int | None, seed: int
) -> None:
    block = Bottleneck(width, inner, activation, batch_norm=batch_norm)
    model = Model(block, ensemble=ensemble, dtype="float64").train()
    perturb(model, seed)
    check_gradients(
        same_masks_every_time(model), Tensor(spread(seed, (5, width))), *model.parameters()
    )


@given(width=st.integers(1, 6), inner=st.integers(1, 4), seed=seeds)
@settings(max_examples=25, deadline=None)
def test_a_bottleneck_block_is_its_formula_and_the_identity_at_first(
    width: int, inner: int, seed: int
) -> None:
    x = spread(seed, (5, width))
    model = Model(Bottleneck(width, inner), dtype="float64")
    assert_same_bits(model.predict(x), x)
    perturb(model, seed)
    W1, b1, W2, b2, W3, b3 = (parameter.numpy() for parameter in model.parameters())
    hidden = np.maximum(0, np.maximum(0, x @ W1 + b1) @ W2 + b2)
    np.testing.assert_allclose(model.predict(x), x + hidden @ W3 + b3, rtol=1e-12, atol=1e-12)
    assert model.parameter_count == 2 * width * inner + inner**2 + 2 * inner + width


def test_batch_norm_in_a_bottleneck_starts_with_a_branch_that_is_not_zero() -> None:
    # Behind weights of zero its division by sqrt(epsilon) would make gradients 300 times too large.
    model = Model(Bottleneck(6, 3, batch_norm=True), dtype="float64").train()
    x = spread(1, (50, 6))
    change = model(x).numpy() - x
    np.testing.assert_allclose(change.std(axis=0), 1, atol=0.01)
    kinds = [type(layer).__name__ for _, layer in model.layers[0].walk()]
    inside = ["Linear", "BatchNorm", "ReLU"] * 2 + ["Linear", "BatchNorm"]
    assert kinds == ["Bottleneck", *inside]


def test_mlp_puts_a_bottleneck_where_the_width_stays() -> None:
    model = mlp((3, 8, 8, 8, 4, 1), bottleneck=2)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Linear", "ReLU", "Bottleneck", "Bottleneck", "Linear", "ReLU", "Linear"]
    assert repr(model.layers[2]) == "Bottleneck(8 -> 2 -> 2 -> 8)"
    with refused("bottleneck", "residual"):
        mlp((3, 8, 8, 1), bottleneck=2, residual=True)
    with refused("fan_out of Linear is 0"):
        mlp((3, 8, 8, 1), bottleneck=0)


def test_walk_names_layers_within_layers_once_and_in_order() -> None:
    inner = Residual(Linear(2, 2), Tanh())
    outer = Sequential(Linear(2, 2), Sequential(inner, ReLU()))
    names = [name for name, _ in outer.walk()]
    assert names == ["", "0", "1", "1.0", "1.0.0", "1.0.1", "1.1"]


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


# Dropout


def mask(model: Model, shape: tuple[int, ...] = (40, 50)) -> Any:
    return model(np.ones(shape)).numpy()


def test_dropout_is_the_identity_in_eval_and_at_rate_0() -> None:
    x = spread(5, (4, 3)).astype(np.float32)
    assert_same_bits(Model(Dropout(0.9)).eval()(x).numpy(), x)
    assert_same_bits(Model(Dropout(0)).train()(x).numpy(), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_rate_and_scales_what_is_left_to_keep_the_mean(rate: float) -> None:
    y = mask(Model(Dropout(rate), dtype="float64").train(), (200, 200))
    assert set(np.unique(y)) == {0.0, 1 / (1 - rate)}
    dropped = (y == 0).mean()
    assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / y.size)
    # Neither whole rows nor whole columns.
    spread_of_rows = (y == 0).mean(axis=1).std()
    assert spread_of_rows < 2 * np.sqrt(rate * (1 - rate) / 200)


def test_dropout_draws_the_same_masks_again_from_the_same_seed_and_new_ones_each_step() -> None:
    def masks(seed: int) -> list[Any]:
        model = Model(Dropout(0.5), seed=seed).train()
        return [mask(model) for _ in range(3)]

    first, again, other = masks(7), masks(7), masks(8)
    for step in range(3):
        assert_same_bits(first[step], again[step])
    drawn = [each.tobytes() for each in [*first, *other]]
    assert len(set(drawn)) == 6


def test_the_keys_of_dropout_are_odd_as_its_generator_asks_for() -> None:
    keys = Model(Dropout(0.5), ensemble=20).layers[0].buffers["key"]
    assert len(np.unique(keys)) == 20 and np.all(keys % np.uint64(2) == 1)


def test_dropout_layers_of_one_model_draw_apart() -> None:
    model = Model(Dropout(0.5), Dropout(0.5)).train()
    outputs = [output.numpy() > 0 for _, output in model.layer_outputs(np.ones((40, 50)))]
    # The second layer passes what the first one passed, times a mask of its own.
    assert outputs[1].mean() == pytest.approx(0.25, abs=0.05)


def test_dropout_draws_no_bits_twice_whatever_the_sizes_of_the_batches() -> None:
    model = Model(Dropout(0.5)).train()
    drawn = [(mask(model, (rows, 32)) > 0).tobytes() for rows in (8, 8, 4, 8, 4, 4, 2, 2)]
    for i, bits in enumerate(drawn):
        others = drawn[:i] + drawn[i + 1 :]
        assert not any(bits[:64] in other for other in others)


def test_dropout_does_not_advance_in_eval() -> None:
    model = Model(Dropout(0.5)).train()
    mask(model)
    second = mask(model.eval().train())
    again = Model(Dropout(0.5)).train()
    mask(again)
    mask(again.eval())
    assert_same_bits(mask(again.train()), second)
