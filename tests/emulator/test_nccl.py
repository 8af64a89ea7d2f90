"""Two ranks on GPUs: this one on the emulated device, and one that has the same samples.

So a sum over both is twice what is here, which the stand-in for NCCL computes on the stream that it
is given; MPI's stand-in says of the other rank what is said here.
"""

from __future__ import annotations

import platform
import sys
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

if "cupy_on_cpu" not in sys.modules:
    pytest.skip("runs on the emulated device: tests/emulator/run", allow_module_level=True)

import cupy
import cupy_on_cpu

from scratchnet import SGD, fit, nccl, parallel
from scratchnet.backends import InputError, cuda_graph
from scratchnet.backends.cuda_graph import Launch
from scratchnet.layers import BatchNorm, Linear, Tanh
from scratchnet.model import Model

X = np.random.default_rng(0).normal(size=(20, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(float)
NAME = tuple(range(128))


class Intracomm:
    """What mpi4py's communicator would say to rank 0 of 2."""

    elsewhere = "another machine"

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 2

    def allgather(self, value: Any) -> list[Any]:
        is_gpu = isinstance(value, tuple) and value[0] == platform.node()
        return [value, (self.elsewhere, value[1]) if is_gpu else value]

    def Bcast(self, array: Any, root: int) -> None:
        assert isinstance(array, np.ndarray) and array.flags.c_contiguous and root == 0

    def Abort(self, status: int) -> None:
        raise AssertionError(f"a rank ended with status {status}")


class Communicator:
    """NCCL's, of this rank and the other."""

    calls: list[tuple[Any, ...]]
    graphs: list[Any]

    def __init__(self, ranks: int, name: Any, rank: int) -> None:
        assert (ranks, name, rank) == (2, NAME, 0)

    def destroy(self) -> None:
        # A graph that outlives it makes NCCL wait for ever.
        self.calls.append(("destroyed", sum(each() is not None for each in self.graphs)))

    def allReduce(
        self, source: int, target: int, count: int, kind: str, op: str, stream: int
    ) -> None:
        assert stream == cupy.cuda.get_current_stream().ptr and source == target and op == "sum"
        dtype = np.dtype(kind)
        memory = cupy.cuda.UnownedMemory(target, count * dtype.itemsize, self)
        numbers = cupy.ndarray(count, dtype, cupy.cuda.MemoryPointer(memory, 0))
        cupy.multiply(numbers, 2, out=numbers)
        is_captured = cupy.cuda.get_current_stream().is_capturing()
        self.calls.append((count, kind, is_captured))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What NCCL is asked for: numbers, dtype, and whether it is captured."""
    mpi = SimpleNamespace(Intracomm=Intracomm, COMM_NULL=None, IN_PLACE=None)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)
    stand_in = SimpleNamespace(
        NCCL_SUM="sum", NCCL_FLOAT32="float32", NCCL_FLOAT64="float64",
        get_unique_id=lambda: NAME, NcclCommunicator=Communicator,
    )  # fmt: skip
    monkeypatch.setattr(nccl, "library", lambda xp: stand_in)
    monkeypatch.setattr(parallel, "meet", lambda communicator: None)
    Communicator.calls, Communicator.graphs = [], []

    def launch(*of_graph: Any) -> Launch:
        made = Launch(*of_graph)
        Communicator.graphs.append(weakref.ref(made))
        return made

    monkeypatch.setattr(cuda_graph, "Launch", launch)
    return Communicator.calls


def trained(backend: str, x: Any, y: Any, dtype: str, ensemble: int | None, **options: Any) -> Any:
    layers = Linear(2, 5), BatchNorm(5), Tanh(), Linear(5, 1)
    model = Model(*layers, backend=backend, dtype=dtype, ensemble=ensemble)
    sgd = SGD(model, 0.1, momentum=0.9)
    history = fit(model, x, y, optimizer=sgd, epochs=6, clip_norm=0.5, **options)
    return history.loss, model.backend.to_numpy(model.parameter_buffer)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ensemble", [None, 3])
def test_two_ranks_train_as_one_process_on_the_samples_of_both(
    calls: list[tuple[Any, ...]], dtype: str, ensemble: int | None
) -> None:
    found = trained("cupy", X, Y, dtype, ensemble, communicator=Intracomm())
    wanted = trained("numpy", np.concatenate([X, X]), np.concatenate([Y, Y]), dtype, ensemble)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 if dtype == "float32" else 1e-11)
    # Forwards a mean and a variance, backwards both means, then all gradients and the loss.
    of_step = [(5, dtype), (5, dtype), (10, dtype), (2 * 5 + 5 + 2 * 5 + 5 + 1 + 1, dtype)]
    of_step = [(count * (ensemble or 1), kind) for count, kind in of_step]
    *sums, freed = calls
    assert freed == ("destroyed", 0) and len(Communicator.graphs) == 1
    seen = [each[:2] for each in sums]
    assert seen == of_step * (len(seen) // 4)
    captured = [each[:2] for each in sums if each[2]]
    assert captured == of_step
    assert not cupy_on_cpu.hazards


def test_two_ranks_on_one_gpu_are_refused(
    calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Intracomm, "elsewhere", platform.node())
    with pytest.raises(
        InputError, match="ranks 0 and 1 are on one GPU of .*: each must have its own"
    ):
        trained("cupy", X, Y, "float32", None, communicator=Intracomm())
    assert not calls


def test_a_compiled_step_is_refused(calls: list[tuple[Any, ...]]) -> None:
    with pytest.raises(InputError, match="compile=True with a communicator of 2 ranks on cupy"):
        trained("cupy", X, Y, "float32", None, communicator=Intracomm(), compile=True)
