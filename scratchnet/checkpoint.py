"""Files: a trained model, which other programs can load too, and training that goes on later.

Both are safetensors files: named arrays behind a header, and no code that runs on loading. They are
written to a temporary file, which takes the old one's place once it is whole.

`save_model` writes one network as PyTorch's state dict has it: the same names ('0.weight'), each
weight as (out, in) where it is (in, out) in memory, BatchNorm's averages under PyTorch's names. In
PyTorch, where a `torch.nn.Sequential` of the same layers is `network`:

    network.load_state_dict(safetensors.torch.load_file(path))

The header holds the architecture as JSON, so that `load_model` makes the model anew, and what its
outputs mean: the name of the loss, and the threshold between classes.

`save_checkpoint` writes everything that training goes on from, of all networks of an ensemble, as
it lies in memory: the same bits come out as if training had never stopped, as long as the same
BLAS computes them with as many threads on the same kind of processor, and steps are compiled by the
same compiler, or replayed as they were. The file says which did, and `load_checkpoint` or `fit`
warns of others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError
from scratchnet.backends.errors import positive_whole, whole_number
from scratchnet.classes import stored_meaning
from scratchnet.early_stopping import EarlyStopping
from scratchnet.environment import as_json, checked_environment, environment_of, warn_of_another
from scratchnet.files import one_line, write_atomically
from scratchnet.layers import Layer, Sequential, described, from_description
from scratchnet.model import Model
from scratchnet.optim import Optimizer
from scratchnet.tensor import float_type

FORMAT = 1
STORED_DTYPES = {"float32": "F32", "float64": "F64"}


def save_model(
    path: str | Path,
    model: Model,
    network: int | None = None,
    task: Mapping[str, Any] | None = None,
) -> None:
    """Write the model's parameters and running averages as PyTorch names and lays them out.

    `network` says which one of an ensemble. `task` is kept beside them, as JSON: what the model was
    trained on. What a mask has pruned is 0 in the file. Raises `InputError` for an ensemble without
    `network`, and for layers whose kinds are not registered.
    """
    if (model.ensemble is None) != (network is None):
        raise InputError(
            "a file holds one network: say which one of the ensemble with network=i"
            if network is None
            else f"network {network} of a model that is no ensemble"
        )
    layers = [described(layer, network or 0) for layer in model.layers]
    turned, left_out = _transposed(model), _for_training_only(model)
    arrays = {
        name: array.T if name in turned else array
        for name, array in model.state_dict(network).items()
        if name not in left_out
    }
    header = {"format": FORMAT, "dtype": model.dtype, "layers": layers}
    header |= {"loss": model.loss, "threshold": model.threshold}
    _write(Path(path), arrays, {"scratchnet": header, "task": dict(task or {})})


def load_model(path: str | Path, backend: str | Backend = "auto") -> Model:
    """The model of a file that `save_model` wrote, in eval mode.

    Raises `InputError` where there is no such file, where it is cut off, no safetensors file, or
    written by another program; that one's weights `load_weights` reads into a model.
    """
    with _open(Path(path)) as file:
        header = file.metadata.get("scratchnet")
        if not isinstance(header, dict):
            raise InputError(
                f"{path} does not say which layers it is for: make that model, and read the file "
                "with load_weights(path, model)"
            )
        try:
            layers = [from_description(each) for each in header["layers"]]
            # Before weights are drawn: a small file can describe a model that fills the memory.
            dtype = float_type("dtype of a model", header["dtype"])
            _check_fits(path, file, _described_arrays(layers, dtype))
            model = Model(*layers, dtype=dtype, backend=backend)
            model.loss, model.threshold = stored_meaning(str(path), header, model.threshold)
        except UnfitError:
            raise
        except UNUSABLE as error:
            raise InputError(
                f"{path}: its description of the model cannot be used: {one_line(error)}"
            ) from None
        _fill(model, file)
    return model.eval()


def load_weights(path: str | Path, model: Model) -> None:
    """Copy a file's arrays into a model of the same architecture and dtype, in place.

    The file may come from PyTorch: the state dict of a `torch.nn.Sequential` of the same layers,
    written by `safetensors.torch.save_file`. Raises `InputError` where it does not fit, and leaves
    the model as it is.
    """
    with _open(Path(path)) as file:
        if model.ensemble is not None:
            raise InputError(f"{path} holds one network, and the model is an ensemble")
        _check_fits(path, file, _arrays_of(model))
        _fill(model, file)


def load_task(path: str | Path) -> dict[str, Any]:
    """What the model of a file was trained on: the `task` given to `save_model`, or {}."""
    with _open(Path(path)) as file:
        task = file.metadata.get("task")
    return task if isinstance(task, dict) else {}


class UnfitError(InputError):
    """The arrays of a file are not those of the model."""


UNUSABLE = (KeyError, TypeError, AttributeError, ValueError, MemoryError, RecursionError)


def _fill(model: Model, file: File) -> None:
    """Copy the arrays of a file that fits into the model."""
    turned = _transposed(model)
    state = model.state_dict()
    for name in state:
        if name in file.arrays:
            array = file.read(name)
            state[name] = array.T if name in turned else array
    model.load_state_dict(state)


Kind = tuple[tuple[int, ...], str]
"""Shape and dtype of an array."""


def _described_arrays(layers: Iterable[Layer], dtype: str) -> dict[str, Kind]:
    """The arrays in a file of layers that no model has drawn yet, by name."""
    wanted: dict[str, Kind] = {}
    for layer_name, layer in Sequential(*layers).walk():
        shapes = {**layer.parameter_shapes(), **layer.buffer_shapes()}
        for name, shape in shapes.items():
            if name not in layer.for_training_only:
                turned = name in layer.transposed_in_files
                wanted[f"{layer_name}.{name}"] = (shape[::-1] if turned else shape, dtype)
    return wanted


def _arrays_of(model: Model) -> dict[str, Kind]:
    """The arrays in a file of this model, by name."""
    turned, left_out = _transposed(model), _for_training_only(model)
    return {
        name: (array.shape[::-1] if name in turned else array.shape, str(array.dtype))
        for name, array in model.state_dict().items()
        if name not in left_out
    }


def _check_fits(path: str | Path, file: File, wanted: Mapping[str, Kind]) -> None:
    """Raise `UnfitError` unless the file has the arrays of these names, shapes and dtypes."""
    other = f"{path} is from another architecture"
    if missing := [name for name in wanted if name not in file.arrays]:
        raise UnfitError(f"{other}: it lacks {_names(missing)}")
    # PyTorch counts the batches that a BatchNorm has seen; nothing here depends on it.
    counts = "num_batches_tracked"
    if unknown := [
        each for each in file.arrays if each not in wanted and not each.endswith(counts)
    ]:
        raise UnfitError(f"{other}: the model has no {_names(unknown)}")
    for name, (shape, dtype) in wanted.items():
        its_shape, its_dtype = file.arrays[name]
        if its_shape != shape:
            raise UnfitError(f"{other}: {name} has shape {its_shape}, the model's {shape}")
        if its_dtype != dtype:
            raise UnfitError(
                f"{path}: {name} is {its_dtype}, the model is {dtype}; make the model with "
                f"dtype='{its_dtype}'"
            )


def _transposed(model: Model) -> set[str]:
    """The names of the matrices that PyTorch keeps transposed."""
    layers = model.root.walk()
    return {f"{name}.{each}" for name, layer in layers for each in layer.transposed_in_files}


def _for_training_only(model: Model) -> set[str]:
    """The names of the buffers that stay out of a model's file."""
    layers = model.root.walk()
    return {f"{name}.{each}" for name, layer in layers for each in layer.for_training_only}


