"""A kind of layer is registered once, and is in everything then: names, files, pruning, checks."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import (
    assert_same_bits,
    assert_same_state,
    network_with,
    perturb,
    refused,
    two_classes,
)
from strategies import spread

from scratchnet import (
    SGD,
    Activation,
    Adam,
    Dropout,
    Layer,
    LayerNorm,
    Linear,
    Model,
    ReLU,
    Tensor,
    fit,
    mlp,
    ops,
)
from scratchnet.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from scratchnet.compacting import compact
from scratchnet.gradcheck import check_gradients
from scratchnet.hyperparameters import FINITE, Hyperparameter, Value
from scratchnet.layers import ACTIVATIONS, KINDS, register, unregister
from scratchnet.layers.registry import from_description
from scratchnet.pruning import prune_neurons

Kind = type[Layer]


# What holds for every kind of layer.


def moved(model: Model) -> Model:
    perturb(model)
    return model


def check_gradient(kind: Kind, path: Path) -> None:
    if not kind.is_differentiable:
        return
    for training in (True, False):
        for ensemble, shape in ((None, (4, 3)), (2, (4, 3)), (2, (2, 4, 3))):
            model = moved(Model(kind.example(3), ensemble=ensemble, dtype="float64"))
            model.train(training)

            def output(x: Tensor, *parameters: Tensor, model: Model = model) -> Tensor:
                for _, layer in model.root.walk():
                    if isinstance(layer, Dropout):
                        layer.buffers["drawn"][...] = 0
                return model(x)

            check_gradients(output, Tensor(spread(1, shape)), *model.parameters())


def check_dtype(kind: Kind, path: Path) -> None:
    for dtype in ("float32", "float64"):
        model = Model(kind.example(3), dtype=dtype).train()
        x = Tensor(spread(1, (4, 3)), dtype)
        y = model(x)
        y.sum().backward()
        arrays = [y.data, x.grad, *[each.grad for each in model.parameters()]]
        assert {str(each.dtype) for each in arrays} == {dtype}


def check_files(kind: Kind, path: Path) -> None:
    X, y = two_classes(20)
    for dtype in ("float32", "float64"):
        model = network_with(kind.example, dtype=dtype, seed=3)
        optimizer = Adam(model)
        fit(model, X, y, optimizer=optimizer, epochs=2)
        save_model(path / "model", model)
        loaded = load_model(path / "model")
        assert_same_bits(loaded.predict(X), model.predict(X))
        assert repr(loaded) == repr(model)
        save_checkpoint(path / "checkpoint", model, optimizer, 2)
        again = network_with(kind.example, dtype=dtype, seed=3)
        assert load_checkpoint(path / "checkpoint", again, moving := Adam(again)) == 2
        fit(again, X, y, optimizer=moving, epochs=4, first_epoch=2)
        fit(model, X, y, optimizer=optimizer, epochs=4, first_epoch=2)
        assert_same_state(again.state_dict(), model.state_dict())


def check_ensemble(kind: Kind, path: Path) -> None:
    X, y = two_classes(11)
    for dtype in ("float32", "float64"):
        together = network_with(kind.example, ensemble=3, seed=5, dtype=dtype)
        history = fit(together, X, y, epochs=3, batch_size=4)
        for i in range(3):
            alone = network_with(kind.example, seed=5 + i, dtype=dtype)
            assert_same_bits(fit(alone, X, y, epochs=3, batch_size=4).loss, history.loss[:, i])
            assert_same_state(together.state_dict(i), alone.state_dict())


def check_recording(kind: Kind, path: Path) -> None:
    X, y = two_classes(12)
    for ensemble in (None, 2):
        states = []
        for record in (False, True):
            model = network_with(kind.example, ensemble=ensemble)
            optimizer = SGD(model, 0.1, momentum=0.9)
            fit(model, X, y, optimizer=optimizer, epochs=5, batch_size=6, record=record)
            states.append(model.state_dict())
        assert_same_state(*states)


def check_neurons(kind: Kind, path: Path) -> None:
    """What is said to keep neurons apart does, and is compacted; all else is refused by name."""

    def build(dtype: str) -> Model:
        return moved(Model(Linear(2, 6), kind.example(6), ReLU(), Linear(6, 1), dtype=dtype))

    X = two_classes(20)[0]
    if issubclass(kind, Linear):
        return
    if not kind.keeps_neurons_apart:
        for change in (compact, lambda model: prune_neurons(model, fraction=0.5)):
            with refused("layer 1", repr(kind.example(6)), "neurons"):
                change(build("float64"))
        return
    x, other = spread(1, (5, 6)), spread(1, (5, 6))
    other[:, 2] += 1
    layer = moved(Model(kind.example(6), dtype="float64")).eval()
    same = [0, 1, 3, 4, 5]
    assert_same_bits(layer.predict(other)[:, same], layer.predict(x)[:, same])
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        model = build(dtype)
        fit(model, X, two_classes(20)[1], epochs=2)
        prune_neurons(model, fraction=0.5)
        small = compact(model)
        assert small.layers[0].fan_out == 3
        np.testing.assert_allclose(small.predict(X), model.predict(X), rtol=0, atol=tolerance)


CHECKS: dict[str, Callable[[Kind, Path], None]] = {
    "gradient": check_gradient,
    "dtype": check_dtype,
    "files": check_files,
    "ensemble": check_ensemble,
    "recording": check_recording,
    "neurons": check_neurons,
}
every_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)


@every_check
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_registered_kind(kind: Kind, check: Callable[..., None], tmp_path: Path) -> None:
    check(kind, tmp_path)


def variant(kind: Kind, example: Callable[[int], Layer]) -> Kind:
    """The kind with another example."""
    return type(kind.__name__, (kind,), {"example": staticmethod(example)})


VARIANTS: dict[str, Kind] = {
    "gain and shift": variant(LayerNorm, lambda width: LayerNorm(width)),
    "no bias": variant(Linear, lambda width: Linear(width, width, bias=False)),
}


@every_check
@pytest.mark.parametrize("kind", VARIANTS.values(), ids=VARIANTS)
def test_other_settings_of_a_kind(kind: Kind, check: Callable[..., None], tmp_path: Path) -> None:
    check(kind, tmp_path)


# Kinds that are registered here.


class Swish(Activation):
    """y = x sigmoid(x)"""

    name = "swish"

    def forward(self, x: Tensor) -> Tensor:
        return x * ops.sigmoid(x)


class Parametric(Layer):
    """y = x where x > 0, else slope * x, with a slope that each neuron learns (He et al. 2015)"""

    keeps_neurons_apart = True

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(width)

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"slope": (self.features,)}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"slope": 0.1 + 0.1 * np.arange(self.features)}

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x) - ops.relu(-x) * self.parameters["slope"]


class Centred(Layer):
    """y = x - share * the mean of x over the features, which mixes neurons"""

    share = Hyperparameter("share of Centred", FINITE)

    def __init__(self, share: Value = 0.5) -> None:
        super().__init__()
        self.share = share

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        return {"key": np.array([1.5, 2.5])}

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(axis=-1, keepdims=True) * self.arrays["share"]


NEW = {"activation": Swish, "per neuron": Parametric, "mixing": Centred}


@pytest.fixture
def registered() -> Iterator[None]:
    before = dict(KINDS), dict(ACTIVATIONS)
    for kind in NEW.values():
        register(kind)
    yield
    for kind in NEW.values():
        unregister(kind)
    assert (KINDS, ACTIVATIONS) == before


@every_check
@pytest.mark.parametrize("kind", NEW.values(), ids=NEW)
@pytest.mark.usefixtures("registered")
def test_a_new_kind_passes_all_checks(
    kind: Kind, check: Callable[..., None], tmp_path: Path
) -> None:
    assert kind in KINDS.values()
    check(kind, tmp_path)


@pytest.mark.usefixtures("registered")
def test_a_new_activation_is_found_by_its_name_wherever_one_is_named(tmp_path: Path) -> None:
    model = mlp((2, 4, 4, 1), "swish", residual=True)
    X = two_classes(9)[0]
    state = model.state_dict()
    z = X.astype(np.float32) @ state["0.weight"]
    np.testing.assert_allclose(model.activations(X)["1"], z / (1 + np.exp(-z)), rtol=1e-5)
    save_model(tmp_path / "model", mlp((4, 4, 4, 1), "swish", bottleneck=2))
    assert isinstance(load_model(tmp_path / "model").layers[0].activation, Swish)


def test_without_registration_files_and_names_refuse_and_say_so(tmp_path: Path) -> None:
    model = Model(Linear(2, 3), Swish(), Linear(3, 1))
    with refused("Swish()", "layer of your own", "must be registered"):
        save_model(tmp_path / "model", model)
    with refused("unknown activation 'swish'"):
        mlp((2, 3, 1), "swish")
    register(Swish)
    try:
        save_model(tmp_path / "model", model)
    finally:
        unregister(Swish)
    with refused("unknown layer 'Swish'"):
        load_model(tmp_path / "model")
    # Neurons are taken out of it all the same: nothing is written.
    prune_neurons(model, fraction=0.5)
    assert compact(model).layers[0].fan_out == 1


class Steep(ReLU):
    """A subclass that is not registered: a file would load the other class."""


def test_a_subclass_is_a_kind_of_its_own(tmp_path: Path) -> None:
    with refused("layer of your own"):
        save_model(tmp_path / "model", Model(Linear(2, 3), Steep()))
    with refused("Steep", "'relu' is taken", "ReLU"):
        register(Steep)
    assert ACTIVATIONS["relu"] is ReLU and "Steep" not in KINDS


def test_a_class_that_a_file_could_not_make_anew_is_refused_when_it_is_registered() -> None:
    class Forgetful(Layer):
        def __init__(self, width: int = 3) -> None:
            super().__init__()

    class Nameless(Activation):
        pass

    class NeedsWidth(Layer):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

    class Unset(Layer):
        settings = ("depth",)

    before = dict(KINDS), dict(ACTIVATIONS)
    for kind, parts in (
        (Forgetful, ["Forgetful", "attribute", "width"]),
        (Nameless, ["Nameless", "must have a name"]),
        (NeedsWidth, ["NeedsWidth", "example(width)"]),
        (Unset, ["Unset", "depth"]),
        (ReLU(), ["ReLU()", "must be a class"]),
    ):
        with refused(*parts):
            register(kind)
    assert (KINDS, ACTIVATIONS) == before


def test_a_class_that_is_defined_again_takes_the_place_of_the_first() -> None:
    """As where the cell of a notebook runs twice."""

    def define() -> type[Activation]:
        class Cube(Activation):
            name = "cube"

            def forward(self, x: Tensor) -> Tensor:
                return x * x * x

        return register(Cube)

    before = dict(KINDS), dict(ACTIVATIONS)
    first, second = define(), define()
    try:
        assert first is not second
        assert (KINDS["Cube"], ACTIVATIONS["cube"]) == (second, second)
    finally:
        unregister(second)
    assert (KINDS, ACTIVATIONS) == before


def test_all_kinds_of_the_engine_can_be_imported_from_it() -> None:
    import scratchnet

    assert all(getattr(scratchnet, name) is kind for name, kind in KINDS.items())
    assert set(KINDS) <= set(scratchnet.__all__)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"type": "Linear", "fan_in": 2}, "the settings of a Linear are fan_in: must be fan_in, "),
        ({"type": "ReLU", "slope": 0.1}, "the settings of a ReLU are slope: must be none"),
        ({"type": "LeakyReLU"}, "the settings of a LeakyReLU are missing: must be slope"),
    ],
)
def test_a_description_with_other_settings_is_refused(description: Any, words: str) -> None:
    with refused(words):
        from_description(description)
