"""A gap between the networks of an ensemble changes how fast products are, and nothing else."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Adam, Model, fit, mlp
from scratchnet.backends import Backend
from scratchnet.checkpoint import load_checkpoint, save_checkpoint

X = np.random.default_rng(0).uniform(-1, 1, (30, 2))
Y = X[:, :1] * X[:, 1:] > 0


def network(backend: Backend) -> Model:
    return mlp([2, 5, 5, 1], dropout=0.1, batch_norm=True, ensemble=3, backend=backend)


@pytest.fixture(params=[1, 32])
def aligned(request: pytest.FixtureRequest, backend: Backend, monkeypatch: Any) -> Backend:
    monkeypatch.setattr(backend, "row_alignment", request.param, raising=False)
    return backend


def test_each_network_begins_at_a_multiple(aligned: Backend) -> None:
    model = network(aligned)
    for buffer in (model.parameter_buffer, model.gradient_buffer):
        assert buffer.shape == (3, model.parameter_count)
        assert buffer.strides[0] % (4 * aligned.row_alignment) == 0
        assert buffer.strides[0] // 4 < model.parameter_count + aligned.row_alignment
    assert all(each.data.shape[0] == 3 for each in model.parameters())


def test_on_cuda_a_network_begins_at_a_line_of_memory(cuda: Backend) -> None:
    """Of 128 bytes; elsewhere cuBLAS takes slower kernels. Nobody sees the numbers between."""
    model = mlp([2, *[32] * 8, 1], ensemble=3, backend=cuda)
    for array in (model.parameter_buffer, model.gradient_buffer):
        assert array.shape == (3, 7521)
        assert [cuda.address(row) % 128 for row in array] == [0, 0, 0]


@pytest.mark.parametrize("kind", [SGD, Adam], ids=["SGD", "Adam"])
@pytest.mark.parametrize("freeze", [False, True])
def test_not_a_bit_changes(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, kind: Any, freeze: bool
) -> None:
    """With clipping, a mask, weight decay, and with a layer that stays."""
    states = []
    for alignment in (1, 32):
        monkeypatch.setattr(backend, "row_alignment", alignment, raising=False)
        model = network(backend)
        model.set_mask(np.arange(3 * model.parameter_count).reshape(3, -1) % 7 > 0)
        if freeze:
            model.freeze("4")
        optimizer = kind(model, 0.05, weight_decay=0.01)
        history = fit(model, X, Y, epochs=6, batch_size=8, optimizer=optimizer, clip_norm=0.5)
        moments = {name: backend.to_numpy(each) for name, each in optimizer.moments().items()}
        states.append(model.state_dict() | moments | {"loss": history.loss})
    for name, array in states[0].items():
        assert array.tobytes() == states[1][name].tobytes(), name


def test_copies_and_files_hold_the_networks_alone(aligned: Backend, tmp_path: Path) -> None:
    model = network(aligned)
    fit(model, X, Y, epochs=2)
    if aligned.name == "numpy":  # the stand-in of CuPy is not to be found by its name
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert other.predict(X).tobytes() == model.predict(X).tobytes()
    optimizer = Adam(model)
    save_checkpoint(tmp_path / "it.safetensors", model, optimizer, 2)
    fresh = network(aligned)
    load_checkpoint(tmp_path / "it.safetensors", fresh, Adam(fresh))
    for name, array in model.state_dict().items():
        assert array.tobytes() == fresh.state_dict()[name].tobytes()
