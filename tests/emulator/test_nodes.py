"""How many nodes the graph of a training step has: on a GPU the start of each takes time."""

import sys
from typing import Any

import numpy as np
import pytest

if "cupy_on_cpu" not in sys.modules:
    pytest.skip("runs on the emulated device: tests/emulator/run", allow_module_level=True)

import cupy_on_cpu

from scratchnet import Adam, Model, Tensor, mlp
from scratchnet.backends import get_backend
from scratchnet.batches import Batches, checked_data
from scratchnet.losses import get_loss
from scratchnet.program import recorded
from scratchnet.training import TrainingStep


def nodes(model: Model, loss: str = "binary_cross_entropy", batch_size: int | None = None) -> int:
    """Of a replayed step of `fit` with Adam, on 64 points."""
    X = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    compute_loss = get_loss(loss)
    batches = Batches(model, *checked_data(model, X, y, compute_loss), batch_size)
    step = TrainingStep(batches, compute_loss, Adam(model), None, record=True)
    model.train()
    before = len(cupy_on_cpu.hazards)
    for _ in range(3):
        with cupy_on_cpu.log() as log:
            rows, _ = next(iter(batches))
            step(*rows)
    assert not cupy_on_cpu.hazards[before:]
    (launch,) = [line for line in log.lines if line.startswith("GRAPH of ")]
    return int(launch.split()[2])


def network(*widths: int, **settings: Any) -> Model:
    return mlp(list(widths), backend="cupy", **settings)


def test_a_step_of_eight_layers() -> None:
    """Of each hidden layer: the layer; ReLU's gradient with the bias's; two products."""
    assert nodes(network(2, *[32] * 8, 1)) <= 38


def test_a_step_of_an_ensemble() -> None:
    assert nodes(network(2, *[32] * 8, 1, ensemble=2)) <= 38


def test_a_layer_more_with_batch_normalisation() -> None:
    few, more = (nodes(network(2, *[32] * n, 1, batch_norm=True)) for n in (1, 2))
    assert more - few <= 11


@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_mini_batch_takes_two_nodes_to_select(ensemble: int | None) -> None:
    whole, part = (nodes(network(2, 8, 1, ensemble=ensemble), batch_size=n) for n in (None, 16))
    assert part - whole <= 2


@pytest.mark.parametrize(
    "loss, most",
    {
        "binary_cross_entropy": 10,
        "softmax_cross_entropy": 10,
        "mean_squared_error": 14,
        "mean_absolute_error": 14,
        "huber": 17,
        "hinge": 18,
    }.items(),
)
def test_the_losses(loss: str, most: int) -> None:
    assert nodes(network(2, 8, 2 if loss == "softmax_cross_entropy" else 1), loss) <= most


CALLS: dict[str, Any] = {
    "take": lambda k, x, index: k.take(x, index),
    "take_of_each": lambda k, x, index: k.take_of_each(x, index[None]),
    "where": lambda k, x, index: k.where(k.xp.ones(x.shape, bool), x, k.asarray(1.0, x.dtype)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_choice_is_one_node(name: str) -> None:
    k = get_backend("cupy")
    x, index = k.ones((1, 4, 3), "float32"), k.asarray([0, 0])
    with k.recording() as calls:
        CALLS[name](k, x, index)
    with cupy_on_cpu.log() as log:
        k.repeater(calls)
    assert len(log.nodes()) == 1


def test_a_sum_by_atomics_passes_the_check_of_a_recorded_step() -> None:
    """Run eagerly the threads come in another order than in the replay, as on a GPU they may."""
    k, backwards = get_backend("cupy"), cupy_on_cpu.device.emu_backwards
    rng, index = np.random.default_rng(0), np.arange(50) % 3
    values = k.asarray(rng.uniform(-1, 1, (50, 1)), "float32")
    sums, orders = [], iter([0, 1])
    try:
        for order in (0, 1):
            backwards(order)
            sums.append(k.to_numpy(k.scatter_add(values, k.asarray(index), (3, 1))))
        assert sums[0].tobytes() != sums[1].tobytes()
        model = mlp([2, 8, 1], backend=k)
        X = Tensor(rng.uniform(-1, 1, (3, 2)), "float32", k, requires_grad=False)

        def step() -> Tensor:
            backwards(next(orders))
            loss = (model(X)[index] * Tensor(values, backend=k, requires_grad=False)).sum()
            loss.backward()
            return loss

        run = recorded(step, model)
        run()
        run()
    finally:
        backwards(0)
    assert not list(orders)


def test_fit_waits_for_the_device_once_for_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from scratchnet import fit
    from scratchnet.steps_ahead import StepsAhead

    monkeypatch.setattr(StepsAhead, "affordable", lambda self: 25)
    X = np.random.default_rng(0).uniform(-1, 1, (16, 2))
    waits = []
    for epochs in (100, 200):
        with cupy_on_cpu.log() as log:
            fit(network(2, 4, 1), X, X[:, 0] > 0, epochs=epochs)
        waits.append(sum(line.startswith("WAIT") or "D2H" in line for line in log.lines))
    assert waits[1] - waits[0] <= 8  # four times, a copy each
