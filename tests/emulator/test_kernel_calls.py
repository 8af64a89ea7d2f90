"""Each kind of call in a step that is one CUDA kernel, against NumPy.

`tests/emulator/run python -m pytest -p cupy_on_cpu tests/emulator` runs them, in some minutes.
"""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kernel_training import RNG, X, Y, check, network, trained

from scratchnet import SGD, Adam, AdamW, Tensor, fit, mlp, ops
from scratchnet.backends import get_backend
from scratchnet.checkpoint import load_checkpoint, save_checkpoint
from scratchnet.demos.compiling import decide
from scratchnet.losses import LOSSES

CLASSES = RNG.integers(0, 3, len(X))
double = partial(network, dtype="float64")


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str, ensemble: int | None) -> None:
    is_classes = loss == "softmax_cross_entropy"
    make = double(2, 7, 3 if is_classes else 1, ensemble=ensemble)
    check(make, loss=loss, y=CLASSES if is_classes else Y)


def test_label_smoothing() -> None:
    loss = partial(LOSSES["softmax_cross_entropy"], label_smoothing=0.1)
    check(double(2, 7, 3), loss=loss, y=CLASSES)


def reductions(outputs: Tensor, targets: Any) -> Tensor:
    error = outputs - targets
    rows = ops.logsumexp(error, -1) + ops.std(error, 1, ddof=1) + ops.norm(error, -1)
    return rows.mean() + ops.var(error, 0).sum() + ops.norm(error)


def test_a_loss_of_ones_own() -> None:
    check(double(2, 9, 3), loss=reductions, y=np.sign(X[:, [0, 1, 0]]))


ACTIVATIONS = ["leaky_relu", "sigmoid", "tanh", "softplus", "gelu", "threshold"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    check(double(2, 7, 5, 1, activation=activation))


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "momentum": (SGD, {"momentum": 0.9}),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (Adam, {}),
    "adam with decay": (Adam, {"weight_decay": 0.1}),
    "adamw": (AdamW, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, ensemble: int | None) -> None:
    kind, settings = OPTIMIZERS[name]
    check(double(2, 7, 1, kind=kind, rate=0.01, optimizer=settings, ensemble=ensemble))


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_rates(kind: Any) -> None:
    check(double(2, 7, 1, kind=kind, rate=lambda step: 0.1 / (1 + step)))
    check(double(2, 7, 1, kind=kind, rate=[0.1, 0.02], ensemble=2))


@pytest.mark.parametrize("ensemble", [None, 2])
def test_dropout(ensemble: int | None) -> None:
    """Other bits would give another loss at once."""
    check(double(2, 16, 16, 1, dropout=0.3, ensemble=ensemble), epochs=20)


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("batch_size", [None, 6])
def test_batch_normalisation(ensemble: int | None, batch_size: int | None) -> None:
    check(double(2, 7, 6, 1, batch_norm=True, ensemble=ensemble), batch_size=batch_size)


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("batch_size", [1, 5, 11, 21])
def test_mini_batches(ensemble: int | None, batch_size: int) -> None:
    check(double(2, 7, 1, ensemble=ensemble), batch_size=batch_size)


def test_data_of_each_network() -> None:
    make = double(2, 7, 1, ensemble=2)
    X2, Y2 = np.stack([X, X[::-1] * 2]), np.stack([Y, Y[::-1]])
    found = []
    for backend, how in (("numpy", {}), ("cupy", {"compile": True})):
        optimizer = make(backend)
        fit(optimizer.model, X2, Y2, optimizer=optimizer, epochs=5, batch_size=6, **how)
        found.append(optimizer.model.backend.to_numpy(optimizer.model.parameter_buffer))
    np.testing.assert_allclose(*found, rtol=1e-11)


@pytest.mark.parametrize("ensemble", [None, 2])
def test_masks_clipping_and_weights(ensemble: int | None) -> None:
    weights = RNG.uniform(0.1, 1, len(X))
    for kind in (SGD, Adam):
        make = double(2, 8, 6, 1, kind=kind, pruned=0.5, ensemble=ensemble)
        check(make, clip_norm=0.1, sample_weight=weights)


@pytest.mark.parametrize("widths", [(2, 1), (2, 1, 1), (2, 33, 1), (2, 5, 2), (2, 128, 3, 1)])
@pytest.mark.parametrize("samples", [1, 3, 22])
def test_shapes(widths: tuple[int, ...], samples: int) -> None:
    y = np.tile(Y, widths[-1])[:samples]
    found = []
    for backend, how in (("numpy", {}), ("cupy", {"compile": True})):
        optimizer = double(*widths)(backend)
        fit(optimizer.model, X[:samples], y, optimizer=optimizer, epochs=4, **how)
        found.append(optimizer.model.backend.to_numpy(optimizer.model.parameter_buffer))
    np.testing.assert_allclose(*found, rtol=1e-11)


def test_two_hundred_networks() -> None:
    check(network(2, 3, 1, ensemble=200), epochs=3)


def test_frozen_layers() -> None:
    def make(backend: str) -> Any:
        optimizer = double(2, 6, 5, 1, kind=Adam, rate=0.01)(backend)
        for parameter in optimizer.model.parameters()[:2]:
            parameter.requires_grad = False
        return optimizer

    check(make)


def test_a_running_sum_is_replayed_and_named() -> None:
    def loss(outputs: Tensor, targets: Any) -> Tensor:
        return (ops.cumsum(outputs - targets, 0) * 0.1).std()

    model = mlp([2, 4, 1], backend="cupy")
    with pytest.warns(RuntimeWarning, match="replayed: .*cumsum"):
        fit(model, X, Y, loss=loss, optimizer=SGD(model, 0.05), epochs=4, compile=True)
    same = mlp([2, 4, 1], backend="cupy")
    fit(same, X, Y, loss=loss, optimizer=SGD(same, 0.05), epochs=4)
    numbers = [model.backend.to_numpy(each.parameter_buffer) for each in (model, same)]
    np.testing.assert_array_equal(*numbers)


def test_a_training_that_goes_on_has_the_same_bits(tmp_path: Any) -> None:
    make = network(2, 6, 1, kind=Adam, rate=0.02, dropout=0.2, ensemble=2)
    how = {"compile": True, "batch_size": 8}
    _, want, _ = trained(make, "cupy", epochs=7, **how)
    optimizer = make("cupy")
    fit(optimizer.model, X, Y, optimizer=optimizer, epochs=3, **how)
    save_checkpoint(tmp_path / "model", optimizer.model, optimizer, 3)
    other = make("cupy")
    load_checkpoint(tmp_path / "model", other.model, other)
    fit(other.model, X, Y, optimizer=other, epochs=7, first_epoch=3, **how)
    assert other.model.backend.to_numpy(other.model.parameter_buffer).tobytes() == want[0].tobytes()


@pytest.mark.parametrize("wanted", ["auto", "on"])
def test_a_command_makes_kernels_where_it_is_told_to(wanted: str, tmp_path: Any) -> None:
    """By itself it does not: that waits for a GPU's times."""
    given = SimpleNamespace(
        compile=wanted, resume=False, out=tmp_path, record=True, precision="fp32"
    )
    mode = decide(given, get_backend("cupy"), 1e6)
    assert mode.line.startswith("Steps: compiled by NVRTC" if wanted == "on" else "Steps: replayed")
    with mode.opened():
        _, _, launches = trained(network(2, 3, 1), "cupy", epochs=3)
    assert bool(launches) == (wanted == "on")
