"""Models: what mlp builds, the two buffers and their views, state dicts, modes, whole gradients."""

import copy
import pickle
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
    BatchNorm,
    Dropout,
    Layer,
    Linear,
    Model,
    ReLU,
    Residual,
    Tanh,
    Tensor,
    Threshold,
    evaluate_loss,
    fit,
    losses,
    mlp,
)
from scratchnet.gradcheck import KinkError, check_directional_gradient, check_gradients
from scratchnet.layers import ACTIVATIONS

widths = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def step(model: Model, optimizer: Any, samples: int = 6) -> None:
    X, y = two_classes(samples)
    losses.binary_cross_entropy(model(X), y).backward()
    optimizer.step()


# What mlp builds


def test_mlp_lays_out_linear_norm_activation_dropout_and_a_bare_output() -> None:
    model = mlp((2, 4, 4, 1), "tanh", batch_norm=True, dropout=0.25)
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [Linear, BatchNorm, Tanh, Dropout] * 2 + [Linear]
    assert [type(layer) for layer in mlp((3, 2)).layers] == [Linear]


def test_mlp_wraps_only_hidden_layers_that_keep_the_width() -> None:
    model = mlp((4, 4, 4, 2, 2), residual=True, batch_norm=True)
    kinds = [type(layer) for layer in model.layers]
    # The last 2 -> 2 is the output layer: it stays bare.
    assert kinds == [Residual, Residual, Linear, BatchNorm, ReLU, Linear]
    inner = [type(layer) for layer in model.layers[0].children().values()]
    assert inner == [Linear, BatchNorm, ReLU]


def test_mlp_gives_each_layer_an_activation_of_its_own() -> None:
    given = Dropout(0.5)
    model = mlp((2, 3, 3, 1), activation=given)
    assert len({id(layer) for layer in [given, *model.layers]}) == 6
    assert not given.buffers
    assert mlp((2, 3, 1)).layers[1] is not mlp((2, 3, 1)).layers[1]


@given(widths=widths, batch_norm=st.booleans(), ensemble=st.none() | st.integers(1, 3))
@settings(max_examples=25)
def test_the_parameter_count_is_that_of_one_network(
    widths: list[int], batch_norm: bool, ensemble: int | None
) -> None:
    model = mlp(widths, batch_norm=batch_norm, ensemble=ensemble)
    expected = sum((i + 1) * o for i, o in zip(widths, widths[1:], strict=False))
    expected += 2 * sum(widths[1:-1]) if batch_norm else 0
    assert model.parameter_count == expected
    assert sum(each.data.size for each in model.parameters()) == expected * (ensemble or 1)
    lead = (ensemble,) if ensemble else ()
    assert model(np.zeros((3, widths[0]))).shape == (*lead, 3, widths[-1])


def test_repr_shows_layers_shapes_and_counts() -> None:
    model = mlp((2, 64, 64, 1), batch_norm=True, dropout=0.1, residual=True, ensemble=3)
    assert repr(model) == (
        "Model(4,673 parameters, 3 networks, float32)\n"
        "  0: Linear(2 -> 64)  192 parameters\n"
        "  1: BatchNorm(64)  128 parameters\n"
        "  2: ReLU()\n"
        "  3: Dropout(0.1)\n"
        "  4: Residual(Linear(64 -> 64), BatchNorm(64), ReLU(), Dropout(0.1))  4,288 parameters\n"
        "  5: Linear(64 -> 1)  65 parameters"
    )
    assert repr(mlp((2, 1), dtype="float64")) == (
        "Model(3 parameters, float64)\n  0: Linear(2 -> 1)  3 parameters"
    )


def test_the_same_seed_gives_the_same_bits_and_network_i_has_the_seed_plus_i() -> None:
    model = mlp((2, 5, 1), seed=3, ensemble=2, dropout=0.5)
    assert model.seeds == (3, 4)
    again = mlp((2, 5, 1), seed=3, ensemble=2, dropout=0.5)
    assert_same_state(again.state_dict(), model.state_dict())
    alone = mlp((2, 5, 1), seed=4, dropout=0.5)
    assert_same_state(model.state_dict(1), alone.state_dict())
    assert alone.parameter_buffer.tobytes() != mlp((2, 5, 1), seed=3).parameter_buffer.tobytes()