# Training that goes on later.


def save_checkpoint(path: str | Path, model: Model, optimizer: Optimizer, epochs: int) -> None:
    """Write all that training depends on after so many epochs: see `load_checkpoint`.

    Parameters, masks, running averages, the state of Dropout, and the optimizer's with its count of
    steps, bit for bit; the loss and the threshold of the model; and on what they were computed. In
    a callback of a `fit` with patience also the best validation loss, how long ago it was and the
    numbers then; after that `fit` the parameters are the best ones. Raises `InputError` for a
    number of epochs that is none, or not the one that early stopping has watched: in a callback it
    is the epoch + 1.
    """
    stopping = optimizer.early_stopping
    whole_number("epochs of a checkpoint", epochs, 0, LARGEST_COUNT)
    if stopping is not None and stopping.epochs != epochs:
        raise InputError(
            f"epochs of a checkpoint is {epochs}: must be {stopping.epochs}, which is what early "
            "stopping has watched"
        )
    header = {
        **_description(model, optimizer),
        "environment": {**environment_of(model), "compiler": optimizer.compiler},
        "loss": model.loss,
        "threshold": model.threshold,
        "epochs": int(epochs),
        "steps": optimizer.steps,
        "has_mask": model.mask_buffer is not None,
        STOPPING: stopping is not None,
    }
    _write(Path(path), _training_state(model, optimizer), {"checkpoint": header})


