"""Files: a trained model, which other programs can load too, and training that goes on later.

Both are safetensors files: named arrays behind a header, and no code that runs on loading. They are
written to a temporary file, which takes the old one's place once it is whole.

`save_model` writes one network as PyTorch's state dict has it: the same names ('0.weight'), each
weight as (out, in) where it is (in, out) in memory, BatchNorm's averages under PyTorch's names. In
PyTorch, where a `torch.nn.Sequential` of the same layers is `network`:

    network.load_state_dict(safetensors.torch.load_file(path))

The header holds the architecture as JSON, so that `load_model` makes the model anew.

`save_checkpoint` writes everything that training goes on from, of all networks of an ensemble, as
it lies in memory: the same bits come out as if training had never stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends import Backend, InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.files import write_atomically
from scratchnet.layers import (
    GELU,
    BatchNorm,
    Bottleneck,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    Threshold,
)
from scratchnet.model import Model
from scratchnet.optim import Optimizer

FORMAT = 1
STORED_DTYPES = {"float32": "F32", "float64": "F64"}
PLACES_IN_MEMORY = ("key", "drawn")
"""Buffers that only training needs; they stay out of a model's file."""


def save_model(
    path: str | Path,
    model: Model,
    network: int | None = None,
    task: Mapping[str, Any] | None = None,
) -> None:
    """Write the model's parameters and running averages as PyTorch names and lays them out.

    `network` says which one of an ensemble. `task` is kept beside them, as JSON: what the model was
    trained on. What a mask has pruned is 0 in the file. Raises `InputError` for an ensemble without
    `network`, and for layers that are none of this engine's.
    """
    if (model.ensemble is None) != (network is None):
        raise InputError(
            "a file holds one network: say which one of the ensemble with network=i"
            if network is None
            else f"network {network} of a model that is no ensemble"
        )
    turned = _weights_of_linear_layers(model)
    arrays = {
        name: array.T if name in turned else array
        for name, array in model.state_dict(network).items()
        if name.rpartition(".")[2] not in PLACES_IN_MEMORY
    }
    header = {"format": FORMAT, "dtype": model.dtype, "layers": architecture(model)}
    _write(Path(path), arrays, {"scratchnet": header, "task": dict(task or {})})


def load_model(path: str | Path, backend: str | Backend = "auto") -> Model:
    """The model of a file that `save_model` wrote, in eval mode.

    Raises `InputError` where there is no such file, where it is cut off, no safetensors file, or
    written by another program; that one's weights `load_weights` reads into a model.
    """
    arrays, metadata = _read(Path(path))
    header = metadata.get("scratchnet")
    if not isinstance(header, dict):
        raise InputError(
            f"{path} does not say which layers it is for: make that model, and read the file with "
            "load_weights(path, model)"
        )
    try:
        layers = [_layer(each) for each in header["layers"]]
        model = Model(*layers, dtype=header["dtype"], backend=backend)
    except (KeyError, TypeError, AttributeError, ValueError, MemoryError) as error:
        raise InputError(f"{path}: its description of the model cannot be used: {error}") from None
    _fill(path, model, arrays)
    return model.eval()


def load_weights(path: str | Path, model: Model) -> None:
    """Copy a file's arrays into a model of the same architecture and dtype, in place.

    The file may come from PyTorch: the state dict of a `torch.nn.Sequential` of the same layers,
    written by `safetensors.torch.save_file`. Raises `InputError` where it does not fit, and leaves
    the model as it is.
    """
    _fill(path, model, _read(Path(path))[0])


def load_task(path: str | Path) -> dict[str, Any]:
    """What the model of a file was trained on: the `task` given to `save_model`, or {}."""
    task = _read(Path(path))[1].get("task")
    return task if isinstance(task, dict) else {}


def _fill(path: str | Path, model: Model, arrays: Mapping[str, Any]) -> None:
    if model.ensemble is not None:
        raise InputError(f"{path} holds one network, and the model is an ensemble")
    turned = _weights_of_linear_layers(model)
    state = model.state_dict()
    wanted = {
        name: array.T if name in turned else array
        for name, array in state.items()
        if name.rpartition(".")[2] not in PLACES_IN_MEMORY
    }
    # PyTorch counts the batches that a BatchNorm has seen; nothing here depends on it.
    arrays = {
        name: each for name, each in arrays.items() if not name.endswith("num_batches_tracked")
    }
    _check_fits(path, arrays, wanted)
    for name, array in arrays.items():
        state[name] = array.T if name in turned else array
    model.load_state_dict(state)