# Gradients of whole networks


def whole_network(name: str, seed: int, **options: Any) -> tuple[Model, Any, Any]:
    model = mlp((3, 4, 4, 4, 2), name, init="orthogonal", seed=seed, dtype="float64", **options)
    rng = np.random.default_rng(seed)
    model.parameter_buffer += 0.1 * rng.standard_normal(model.parameter_buffer.shape)
    X = rng.standard_normal((*([model.ensemble] if model.ensemble else []), 6, 3))
    return model, X, rng.integers(0, 2, 6)


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["bare", "batch_norm"])
@pytest.mark.parametrize(
    "name", [name for name, kind in ACTIVATIONS.items() if kind.is_differentiable]
)
def test_gradient_of_whole_networks(
    name: str, batch_norm: bool, residual: bool, ensemble: int | None
) -> None:
    checked = 0
    for seed in range(10):
        model, X, y = whole_network(
            name, seed, batch_norm=batch_norm, residual=residual, ensemble=ensemble
        )
        try:
            check_directional_gradient(
                lambda *parameters, model=model, X=X, y=y: losses.softmax_cross_entropy(
                    model(X), y
                ),
                *model.parameters(),
            )
        except KinkError:
            continue
        checked += 1
        assert_views(model)
        if checked == 2:
            return
    raise AssertionError("no point away from kinks was found")


@pytest.mark.parametrize("loss", [x for x in losses.LOSSES if x != "softmax_cross_entropy"])
def test_every_entry_of_the_gradient_through_the_loss(loss: str) -> None:
    model = mlp((2, 3, 3, 1), "gelu", batch_norm=True, residual=True, ensemble=2, dtype="float64")
    X, y = two_classes(5)
    check_gradients(lambda *_: losses.LOSSES[loss](model(X), y), *model.parameters())
    assert_views(model)


def test_the_surrogate_carries_a_gradient_through_a_threshold_within_its_window_only() -> None:
    model = Model(Linear(2, 3), Threshold(surrogate_window=0.5), Linear(3, 1), dtype="float64")
    X, y = two_classes(8)
    losses.mean_squared_error(model(X), y).backward()
    w1, b1, w2, b2 = (parameter.numpy() for parameter in model.parameters())
    z = X @ w1 + b1
    fired, inside = z >= 0, np.abs(z) <= 0.5
    assert 0 < inside.sum() < inside.size
    dy = 2 * (fired @ w2 + b2 - y[:, None]) / 8
    dz = (dy @ w2.T) * inside
    expected = [X.T @ dz, dz.sum(axis=0), fired.T @ dy, dy.sum(axis=0)]
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, atol=1e-14)


def test_the_next_backward_replaces_the_gradient_of_the_last_one() -> None:
    model = mlp((2, 4, 1))
    X, y = two_classes()
    losses.binary_cross_entropy(model(X), y).backward()
    once = model.gradient_buffer.copy()
    losses.binary_cross_entropy(model(2 * X), 1 - y).backward()
    losses.binary_cross_entropy(model(X), y).backward()
    assert_same_bits(model.gradient_buffer, once)


# Buffers and views


@every_layer
@pytest.mark.parametrize("ensemble", [None, 2])
def test_parameters_and_gradients_stay_views_whatever_happens(
    layer: Any, ensemble: int | None
) -> None:
    model = network_with(layer, ensemble=ensemble, dtype="float64").train()
    arrays = [each for p in model.parameters() for each in (p.data, p.grad)]
    optimizer = SGD(model, 0.1)
    assert_views(model)
    step(model, optimizer)
    assert_views(model)
    assert model.gradient_buffer.any()
    model.load_state_dict(model.state_dict())
    assert_views(model)
    model.eval()
    X, _ = two_classes(3)
    if layer(2).__class__ is not Threshold:
        try:
            check_directional_gradient(lambda *_: model(X), *model.parameters())
        except KinkError:
            pass
    assert_views(model)
    now = [each for p in model.parameters() for each in (p.data, p.grad)]
    assert all(before is after for before, after in zip(arrays, now, strict=True))


