"""What a state dict must hold before a model takes its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError


def check_state(state: Mapping[str, Any], arrays: Mapping[str, Array], backend: Backend) -> None:
    """Raise `InputError` unless `state` has an array of numbers of the same shape for each array.

    PyTorch's state dict, whose weights are (out, in), is refused as far as it can be told: by its
    tensors, its metadata, the batch counters of its BatchNorm, or a weight of a layer that is not
    square. Plain arrays of square layers alone look like this engine's, and are taken as they are.
    """
    if not isinstance(state, Mapping):
        raise InputError(f"state dict of type {type(state).__name__}: must be a dictionary")
    foreign = {type(each).__module__.partition(".")[0] for each in state.values()}
    if "torch" in foreign or hasattr(state, "_metadata"):
        raise InputError(
            "state dict is PyTorch's, whose weights are (out, in): must be one of this engine; "
            "write it with safetensors.torch.save_file and read it with load_weights"
        )
    if missing := [name for name in arrays if name not in state]:
        raise InputError(f"state dict lacks {', '.join(missing)}")
    if any(str(name).endswith(".num_batches_tracked") for name in state):
        raise InputError(
            "state dict is PyTorch's, with num_batches_tracked: must be one of this engine; leave "
            "that out and transpose every Linear weight (.T)"
        )
    if unknown := [name for name in state if name not in arrays]:
        raise InputError(f"state dict has unknown {', '.join(unknown)}")
    for name in arrays:
        if not _is_numbers(state[name], backend):
            raise InputError(
                f"state dict: {name} of type {type(state[name]).__name__}: must be an array of "
                "numbers"
            )
    if wrong := [name for name, array in arrays.items() if np.shape(state[name]) != array.shape]:
        name = wrong[0]
        found, needed = np.shape(state[name]), tuple(arrays[name].shape)
        message = f"state dict: {name} has shape {found}, must be {needed}"
        if all(
            len(arrays[each].shape) > 1
            and np.shape(state[each]) == (*arrays[each].shape[:-2], *arrays[each].shape[:-3:-1])
            for each in wrong
        ):
            message += (
                ": it is transposed, (out, in) as PyTorch's; transpose every Linear weight (.T), "
                "those of square layers too"
            )
        raise InputError(message)


def _is_numbers(values: Any, backend: Backend) -> bool:
    """Whether these are numbers: kinds b, i, u or f."""
    if isinstance(values, backend.xp.ndarray):
        return values.dtype.kind in "fiub"
    try:
        return np.asarray(values).dtype.kind in "fiub"
    except (TypeError, ValueError):
        return False
