"""Whatever a file holds: it loads, or one line says what is wrong and nothing has changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes
from safetensors.numpy import load_file, save, save_file

from scratchnet import Adam, Dropout, InputError, LeakyReLU, Linear, Model, Threshold, fit, mlp
from scratchnet import model as models
from scratchnet.checkpoint import (
    load_checkpoint,
    load_model,
    load_task,
    load_weights,
    save_checkpoint,
    save_model,
)
from scratchnet.early_stopping import EarlyStopping


def begun(seed: int = 0) -> tuple[Model, Adam]:
    model = mlp([2, 4, 1], batch_norm=True, dropout=0.2, seed=0)
    optimizer = Adam(model)
    fit(model, *two_classes(12, seed), optimizer=optimizer, epochs=2)
    return model, optimizer


def everything(model: Model, optimizer: Adam) -> dict[str, Any]:
    state = {name: np.array(each) for name, each in optimizer.state().items()}
    mask = model.mask_buffer
    stopping = optimizer.early_stopping
    watched = {} if stopping is None else stopping.state()
    counts = {"steps": optimizer.steps, "masked": mask is not None, "watched": stopping is not None}
    counts["threshold"] = model.threshold
    return model.state_dict() | state | {f"best {name}": watched[name] for name in watched} | counts


def with_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write the file again with another header of its checkpoint."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"])
    changed = change(header)
    save_file(load_file(path), path, {"checkpoint": json.dumps(changed)})


HEADERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda header: [header],
    "a number": lambda header: 3,
    "a text": lambda header: "header",
} | {
    f"{name} {value!r:.20}": lambda header, name=name, value=value: header | {name: value}
    for name, values in {
        "steps": [-5, 1.5, "3", None, True, [1], 10**400, 2**60],
        "epochs": [-1, 0.5, "1", None, False, {}, 10**30],
        "has_mask": [None, 0, 1, "true", True],
        "early_stopping": [None, 0, 1, "false", [], True],
        "format": [None, 2, True, 1.0],
        "seeds": [[1], 0, None],
        "ensemble": [1, "None"],
        "environment": [None, [], "numpy", {}, {"threads": 1}, {"backend": ["numpy"]}]
        + [{"backend": "numpy", "threads": each} for each in (True, None, {}, [1])],
        "loss": [1, ["hinge"], False],
        "threshold": ["0", True, [0.5], 10**400, float("nan"), float("inf")],
    }.items()
    for value in values
}


@pytest.mark.parametrize("change", HEADERS.values(), ids=HEADERS)
def test_a_checkpoint_with_another_header_is_refused_and_nothing_changes(
    change: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    save_checkpoint(path, *begun(), epochs=2)
    with_header(path, change)
    model, optimizer = begun(seed=1)
    model.set_mask(np.arange(model.parameter_count) % 2)
    before = everything(model, optimizer)
    with refused(str(path)):
        load_checkpoint(path, model, optimizer)
    assert_same_state(everything(model, optimizer), before)


@pytest.mark.parametrize(
    "name", ["steps", "epochs", "has_mask", "layers", "early_stopping", "environment"]
)
def test_a_checkpoint_whose_header_lacks_something_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    save_checkpoint(path, *begun(), epochs=2)
    with_header(path, lambda header: {key: header[key] for key in header if key != name})
    model, optimizer = begun(seed=1)
    before = everything(model, optimizer)
    with refused(str(path), name):
        load_checkpoint(path, model, optimizer)
    assert_same_state(everything(model, optimizer), before)


def test_a_mask_of_other_values_or_shape_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    model, optimizer = begun()
    before = everything(model, optimizer)
    for mask in (np.full(model.parameter_count, 0.5, np.float32), np.ones(3, np.float32)):
        save_checkpoint(path, model, optimizer, epochs=2)
        with_header(path, lambda header: header | {"has_mask": True})
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length])["__metadata__"]
        save_file(load_file(path) | {"mask": mask}, path, metadata)
        with refused("mask" if len(mask) > 3 else str(path)):
            load_checkpoint(path, model, optimizer)
        assert_same_state(everything(model, optimizer), before)


def test_shapes_are_compared_before_weights_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a few hundred bytes may describe a model of gigabytes."""
    layers = [{"type": "Linear", "fan_in": 14_000, "fan_out": 14_000, "bias": True}]
    header = {"format": 1, "dtype": "float32", "layers": layers}
    arrays = {"0.weight": np.zeros((1, 1), np.float32), "0.bias": np.zeros(1, np.float32)}
    save_file(arrays, tmp_path / "model", {"scratchnet": json.dumps(header)})

    def draw(self: Any) -> None:
        raise AssertionError("weights were drawn")

    monkeypatch.setattr(models.Model, "_allocate", draw)
    with refused("0.weight has shape (1, 1), the model's (14000, 14000)"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("window", ["wide", -1, [1.0, 2.0], float("nan"), True])
def test_a_threshold_takes_a_window_that_can_be_one(window: Any) -> None:
    with refused("surrogate_window of Threshold"):
        Threshold(window)


def test_settings_of_a_layer_that_it_does_not_have_are_refused(tmp_path: Path) -> None:
    layers = [{"type": "ReLU", "depth\n": 3}]
    header = {"format": 1, "dtype": "float32", "layers": layers}
    save_file(
        {"0.bias": np.zeros(1, np.float32)}, tmp_path / "m", {"scratchnet": json.dumps(header)}
    )
    with refused("cannot be used"):
        load_model(tmp_path / "m")


# What is saved.


@pytest.mark.parametrize("dtype", [np.dtype("float64"), np.float64, "float64", "double", float])
def test_any_spelling_of_a_dtype_is_trained_saved_and_loaded(dtype: Any, tmp_path: Path) -> None:
    model = mlp([2, 3, 1], dtype=dtype)
    assert model.dtype == "float64"
    optimizer = Adam(model)
    fit(model, *two_classes(9), optimizer=optimizer, epochs=2)
    save_model(tmp_path / "model", model)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, 2)
    assert_same_state(load_model(tmp_path / "model").state_dict(), model.state_dict())
    again = mlp([2, 3, 1], dtype=dtype)
    assert load_checkpoint(tmp_path / "checkpoint", again, Adam(again)) == 2
    assert_same_state(again.state_dict(), model.state_dict())


