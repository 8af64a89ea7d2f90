"""Files: the same bits come back, PyTorch reads them by name, and a bad file is one clear line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import LAYERS, assert_same_bits, assert_same_state, network_with, refused, two_classes
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from scratchnet import SGD, Adam, AdamW, Layer, Linear, Model, ReLU, fit, mlp
from scratchnet.checkpoint import (
    checkpoints,
    load_checkpoint,
    load_model,
    load_task,
    load_weights,
    save_checkpoint,
    save_model,
)
from scratchnet.layers import ACTIVATIONS
from scratchnet.optim import Optimizer
from scratchnet.pruning import prune
from scratchnet.schedules import cosine


def trained(**settings: Any) -> Model:
    """A model whose weights, biases and running averages have all left their first values."""
    model = mlp([2, 5, 4, 1], **settings)
    fit(model, *two_classes(20), optimizer=Adam(model, 0.05), epochs=3)
    return model


# A model's file.


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_comes_back_with_its_bits(
    layer: Callable[[int], Layer], dtype: str, tmp_path: Path
) -> None:
    model = network_with(layer, dtype=dtype, seed=3)
    X, y = two_classes(20)
    fit(model, X, y, epochs=2)
    save_model(tmp_path / "model", model)
    again = load_model(tmp_path / "model")
    assert again.dtype == dtype and not again.training
    assert_same_bits(again.predict(X), model.predict(X))
    assert repr(again) == repr(model)
    fit(again, X, y, epochs=1)


@settings(max_examples=20)
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    activation=st.sampled_from(list(ACTIVATIONS)),
    batch_norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.25]),
    residual=st.booleans(),
    bias=st.booleans(),
    bottleneck=st.booleans(),
)
def test_any_mlp_comes_back(
    tmp_path_factory: pytest.TempPathFactory, widths: list[int], bottleneck: bool, **options: Any
) -> None:
    if bottleneck:
        options |= {"dropout": 0.0, "residual": False, "bottleneck": 2}
    path = tmp_path_factory.getbasetemp() / "any"
    model = mlp(widths, **options)
    rng = np.random.default_rng(0)
    model.parameter_buffer[...] = rng.normal(size=model.parameter_buffer.shape)
    save_model(path, model)
    X = rng.normal(size=(7, widths[0]))
    assert_same_bits(load_model(path).predict(X), model.predict(X))


def test_the_file_holds_pytorchs_names_and_layout(tmp_path: Path) -> None:
    model = trained(batch_norm=True, dropout=0.1)
    save_model(tmp_path / "model", model)
    arrays, state = load_file(tmp_path / "model"), model.state_dict()
    assert sorted(arrays) == sorted(name for name in state if not name.startswith(("3.", "7.")))
    for name in ("0.weight", "4.weight", "8.weight"):
        assert_same_bits(arrays[name], np.ascontiguousarray(state[name].T))
    for name in ("0.bias", "1.weight", "1.running_mean", "5.running_var"):
        assert_same_bits(arrays[name], state[name])


def test_an_ensemble_exports_one_network(tmp_path: Path) -> None:
    model = trained(ensemble=3, seed=4)
    X = two_classes(9)[0]
    save_model(tmp_path / "model", model, network=2)
    assert_same_bits(load_model(tmp_path / "model").predict(X), model.predict(X)[2])
    with refused("network=i"):
        save_model(tmp_path / "model", model)
    with refused("network 3 of an ensemble of 3"):
        save_model(tmp_path / "model", model, network=3)
    with refused("no ensemble"):
        save_model(tmp_path / "model", trained(), network=0)
    with refused("is an ensemble"):
        load_weights(tmp_path / "model", model)


def test_the_task_is_kept(tmp_path: Path) -> None:
    task = {"dataset": "spirals", "noise": 0.02, "seed": 3}
    save_model(tmp_path / "model", trained(), task=task)
    assert load_task(tmp_path / "model") == task
    save_model(tmp_path / "model", trained())
    assert load_task(tmp_path / "model") == {}


def test_equal_models_are_written_to_equal_bytes(tmp_path: Path) -> None:
    """safetensors alone gives the entries of the metadata another order each time."""
    written = set()
    for _ in range(20):
        save_model(tmp_path / "model", trained(), task={"dataset": "spirals", "name": "größe"})
        written.add((tmp_path / "model").read_bytes())
    assert len(written) == 1


def test_pytorch_loads_a_file_by_name_and_computes_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file as torch_load

    # Square layers: one that is loaded untransposed fits, and computes something else.
    model = mlp([3, 3, 3, 3], batch_norm=True, dtype="float64", seed=2)
    X = np.random.default_rng(0).normal(size=(12, 3))
    fit(model, X, X, loss="mean_squared_error", optimizer=Adam(model, 0.05), epochs=5)
    save_model(tmp_path / "model", model)
    nn = torch.nn
    hidden = [[nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU()] for _ in range(2)]
    network = nn.Sequential(*hidden[0], *hidden[1], nn.Linear(3, 3)).double()
    network.load_state_dict(torch_load(tmp_path / "model"))
    with torch.no_grad():
        theirs = network.eval()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(theirs, model.predict(X), rtol=1e-12, atol=1e-12)


def test_a_pytorch_file_is_read_into_a_model(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import save_file as torch_save

    nn = torch.nn
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    network(torch.from_numpy(X))
    torch_save(network.state_dict(), tmp_path / "theirs")
    model = mlp([3, 3, 2], batch_norm=True)
    load_weights(tmp_path / "theirs", model)
    with torch.no_grad():
        theirs = network.eval()(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(model.predict(X), theirs, rtol=1e-5, atol=1e-6)
    with refused("does not say which layers", "load_weights"):
        load_model(tmp_path / "theirs")


def test_a_linear_without_bias_is_pytorchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file as torch_load

    model = mlp([3, 3, 3], bias=False, dtype="float64")
    X = np.random.default_rng(0).normal(size=(12, 3))
    save_model(tmp_path / "model", model)
    linear = [torch.nn.Linear(3, 3, bias=False) for _ in range(2)]
    network = torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1]).double()
    network.load_state_dict(torch_load(tmp_path / "model"))
    with torch.no_grad():
        theirs = network(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(theirs, model.predict(X), rtol=1e-12, atol=1e-12)
    with refused("0.bias"):
        load_weights(tmp_path / "model", mlp([3, 3, 3], dtype="float64"))


def test_pytorchs_count_of_batches_is_read_over(tmp_path: Path) -> None:
    model, other = mlp([2, 3, 1], batch_norm=True), mlp([2, 3, 1], batch_norm=True, seed=1)
    save_model(tmp_path / "model", model)
    count = {"1.num_batches_tracked": np.array(7)}
    save_file(load_file(tmp_path / "model") | count, tmp_path / "theirs")
    load_weights(tmp_path / "theirs", other)
    assert_same_state(other.state_dict(), model.state_dict())


# A checkpoint.

OPTIMIZERS: dict[str, Callable[[Model], Optimizer]] = {
    "gradient descent": lambda model: SGD(model, 0.05),
    "momentum": lambda model: SGD(model, cosine(0.1, 12), momentum=0.9, weight_decay=0.1),
    "adam": lambda model: Adam(model, 0.01),
    "adamw": lambda model: AdamW(model, cosine(0.01, 12), weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_a_training_that_was_stopped_gives_the_bits_of_one_that_was_not(
    optimizer: str, ensemble: int | None, masked: bool, tmp_path: Path
) -> None:
    """Mini-batches, dropout, batch normalisation, a schedule: all go on where they were."""
    X, y = two_classes(20)
    path = tmp_path / "checkpoint"

    def begin() -> tuple[Model, Optimizer]:
        model = mlp([2, 5, 4, 1], batch_norm=True, dropout=0.3, ensemble=ensemble, seed=7)
        return model, OPTIMIZERS[optimizer](model)

    model, moving = begin()
    if masked:
        prune(model, fraction=0.4)
    fit(
        model,
        X,
        y,
        optimizer=moving,
        epochs=12,
        batch_size=6,
        callbacks=[checkpoints(path, moving, 5)],
    )
    again, moving_again = begin()
    assert load_checkpoint(path, again, moving_again) == 10
    history = fit(again, X, y, optimizer=moving_again, epochs=12, batch_size=6, first_epoch=10)
    assert history.epochs == 2
    assert_same_state(again.state_dict(), model.state_dict())
    assert moving_again.steps == moving.steps
    assert (again.mask_buffer is None) == (not masked)


def test_a_checkpoint_without_a_mask_takes_the_models_away(tmp_path: Path) -> None:
    model = mlp((2, 3, 1))
    optimizer = Adam(model)
    save_checkpoint(tmp_path / "run", model, optimizer, 1)
    before = model.state_dict()
    prune(model, sparsity=0.5)
    load_checkpoint(tmp_path / "run", model, optimizer)
    assert model.mask_buffer is None
    assert_same_state(model.state_dict(), before)


def test_a_model_and_the_optimizer_of_another_are_refused(tmp_path: Path) -> None:
    model, other = mlp((2, 1)), mlp((2, 1))
    save_checkpoint(tmp_path / "run", model, Adam(model), 1)
    for save_or_load in (lambda *two: save_checkpoint(*two, 1), load_checkpoint):
        with refused("optimizer of another"):
            save_or_load(tmp_path / "run", model, Adam(other))


def test_checkpoints_after_every_zero_epochs_are_refused(tmp_path: Path) -> None:
    with refused("every of checkpoints is 0"):
        checkpoints(tmp_path / "run", Adam(mlp((2, 1))), 0)


def test_a_checkpoint_goes_into_buffers_that_exist(tmp_path: Path) -> None:
    """Recordings and views of them stay valid."""
    model = trained()
    moving = Adam(model)
    save_checkpoint(tmp_path / "c", model, moving, 0)
    buffers = (model.parameter_buffer, moving.first_moment)
    load_checkpoint(tmp_path / "c", model, moving)
    assert buffers[0] is model.parameter_buffer and buffers[1] is moving.first_moment


# Bad input.


def test_a_failed_save_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    save_model(path, trained())
    before = path.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space") as raised:
        save_model(path, trained(seed=1))
    assert raised.value.filename == str(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


class Doubled(Layer):
    def forward(self, x: Any) -> Any:
        return x * 2.0


def test_a_layer_of_ones_own_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with refused("Doubled()", "layer of your own"):
        save_model(tmp_path / "model", Model(Linear(1, 1), Doubled()))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("length", [0, 4, 8, 60, 500, -1])
def test_a_truncated_file_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(path, trained())
    path.write_bytes(path.read_bytes()[:length])
    with refused(str(path), "cut off, or no safetensors file"):
        load_model(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip archive of torch.save", b"\x80\x04", b"{}"])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with refused(str(path), "no safetensors file"):
        load_model(path)
    with refused("no such file"):
        load_model(tmp_path / "missing")
    with refused("is a folder"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (lambda: mlp([2, 5, 4, 4, 1]), ["it lacks 6.weight, 6.bias"]),
        (lambda: mlp([2, 5, 1]), ["the model has no 4.", "4.weight"]),
        (lambda: mlp([2, 5, 3, 1]), ["2.weight has shape (4, 5)", "(3, 5)"]),
        (lambda: mlp([2, 5, 4, 1], dtype="float64"), ["is float32, the model is float64"]),
    ],
)
def test_weights_for_another_model_are_refused_and_nothing_changes(
    model: Callable[[], Model], parts: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(path, trained())
    other = model()
    before = other.state_dict()
    with refused(str(path), *parts):
        load_weights(path, other)
    assert_same_state(other.state_dict(), before)


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    state = {name: np.float16(each.T) for name, each in trained().state_dict().items()}
    save_file({name: np.ascontiguousarray(each) for name, each in state.items()}, path)
    with refused(str(path), "stored as F16", "F32 or F64"):
        load_weights(path, trained())


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ("not JSON", ["does not say which layers"]),
        ({"dtype": "float32"}, ["'layers'"]),
        ({"layers": [{"type": "Conv"}], "dtype": "float32"}, ["unknown layer 'Conv'"]),
        ({"layers": [{"type": "Linear", "fan_in": 2}], "dtype": "float32"}, ["fan_out"]),
        ({"layers": [{"type": "ReLU"}], "dtype": "float16"}, ["dtype of a model is 'float16'"]),
        ({"layers": 3, "dtype": "float32"}, ["cannot be used"]),
        (
            {
                "layers": [{"type": "Linear", "fan_in": 9, "fan_out": 10**15, "bias": True}],
                "dtype": "float32",
            },
            ["it lacks 0.weight"],
        ),
        ("[" * 100_000, ["does not say which layers"]),
        (
            {
                "layers": [{"type": "Linear", "fan_in": 0, "fan_out": 1, "bias": True}],
                "dtype": "float32",
            },
            ["fan_in"],
        ),
        (
            {
                "layers": [{"type": "Linear", "fan_in": 2, "fan_out": 2, "bias": True}],
                "dtype": "float32",
            },
            ["lacks"],
        ),
    ],
)
def test_a_header_that_makes_no_model_is_refused(
    header: Any, parts: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    text = header if isinstance(header, str) else json.dumps(header)
    save_file({"0.bias": np.zeros(2, np.float32)}, path, {"scratchnet": text})
    with refused(str(path), *parts):
        load_model(path)


def test_checkpoints_of_another_training_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    model = trained(seed=3)
    save_checkpoint(path, model, Adam(model), 3)
    others: list[tuple[Model, Callable[[Model], Optimizer], str]] = [
        (mlp([2, 5, 3, 1], seed=3), Adam, "layers"),
        (trained(seed=4), Adam, "seeds is [3], here it is [4]"),
        (trained(seed=3, ensemble=1), Adam, "ensemble is null, here it is 1"),
        (trained(seed=3, dtype="float64"), Adam, 'dtype is "float32"'),
        (trained(seed=3), AdamW, 'optimizer is "Adam", here it is "AdamW"'),
    ]
    for other, optimizer, part in others:
        before = other.state_dict()
        with refused(str(path), part):
            load_checkpoint(path, other, optimizer(other))
        assert_same_state(other.state_dict(), before)
    with refused("does not say which layers"):
        load_model(path)
    save_model(path, Model(Linear(1, 1), ReLU()))
    with refused("no checkpoint of a training"):
        load_checkpoint(path, model, Adam(model))


@pytest.mark.parametrize("first_epoch", [-1, 4])
def test_a_first_epoch_beyond_the_training_is_refused(first_epoch: int) -> None:
    with refused(f"first_epoch is {first_epoch}", "0 to 3"):
        fit(mlp([2, 1]), *two_classes(5), epochs=3, first_epoch=first_epoch)


# What the bits depend on beside the numbers.


def test_a_checkpoint_says_what_computed_it(tmp_path: Path) -> None:
    model = trained()
    save_checkpoint(tmp_path / "checkpoint", model, Adam(model), 3)
    with safe_open(tmp_path / "checkpoint", "np") as file:
        environment = json.loads(file.metadata()["checkpoint"])["environment"]
    facts = model.backend.device_info()
    for name in ("backend", "device", "blas", "kernel", "threads", "numpy", "precision"):
        assert environment[name] == facts[name]
    assert "cores" not in environment


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threads", 64, "threads was 64, here it is "),
        ("kernel", "Haswell\n", 'kernel was "Haswell\\n", here it is '),
        ("blas", "mkl 2024", 'blas was "mkl 2024", here it is '),
        ("device", "another processor", 'device was "another processor", here it is '),
        ("numpy", "2.3.0", 'numpy was "2.3.0", here it is '),
        ("backend", "cupy", 'backend was "cupy", here it is "numpy"'),
        ("a\nb", 1.5, '"a\\nb" was 1.5, here it is null'),
    ],
)
def test_a_resume_elsewhere_names_in_one_line_what_differs(
    name: str, value: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = tmp_path / "checkpoint", trained()
    facts = model.backend.device_info()
    with monkeypatch.context() as patch:
        patch.setattr(type(model.backend), "device_info", lambda _: facts | {name: value})
        save_checkpoint(path, model, Adam(model), 3)
    again = mlp([2, 5, 4, 1])
    with pytest.warns(RuntimeWarning) as caught:
        assert load_checkpoint(path, again, Adam(again)) == 3
    (warning,) = caught
    line = str(warning.message)
    assert str(path) in line and words in line and line.isprintable()
    assert line.count("here it is") == 1 and warning.filename == __file__
    assert_same_state(again.state_dict(), model.state_dict())


def test_a_resume_with_other_threads_warns_and_one_in_the_same_place_does_not(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    from threadpoolctl import threadpool_limits

    path, model = tmp_path / "checkpoint", trained()
    with threadpool_limits(1):
        save_checkpoint(path, model, Adam(model), 3)
        load_checkpoint(path, model, Adam(model))
    assert not recwarn.list
    with threadpool_limits(2), pytest.warns(RuntimeWarning, match="threads was 1, here it is 2"):
        load_checkpoint(path, model, Adam(model))


def test_a_file_that_is_refused_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    path, model = tmp_path / "checkpoint", trained()
    with monkeypatch.context() as patch:
        patch.setattr(type(model.backend), "device_info", lambda _: {"backend": "another"})
        save_checkpoint(path, model, Adam(model), 3)
    other = mlp([2, 5, 5, 1])
    with refused("another training"):
        load_checkpoint(path, other, Adam(other))
    assert not recwarn.list
