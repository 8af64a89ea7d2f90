"""Layers: values of each kind, Dropout in both modes, containers; `test_registry` has more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import (
    LAYERS,
    assert_same_bits,
    assert_same_state,
    perturb,
    refused,
    two_classes,
)
from strategies import seeds, spread

from scratchnet import (
    SGD,
    Bottleneck,
    Dropout,
    Layer,
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


def same_masks_every_time(model: Model) -> Callable[..., Tensor]:
    """The model as a function of its input and parameters, with Dropout rewound at each call."""

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        for _, layer in model.root.walk():
            if isinstance(layer, Dropout):
                layer.buffers["drawn"][...] = 0
        return model(x)

    return function


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