@pytest.mark.parametrize("dtype", [np.float16, "int32", None, "nothing", 3, np.dtype(">f8").str])
def test_other_dtypes_are_refused_or_are_the_same_numbers(dtype: Any) -> None:
    if dtype == ">f8":
        assert mlp([2, 1], dtype=dtype).dtype == "float64"
        return
    with refused("dtype of a model is", "must be float32 or float64"):
        mlp([2, 1], dtype=dtype)


def test_numbers_per_network_are_saved_and_each_network_keeps_its_own(tmp_path: Path) -> None:
    def make(slopes: Any = (0.1, 0.3)) -> Model:
        rates = [0.2, 0.4]
        return Model(Linear(2, 3), LeakyReLU(slopes), Dropout(rates), Linear(3, 1), ensemble=2)

    model = make()
    optimizer = Adam(model)
    X, y = two_classes(9)
    fit(model, X, y, optimizer=optimizer, epochs=2)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, 2)
    again = make()
    load_checkpoint(tmp_path / "checkpoint", again, Adam(again))
    assert_same_state(again.state_dict(), model.state_dict())
    other = make((0.1, 0.5))
    with refused("its layers is"):
        load_checkpoint(tmp_path / "checkpoint", other, Adam(other))
    save_model(tmp_path / "model", model, network=1)
    loaded = load_model(tmp_path / "model")
    assert (loaded.layers[1].slope, loaded.layers[2].rate) == (0.3, 0.4)
    assert_same_bits(loaded.predict(X), model.predict(X)[1])


def test_a_task_that_is_no_json_is_refused(tmp_path: Path) -> None:
    with refused("must be JSON"):
        save_model(tmp_path / "model", mlp([2, 1]), task={"points": np.zeros(2)})
    assert not list(tmp_path.iterdir())


