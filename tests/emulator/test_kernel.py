"""Steps compiled to one CUDA kernel train like NumPy's, a block of threads for each network.

A few sharp cases; `test_kernel_calls.py` has one for each kind of call.
"""

import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from kernel_training import X, Y, backwards, check, network, trained

from scratchnet import SGD, Adam, fit, mlp
from scratchnet.backends import InputError, get_backend
from scratchnet.backends.compile import cuda_source, cuda_step
from scratchnet.compiled_step import CompiledTraining
from scratchnet.demos.bench import engine
from scratchnet.demos.bench.cases import Case
from scratchnet.demos.bench.problem import new_problem
from scratchnet.demos.bench.timing import Implementation


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_alone_and_in_an_ensemble(dtype: str) -> None:
    alone = check(network(2, 9, 5, 1, dtype=dtype))
    several = check(network(2, 9, 5, 1, dtype=dtype, ensemble=3))
    for mine, other in zip(alone, several, strict=True):
        assert mine.tobytes() == other[0].tobytes()


def test_everything_at_once_in_small_tiles_in_either_order(small_tiles: None) -> None:
    """Batch normalisation's phases, dropout's bits, momentum, clipping, masks, a ragged batch."""
    settings = {"optimizer": {"momentum": 0.9}, "batch_norm": True, "dropout": 0.3}
    make = network(2, 7, 6, 1, ensemble=2, pruned=0.4, dtype="float64", **settings)
    found = []
    for order in (nullcontext, backwards):
        with order():
            found.append(check(make, batch_size=9, clip_norm=0.5, epochs=3))
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()


def test_many_steps_are_one_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledTraining, "affordable", lambda self: 20)
    make = network(2, 4, 1, ensemble=2, kind=Adam, rate=lambda step: 0.1 / (1 + step))
    trained(make, "cupy", compile=True, epochs=1)
    losses, _, launches = trained(make, "cupy", compile=True, epochs=40)
    assert losses.shape == (40, 2)
    assert launches == [(2, 20)] * 2


def test_a_network_that_does_not_fit_is_replayed_and_said() -> None:
    model = mlp([2, 600, 600, 1], backend="cupy")
    with pytest.warns(RuntimeWarning, match="replayed: .* KiB of shared memory.*: must"):
        fit(model, X, Y, optimizer=SGD(model, 0.1), epochs=3, compile=True)
    same = mlp([2, 600, 600, 1], backend="cupy")
    fit(same, X, Y, optimizer=SGD(same, 0.1), epochs=3)
    numbers = [model.backend.to_numpy(each.parameter_buffer) for each in (model, same)]
    np.testing.assert_array_equal(*numbers)


def test_a_kernel_that_the_device_does_not_launch_is_replayed_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any, **settings: Any) -> None:
        raise get_backend("cupy").xp.cuda.driver.CUDADriverError(1)

    monkeypatch.setattr(cuda_step, "_kept", {})
    monkeypatch.setattr(cuda_step, "_loaded", lambda xp, program: refuse)
    models = [mlp([2, 4, 1], backend="cupy") for _ in range(2)]
    with pytest.warns(RuntimeWarning, match="replayed: the device refuses to launch its kernel"):
        fit(models[0], X, Y, optimizer=SGD(models[0], 0.1), epochs=3, compile=True)
    fit(models[1], X, Y, optimizer=SGD(models[1], 0.1), epochs=3)
    numbers = [each.backend.to_numpy(each.parameter_buffer) for each in models]
    np.testing.assert_array_equal(*numbers)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_kernel_never_drops_the_precision_asked_for(precision: str) -> None:
    k = get_backend("cupy", precision)
    with pytest.raises(
        InputError, match=f"^compile=True with precision {precision}: must be fp32 or tf32$"
    ):
        fit(mlp([2, 4, 1], backend=k), X, Y, epochs=2, compile=True)
    case = Case(2, 4, 16, backend="cupy", precision=precision)
    refused = engine.kernel_step(new_problem(case, 0), k)
    assert isinstance(refused, str) and f"its products are in {precision}" in refused


def test_a_network_that_diverges_leaves_the_others_alone() -> None:
    make = network(2, 5, 1, rate=[0.1, 1e30, 0.1], ensemble=3, activation="leaky_relu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = make("cupy")
        history = fit(optimizer.model, X, Y, optimizer=optimizer, epochs=9, compile=True)
        other = make("numpy")
        want = fit(other.model, X, Y, optimizer=other, epochs=9)
    assert [(each.network, each.epoch) for each in history.diverged] == [
        (each.network, each.epoch) for each in want.diverged
    ]
    np.testing.assert_allclose(history.loss[:, ::2], want.loss[:, ::2], rtol=1e-5)


def test_a_kernel_that_other_threads_push_out_at_once_is_used_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda_step, "_kept", {})
    monkeypatch.setattr(cuda_step, "keep", lambda *_: None)
    check(network(2, 4, 1), epochs=3)
    assert not cuda_step._kept


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tiles of eight points, so that there are several, the last of them ragged."""
    monkeypatch.setattr(cuda_step, "_kept", {})
    for name in ("_LARGEST_TILE", "_USEFUL_TILE", "_SMALLEST_TILE"):
        monkeypatch.setattr(cuda_source, name, 8)


def test_the_benchmark_times_the_kernel_or_says_why_not() -> None:
    found = []
    for width in (4, 600):
        case = Case(2, width, 16, 2, backend="cupy")
        found.append(engine.kernel_step(new_problem(case, 0), get_backend("cupy")))
    kernel, refused = found
    assert isinstance(kernel, Implementation) and kernel.losses is not None
    assert kernel.losses(kernel.call()).shape == (engine.STEPS_IN_A_CALL, 2)
    assert isinstance(refused, str) and "shared memory" in refused