def load_checkpoint(path: str | Path, model: Model, optimizer: Optimizer) -> int:
    """Set model and optimizer back to what they were; returns the epochs that were done.

    Make both as they were made for the training that stopped, load, and go on:

        done = load_checkpoint(path, model, optimizer)
        fit(model, X, y, optimizer=optimizer, epochs=1000, first_epoch=done)

    The parameters are then those of 1,000 epochs without a stop, bit for bit, also with
    mini-batches and with early stopping: with `patience`, `fit` from the epoch that is returned on
    watches as if it had never stopped, also where the training was over. Bit for bit needs the same
    BLAS with the same kernel and number of threads, the same processor and library: a warning names
    what differs. It is promised within one mode only: steps that were replayed must be so again,
    and compiled ones compiled, by the same compiler; else `fit` warns. Raises `InputError` for a
    file that cannot be read or is of another model or optimizer, and changes nothing then.
    """
    with _open(Path(path)) as file:
        header = file.metadata.get("checkpoint")
        if not isinstance(header, dict):
            raise InputError(
                f"{path} is no checkpoint of a training: a model's file has no optimizer"
            )
        _check_same(path, header, _description(model, optimizer))
        epochs, steps = [
            whole_number(f"{path}: {name}", header.get(name), 0, LARGEST_COUNT)
            for name in ("epochs", "steps")
        ]
        environment = checked_environment(path, header.get("environment"))
        meaning = stored_meaning(str(path), header, model.threshold)
        has_mask, has_stopping = _switch(path, header, "has_mask"), _switch(path, header, STOPPING)
        places = _live_arrays(model, optimizer)
        stopping = EarlyStopping(model, epochs) if has_stopping else None
        wanted = _kinds(places | _stopping_arrays(stopping))
        if has_mask:
            wanted["mask"] = wanted["parameters"]
        if wanted != file.arrays:
            raise InputError(f"{path}: its arrays are not those that its header says")
        arrays = {name: file.read(name) for name in wanted}
    if stopping is not None:
        stopping.load_state(path, _taken_out(arrays, f"{STOPPING}."))
    mask = arrays.pop("mask", None)
    if mask is None:
        model.clear_mask()
    else:
        model.set_mask(mask)
    k = model.backend
    for name, array in arrays.items():
        k.copy(k.asarray(array), out=places[name])
    model.apply_mask()
    model.loss, model.threshold = meaning
    optimizer.resume(steps)
    optimizer.early_stopping = stopping
    here = environment_of(model)
    # How steps are done here is for `fit` to say, which warns of another way.
    optimizer.compiler = str(environment.get("compiler", ""))
    warn_of_another(path, {**environment, "compiler": ""}, {**here, "compiler": ""})
    return epochs


LARGEST_COUNT = 2**53
"""Up to here every whole number is a float, with which an optimizer computes."""


STOPPING = "early_stopping"
"""The entry of the header, and in front of the names of the arrays."""


def _switch(path: str | Path, header: Mapping[str, Any], name: str) -> bool:
    """The header's entry of that name, true or false; `InputError` for anything else."""
    value = header.get(name)
    if not isinstance(value, bool):
        raise InputError(f"{path}: {name} is {as_json(value)}: must be true or false")
    return value


def _kinds(arrays: Mapping[str, Array]) -> dict[str, Kind]:
    """The shape and dtype of each array."""
    return {name: (tuple(each.shape), str(each.dtype)) for name, each in arrays.items()}