def test_a_model_of_layers_draws_from_seed_0_unless_told() -> None:
    given = Model(Linear(2, 3), seed=0)
    assert Model(Linear(2, 3)).parameter_buffer.tobytes() == given.parameter_buffer.tobytes()


def test_a_write_to_the_buffer_is_seen_by_the_layers_and_the_other_way_round() -> None:
    model = Model(Linear(2, 1))
    model.parameter_buffer[...] = [1, 2, 3]
    assert model.predict([[10, 100]]).tolist() == [[213]]
    model.layers[0].parameters["bias"].data[...] = 4
    assert model.parameter_buffer.tolist() == [1, 2, 4]
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]


@every_layer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copied_or_unpickled_model_is_one_of_its_own_that_trains(layer: Any, copied: Any) -> None:
    model = network_with(layer, ensemble=2)
    before = model.state_dict()
    duplicate = copied(model)
    assert_views(duplicate)
    # One backend for all, or the copy's tensors would not mix with any other.
    assert duplicate.backend is model.backend
    assert all(parameter.backend is model.backend for parameter in duplicate.parameters())
    assert_same_state(duplicate.state_dict(), before)
    optimizers = Adam(duplicate, 0.1), Adam(model, 0.1)
    step(duplicate, optimizers[0])
    assert_same_state(model.state_dict(), before)
    step(model, optimizers[1])
    assert_same_state(duplicate.state_dict(), model.state_dict())


# State dicts


@every_layer
@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_state_dict_carries_everything_that_the_outputs_depend_on(
    layer: Any, ensemble: int | None
) -> None:
    X, y = two_classes()
    model, other = (network_with(layer, seed=seed, ensemble=ensemble) for seed in (1, 2))
    fit(model, X, y, epochs=3, optimizer=SGD(model, 0.1))
    state = model.state_dict()
    other.load_state_dict(state)
    assert_views(other)
    assert_same_bits(other.predict(X), model.predict(X))
    # In training mode too, with the masks that come next.
    assert_same_bits(other.train()(X).numpy(), model.train()(X).numpy())
    optimizer = SGD(other, 0.1)
    step(other, optimizer)
    assert other.predict(X).tobytes() != model.predict(X).tobytes()