def _check_fits(path: str | Path, arrays: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    other = f"{path} is from another architecture"
    if missing := [name for name in wanted if name not in arrays]:
        raise InputError(f"{other}: it lacks {', '.join(missing)}")
    if unknown := [name for name in arrays if name not in wanted]:
        raise InputError(f"{other}: the model has no {', '.join(unknown)}")
    for name, array in wanted.items():
        if arrays[name].shape != array.shape:
            raise InputError(
                f"{other}: {name} has shape {arrays[name].shape}, the model's {array.shape}"
            )
        if arrays[name].dtype != array.dtype:
            raise InputError(
                f"{path}: {name} is {arrays[name].dtype}, the model is {array.dtype}; make the "
                f"model with dtype='{arrays[name].dtype}'"
            )


def _weights_of_linear_layers(model: Model) -> set[str]:
    """The names of the matrices that PyTorch keeps transposed."""
    return {f"{name}.weight" for name, layer in model.root.walk() if isinstance(layer, Linear)}


# Training that goes on later.


def save_checkpoint(path: str | Path, model: Model, optimizer: Optimizer, epochs: int) -> None:
    """Write all that training depends on after so many epochs: see `load_checkpoint`.

    Parameters, masks, running averages, the state of Dropout, and the optimizer's with its count of
    steps, bit for bit.
    """
    header = {
        **_description(model, optimizer),
        "epochs": epochs,
        "steps": optimizer.steps,
        "has_mask": model.mask_buffer is not None,
    }
    _write(Path(path), _training_state(model, optimizer), {"checkpoint": header})


def load_checkpoint(path: str | Path, model: Model, optimizer: Optimizer) -> int:
    """Set model and optimizer back to what they were; returns the epochs that were done.

    Make both as they were made for the training that stopped, load, and go on:

        done = load_checkpoint(path, model, optimizer)
        fit(model, X, y, optimizer=optimizer, epochs=1000, first_epoch=done)

    The parameters are then those of 1,000 epochs without a stop, bit for bit, also with
    mini-batches; of early stopping (`patience`) nothing is kept. Raises `InputError` for a file
    that cannot be read or is of another model or optimizer, and changes nothing then.
    """
    arrays, metadata = _read(Path(path))
    header = metadata.get("checkpoint")
    if header is None:
        raise InputError(f"{path} is no checkpoint of a training: a model's file has no optimizer")
    for name, mine in _description(model, optimizer).items():
        if header.get(name) != mine:
            raise InputError(
                f"{path} is a checkpoint of another training: its {name} is "
                f"{_short(header.get(name))}, here it is {_short(mine)}"
            )
    places = _training_state(model, optimizer)
    mask = arrays.pop("mask", None)
    places.pop("mask", None)
    if header["has_mask"] != (mask is not None) or {
        name: (each.shape, each.dtype) for name, each in places.items()
    } != {name: (each.shape, each.dtype) for name, each in arrays.items()}:
        raise InputError(f"{path}: its arrays are not those that its header says")
    if mask is None:
        model.clear_mask()
    else:
        model.set_mask(mask)
    k = model.backend
    buffers = dict(_live_arrays(model, optimizer))
    for name, array in arrays.items():
        k.copy(k.asarray(array), out=buffers[name])
    optimizer.resume(int(header["steps"]))
    return int(header["epochs"])


def checkpoints(path: str | Path, optimizer: Optimizer, every: int) -> Callable[..., None]:
    """A callback for `fit` that writes a checkpoint after every so many epochs, over the last."""
    positive_whole("every of checkpoints", every)

    def callback(epoch: int, model: Model, loss: Any) -> None:
        if (epoch + 1) % every == 0:
            save_checkpoint(path, model, optimizer, epoch + 1)

    return callback


def _live_arrays(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """The arrays of model and optimizer themselves, by the names that they have in a checkpoint."""
    arrays = {"parameters": model.parameter_buffer}
    for layer_name, layer in model.root.walk():
        arrays |= {f"buffer.{layer_name}.{name}": each for name, each in layer.buffers.items()}
    return arrays | {f"optimizer.{name}": each for name, each in optimizer.state().items()}


def _training_state(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    arrays = _live_arrays(model, optimizer)
    if model.mask_buffer is not None:
        arrays["mask"] = model.mask_buffer
    return {name: np.array(model.backend.to_numpy(each)) for name, each in arrays.items()}


def _description(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """What must be the same where training goes on. Raises `InputError` for two models."""
    if optimizer.model is not model:
        raise InputError("a checkpoint of a model and the optimizer of another: needs its own")
    return {
        "format": FORMAT,
        "layers": architecture(model),
        "dtype": model.dtype,
        "seeds": list(model.seeds),
        "ensemble": model.ensemble,
        "optimizer": type(optimizer).__name__,
        "state of the optimizer": list(optimizer.state()),
    }


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


# The architecture, as JSON says it.

FIELDS: dict[str, tuple[type[Layer], tuple[str, ...]]] = {
    "Linear": (Linear, ("fan_in", "fan_out")),
    "ReLU": (ReLU, ()),
    "LeakyReLU": (LeakyReLU, ("slope",)),
    "Sigmoid": (Sigmoid, ()),
    "Tanh": (Tanh, ()),
    "Softplus": (Softplus, ()),
    "GELU": (GELU, ()),
    "Threshold": (Threshold, ("surrogate_window",)),
    "Dropout": (Dropout, ("rate",)),
    "BatchNorm": (BatchNorm, ("features", "momentum", "epsilon")),
}
BLOCKS: dict[str, type[Layer]] = {"Sequential": Sequential, "Residual": Residual}


def architecture(model: Model) -> list[dict[str, Any]]:
    """The model's layers as dictionaries of plain values, from which they can be made anew.

    Raises `InputError` for a layer of one's own.
    """
    return [_described(layer) for layer in model.layers]


def _described(layer: Layer) -> dict[str, Any]:
    name = type(layer).__name__
    if isinstance(layer, Bottleneck):
        inside = [_described(each) for each in layer.children().values()]
        return {
            "type": name,
            "width": layer.width,
            "inner": layer.inner,
            "activation": next(
                each for each in inside if each["type"] not in ("Linear", "BatchNorm")
            ),
            "batch_norm": any(each["type"] == "BatchNorm" for each in inside),
        }
    if BLOCKS.get(name) is type(layer):
        return {"type": name, "layers": [_described(each) for each in layer.children().values()]}
    if name not in FIELDS or FIELDS[name][0] is not type(layer):
        raise InputError(f"{layer} is a layer of your own, which a file cannot describe")
    return {"type": name} | {field: getattr(layer, field) for field in FIELDS[name][1]}


def _layer(described: Mapping[str, Any]) -> Layer:
    settings = dict(described)
    name = settings.pop("type")
    if name == "Bottleneck":
        return Bottleneck(**settings | {"activation": _layer(settings["activation"])})
    if name in BLOCKS:
        return BLOCKS[name](*map(_layer, settings["layers"]))
    return choose("layer", name, FIELDS)[0](**settings)


# The file.


def _write(path: Path, arrays: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    # safetensors copies memory as it lies: a transposed view would be saved untransposed.
    contiguous = {
        name: np.ascontiguousarray(each).reshape(each.shape) for name, each in arrays.items()
    }
    content = save(contiguous, {name: json.dumps(each) for name, each in metadata.items()})
    write_atomically(path, content)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """All arrays of a file, and its metadata, each entry from JSON where it is JSON."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise InputError(f"{path} is a folder: give a file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            stored = {name: file.get_slice(name).get_dtype() for name in file.keys()}
            for name, dtype in stored.items():
                if dtype not in READABLE:
                    raise InputError(
                        f"{path}: {name} is stored as {dtype}; accepted are "
                        f"{' and '.join(STORED_DTYPES.values())}"
                    )
            arrays = {name: file.get_tensor(name) for name in stored}
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path} is cut off, or no safetensors file ({error})") from None
    return arrays, {name: _parsed(each) for name, each in metadata.items()}


READABLE = (*STORED_DTYPES.values(), "U64", "I64")
"""The dtypes of parameters, of Dropout's counters, and of PyTorch's count of batches."""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