def _taken_out(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names begin so, by the rest of the name; they leave the dictionary."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}


def _check_same(path: str | Path, header: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Raise `InputError` for the first entry in which the header differs from this training."""
    for name, here in mine.items():
        # As text: 1, 1.0 and true are equal in Python.
        if json.dumps(header.get(name)) != json.dumps(here):
            raise InputError(
                f"{path} is a checkpoint of another training: its {name} is "
                f"{as_json(header.get(name))}, here it is {as_json(here)}"
            )


def checkpoints(path: str | Path, optimizer: Optimizer, every: int) -> Callable[..., None]:
    """A callback for `fit` that writes a checkpoint after every so many epochs, over the last."""
    positive_whole("every of checkpoints", every)

    def callback(epoch: int, model: Model, loss: Any) -> None:
        save_checkpoint(path, model, optimizer, epoch + 1)

    callback.every = every  # type: ignore[attr-defined]
    callback.on_first_rank = True  # type: ignore[attr-defined]
    return callback


def _live_arrays(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """The arrays of model and optimizer themselves, by the names that they have in a checkpoint."""
    arrays = {"parameters": model.parameter_buffer}
    for layer_name, layer in model.root.walk():
        arrays |= {f"buffer.{layer_name}.{name}": each for name, each in layer.buffers.items()}
    return arrays | {f"optimizer.{name}": each for name, each in optimizer.state().items()}


def _stopping_arrays(stopping: EarlyStopping | None) -> dict[str, Any]:
    """The arrays of early stopping by name, none without it."""
    state = {} if stopping is None else stopping.state()
    return {f"{STOPPING}.{name}": each for name, each in state.items()}


def _training_state(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """Copies of all arrays that a training goes on from, on the host."""
    arrays = _live_arrays(model, optimizer) | _stopping_arrays(optimizer.early_stopping)
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


NAMES_SHOWN = 6


def _names(names: list[str]) -> str:
    """The first names of a list that comes from a file, on one line."""
    shown = [one_line(each) for each in names[:NAMES_SHOWN]]
    return ", ".join(shown) + (", ..." if len(names) > NAMES_SHOWN else "")


def architecture(model: Model) -> list[dict[str, Any]]:
    """The model's layers as dictionaries of plain values, from which they can be made anew.

    A number per network is a list. Raises `InputError` for a layer whose kind is not registered.
    """
    return [described(layer) for layer in model.layers]


# The file.


def _write(path: Path, arrays: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Write arrays and header as a safetensors file, whole or not at all."""
    from safetensors.numpy import save

    # safetensors copies memory as it lies: a transposed view would be saved untransposed.
    contiguous = {
        name: np.ascontiguousarray(each).reshape(each.shape) for name, each in arrays.items()
    }
    try:
        texts = {name: json.dumps(each) for name, each in metadata.items()}
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: what goes into its header must be JSON: {error}") from None
    write_atomically(path, _in_order(save(contiguous, texts)))


def _in_order(file: bytes) -> bytes:
    """A safetensors file with sorted metadata: safetensors writes them in another order each time.

    Its first 8 bytes are the length of the header, which spaces fill up to a multiple of 8.
    """
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[end:]


class File:
    """An open safetensors file: its header, from which `read` takes one array at a time."""

    def __init__(self, path: Path, file: Any) -> None:
        self.arrays: dict[str, Kind] = {}
        self.metadata = {name: _parsed(each) for name, each in (file.metadata() or {}).items()}
        self._file = file
        for name in file.keys():
            stored = file.get_slice(name)
            if stored.get_dtype() not in READABLE:
                raise InputError(
                    f"{path}: {one_line(name)} is stored as {stored.get_dtype()}; must be "
                    f"{' or '.join(STORED_DTYPES.values())}"
                )
            self.arrays[name] = tuple(stored.get_shape()), READABLE[stored.get_dtype()]

    def read(self, name: str) -> Any:
        """The array of that name, in NumPy."""
        return self._file.get_tensor(name)


@contextmanager
def _open(path: Path) -> Iterator[File]:
    """A file whose header has been read. Raises `InputError` where that cannot be."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise InputError(f"{path} is a folder: give a file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            yield File(path, file)
    except SafetensorError as error:
        raise InputError(f"{path} is cut off, or no safetensors file ({one_line(error)})") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from None


READABLE = {each: name for name, each in STORED_DTYPES.items()} | {"U64": "uint64", "I64": "int64"}
"""The dtypes of parameters, of Dropout's counters, and of PyTorch's count of batches."""


def _parsed(text: str) -> Any:
    """A header's text as JSON, or as it is where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