def test_a_trained_model_trains_on_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number of writes, from which `backward()` knows old results, begins at 0 again."""
    X, y = two_classes()
    model = mlp((2, 4, 1))
    fit(model, X, y, epochs=3)
    stored = pickle.dumps(model)
    expected = fit(model, X, y, epochs=3).loss
    monkeypatch.setattr("scratchnet.tensor._writes", 0)
    assert_same_bits(fit(pickle.loads(stored), X, y, epochs=3).loss, expected)


def test_a_state_dict_is_a_copy() -> None:
    model = mlp((2, 3, 1), batch_norm=True)
    state = model.state_dict()
    before = {name: array.copy() for name, array in state.items()}
    step(model.train(), SGD(model, 1.0))
    assert_same_state(state, before)
    model.load_state_dict(state)
    for array in state.values():
        array[...] = 7
    assert_same_state(model.state_dict(), before)


@every_layer
def test_one_network_of_an_ensemble_loads_into_a_model_of_its_own(layer: Any) -> None:
    X, y = two_classes()
    ensemble = network_with(layer, ensemble=3)
    fit(ensemble, X, y, epochs=2)
    for i in range(3):
        alone = network_with(layer, seed=9)
        alone.load_state_dict(ensemble.state_dict(network=i))
        assert_same_bits(alone.predict(X), ensemble.predict(X)[i])


def test_one_network_of_width_1_keeps_its_shapes() -> None:
    ensemble = mlp((2, 1, 1), batch_norm=True, dropout=0.5, ensemble=2)
    alone = mlp((2, 1, 1), batch_norm=True, dropout=0.5)
    assert_same_state(ensemble.state_dict(0), alone.state_dict())


def without(name: str) -> Any:
    return lambda state: {key: each for key, each in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (without("1.running_var"), ("lacks 1.running_var",)),
        (lambda state: state | {"9.weight": np.zeros(1)}, ("unknown 9.weight",)),
        (
            lambda state: state | {"3.weight": np.zeros((1, 3))},
            ("3.weight", "(1, 3)", "(3, 1)"),
        ),
        (
            lambda state: state | {"3.weight": np.zeros((4, 2))},
            ("3.weight has shape (4, 2), must be (3, 1)",),
        ),
        (
            lambda state: state | {"1.num_batches_tracked": np.array(7)},
            ("PyTorch's, with num_batches_tracked", "(.T)"),
        ),
        (lambda state: {}, ("lacks 0.weight",)),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(change: Any, parts: Any) -> None:
    model, other = mlp((2, 3, 1), batch_norm=True), mlp((2, 3, 1), batch_norm=True, seed=1)
    before = model.state_dict()
    with refused("state dict", *parts):
        model.load_state_dict(change(other.state_dict()))
    assert_same_state(model.state_dict(), before)


@pytest.mark.parametrize("ensemble", [None, 2])
def test_plain_arrays_in_pytorchs_layout_are_named_as_transposed(ensemble: int | None) -> None:
    """Square layers alone do not show it."""
    model = mlp((2, 3, 3, 1), ensemble=ensemble)
    theirs = {
        name: each.swapaxes(-1, -2) if name.endswith("weight") else each
        for name, each in mlp((2, 3, 3, 1), ensemble=ensemble, seed=1).state_dict().items()
    }
    before = model.state_dict()
    with refused("0.weight has shape", "transposed, (out, in) as PyTorch's", "(.T)", "square"):
        model.load_state_dict(theirs)
    with pytest.raises(ValueError, match=r"0\.weight has shape \(9, 9\), must be \(.*2, 3\)$"):
        model.load_state_dict(theirs | {"0.weight": np.zeros((9, 9))})
    with pytest.raises(ValueError, match=r"must be \(.*2, 3\)$"):
        model.load_state_dict(theirs | {"0.bias": np.zeros(9)})
    assert_same_state(model.state_dict(), before)


def test_a_state_dict_of_words_changes_nothing_either() -> None:
    model, other = mlp((2, 3, 1)), mlp((2, 3, 1), seed=1)
    before = model.state_dict()
    with pytest.raises(ValueError):
        model.load_state_dict(other.state_dict() | {"2.bias": ["a"]})
    assert_same_state(model.state_dict(), before)


@pytest.mark.parametrize(("ensemble", "network"), [(None, 0), (2, 2), (2, -1)])
def test_a_network_that_does_not_exist_has_no_state(ensemble: int | None, network: int) -> None:
    with refused(f"network {network}", "no such network"):
        mlp((2, 1), ensemble=ensemble).state_dict(network)


# Modes, outputs and activations


def test_activations_are_the_outputs_of_each_layer_in_eval_mode() -> None:
    model = mlp((2, 3, 3, 1), "tanh", dropout=0.5, batch_norm=True, residual=True, dtype="float64")
    X, y = two_classes()
    fit(model, X, y, epochs=2)
    activations = model.activations(X)
    assert model.training
    assert list(activations) == [str(i) for i in range(len(model.layers))]
    weight, bias = (parameter.numpy() for parameter in model.parameters()[:2])
    np.testing.assert_allclose(activations["0"], X @ weight + bias, atol=1e-14)
    np.testing.assert_allclose(activations["2"], np.tanh(activations["1"]), atol=1e-14)
    assert_same_bits(activations["3"], activations["2"])  # Dropout
    assert activations["4"].shape == (11, 3)  # Residual, one layer
    assert_same_bits(activations["5"], model.predict(X))


@every_layer
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_predicting_leaves_no_trace(layer: Any, mode: bool) -> None:
    model = network_with(layer).train(mode)
    X, _ = two_classes()
    before, kept = model.state_dict(), X.copy()
    first = model.predict(X)
    model.activations(X)
    assert model.training is mode
    assert_same_bits(model.predict(X), first)
    assert_same_state(model.state_dict(), before)
    assert_same_bits(X, kept)
    assert isinstance(first, np.ndarray) and first.dtype == np.float32


def test_predicting_leaves_the_mode_of_every_layer_also_after_an_error() -> None:
    model = mlp((2, 3, 3, 1), batch_norm=True).train()
    frozen = model.layers[1]
    frozen.training = False
    model.predict(np.zeros((2, 2)))
    with refused("(2, 5)"):
        model.predict(np.zeros((2, 5)))
    assert not frozen.training and model.layers[4].training and model.training
    assert model(np.zeros((2, 2))).requires_grad


def test_predicting_and_evaluating_build_no_graph() -> None:
    wanted: list[bool] = []

    class Noting(Layer):
        def forward(self, x: Tensor) -> Tensor:
            wanted.append(x.requires_grad)
            return x

    X, y = two_classes()
    model = Model(Linear(2, 3), Noting(), Linear(3, 1))
    model.predict(X)
    model.activations(X)
    evaluate_loss(model, X, y, "hinge")
    assert not any(wanted)
    model(X)
    assert wanted[-1]


def test_modes_reach_layers_within_layers() -> None:
    model = mlp((2, 2, 2), residual=True, dropout=0.5)
    inner = model.layers[0].children()["2"]
    assert isinstance(inner, Dropout) and inner.training
    assert model.eval() is model and not inner.training and not model.training
    assert model.train() is model and inner.training and model.training


def test_inputs_of_the_other_dtype_are_converted_as_arrays_and_refused_as_tensors() -> None:
    X, _ = two_classes()
    assert mlp((2, 3, 1))(X).dtype == "float32"
    assert mlp((2, 3, 1), dtype="float64")(X.astype(np.float32)).dtype == "float64"
    with pytest.raises(TypeError, match="float64 and float32"):
        mlp((2, 3, 1))(Tensor(X, "float64"))


def test_a_layer_of_ones_own_declares_its_parameters_and_trains() -> None:
    class Scale(Layer):
        def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
            return {"factor": (2,), "sharpness": ()}

        def initial_parameters(self, rng: np.random.Generator) -> dict[str, Any]:
            return {"factor": rng.standard_normal(2), "sharpness": np.array(2.0)}

        def forward(self, x: Tensor) -> Tensor:
            return x * self.parameters["factor"] * self.parameters["sharpness"]

    X, y = two_classes(6)
    for ensemble in (None, 2):
        model = Model(Scale(), Linear(2, 1), ensemble=ensemble, dtype="float64")
        assert model.parameter_count == 6
        check_gradients(
            lambda *_, model=model: losses.binary_cross_entropy(model(X), y), *model.parameters()
        )
        assert_views(model)
        history = fit(model, X, y, epochs=20, optimizer=SGD(model, 0.1))
        assert np.all(history.loss[-1] < history.loss[0])
    assert model.state_dict(1)["0.sharpness"].shape == ()


def test_a_layer_stands_in_one_place_of_one_model() -> None:
    layer = Linear(2, 2)
    model = Model(layer)
    before = model.state_dict()
    with refused("Linear(2 -> 2)", "belongs to a model already"):
        Model(ReLU(), layer)
    with refused("Dropout(0.5)", "belongs to a model already"):
        Model(Linear(2, 1), *mlp((2, 1, 1), dropout=0.5).layers[2:3])
    assert_same_state(model.state_dict(), before)
    twice = Linear(2, 2)
    with refused("Linear(2 -> 2)", "stands twice"):
        Model(twice, ReLU(), Residual(twice))
    # What has no parameters may be shared, and a refused layer is still free.
    relu = ReLU()
    assert Model(twice, relu, Linear(2, 2), relu).parameter_count == 12