class OrderedState(dict[str, Any]):
    """As PyTorch's state dict is, whose weights a loop may have made NumPy arrays."""

    _metadata = {"": {"version": 1}}


def test_a_state_dict_of_pytorch_is_refused() -> None:
    """Its weights are (out, in), and a square layer would take them transposed."""
    model = mlp([3, 3, 3])
    before = model.state_dict()
    with refused("PyTorch", "load_weights"):
        model.load_state_dict(OrderedState(before))
    with refused("must be an array of numbers"):
        model.load_state_dict(before | {"0.bias": ["a", "b", "c"]})
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    with refused("PyTorch", "load_weights"):
        model.load_state_dict(network.state_dict())
    with refused("PyTorch", "load_weights"):
        model.load_state_dict(dict(network.state_dict()))
    assert_same_state(model.state_dict(), before)


# Mutated files.

VALUES = [None, True, -1, 0, 2**70, 0.5, float("nan"), "x\ny", [], {}, [[1]], {"type": "ReLU"}]


def mutated_value(value: Any, rng: np.random.Generator) -> Any:
    """The JSON value with one place in it replaced, removed or doubled."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        value = value.copy()
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[rng.integers(len(keys))]
        if rng.random() < 0.15:
            del value[key]
        elif isinstance(value, list) and rng.random() < 0.1:
            value.append(value[key])
        else:
            value[key] = mutated_value(value[key], rng)
        return value
    return VALUES[rng.integers(len(VALUES))]


def mutated(path: Path, rng: np.random.Generator) -> bytes:
    """The file with its header, its arrays or its bytes changed."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    kind = rng.integers(4)
    if kind == 0:
        damaged = bytearray(content)
        for place in rng.integers(0, 8 + length, size=rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        return bytes(damaged)
    if kind == 1:
        return content[: rng.integers(len(content))]
    arrays, metadata = load_file(path), json.loads(content[8 : 8 + length])["__metadata__"]
    if kind == 2:
        names = list(arrays)
        name = names[rng.integers(len(names))]
        array = arrays.pop(name)
        if rng.random() < 0.7:
            others = [array[..., :-1] if array.ndim else array[None], array.astype(np.int64)]
            arrays[name] = np.ascontiguousarray(others[rng.integers(2)])
        if rng.random() < 0.3:
            arrays["a\nb"] = np.zeros(1, np.float32)
        return bytes(save(arrays, metadata))
    entries = list(metadata)
    entry = entries[rng.integers(len(entries))]
    metadata[entry] = json.dumps(mutated_value(json.loads(metadata[entry]), rng))
    return bytes(save(arrays, metadata))


@pytest.mark.parametrize("loader", ["load_model", "load_weights", "load_task", "load_checkpoint"])
def test_mutated_files_load_or_are_refused_in_one_line(loader: str, tmp_path: Path) -> None:
    """200 files for each loader; most are refused, and a refusal changes nothing."""
    rng = np.random.default_rng(11)
    source, path = tmp_path / "source", tmp_path / "mutated"
    model, optimizer = begun()
    if loader == "load_checkpoint":
        optimizer.early_stopping = EarlyStopping(model, 1)
        optimizer.early_stopping.update(1, 0.5)
        save_checkpoint(source, model, optimizer, 2)
    else:
        save_model(source, model, task={"data": "spirals", "noise": [0.1, 0.2]})
    load: dict[str, Callable[[], Any]] = {
        "load_model": lambda: load_model(path),
        "load_weights": lambda: load_weights(path, model),
        "load_task": lambda: load_task(path),
        "load_checkpoint": lambda: load_checkpoint(path, model, optimizer),
    }
    model, optimizer = begun(seed=1)
    refusals = 0
    for _ in range(200):
        path.write_bytes(mutated(source, rng))
        before = everything(model, optimizer)
        try:
            load[loader]()
        except InputError as error:
            refusals += 1
            assert str(error).isprintable(), str(error)
            assert_same_state(everything(model, optimizer), before)
    assert refusals > 60
