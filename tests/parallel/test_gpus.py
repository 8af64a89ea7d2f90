"""What ranks on GPUs need: NCCL, and a GPU each. tests/emulator/test_nccl.py trains with them."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from scratchnet.backends import InputError
from scratchnet.nccl import RanksOnGpus, library, see_own_gpu


def test_without_nccl_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "some_cupy.cuda.nccl", SimpleNamespace(available=False))
    with pytest.raises(InputError, match="needs NCCL, which is not installed: pip install nvidia"):
        library(SimpleNamespace(__name__="some_cupy"))


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"])
@pytest.mark.parametrize("visible, own", [(None, "1"), ("", ""), ("4,7", "7"), ("4", "4")])
def test_a_rank_sees_the_gpu_of_its_number(
    name: str, visible: str | None, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setenv(name, "1")
    for _ in range(2):
        see_own_gpu()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == own


@pytest.mark.parametrize("fails", ["getDeviceProperties", "get_unique_id", "NcclCommunicator"])
def test_what_fails_while_nccl_starts_ends_all_ranks(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    class Intracomm:
        def Get_rank(self) -> int:
            return 0

        def Get_size(self) -> int:
            return 2

        def allgather(self, value: Any) -> list[Any]:
            is_gpu = isinstance(value, tuple)
            return [value, ("another machine", value[1]) if is_gpu else value]

        def Abort(self, status: int) -> None:
            ended.append(status)
            raise SystemExit(status)

    def work(name: str) -> Any:
        def call(*arguments: Any) -> Any:
            if name == fails:
                raise RuntimeError("NCCL_ERROR_SYSTEM_ERROR: unhandled system error")
            return {"uuid": b"one"}

        return call

    mpi = SimpleNamespace(Intracomm=Intracomm, COMM_NULL=None, IN_PLACE=None)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)
    stand_in = SimpleNamespace(
        available=True, NCCL_SUM=0, NCCL_FLOAT32=7, NCCL_FLOAT64=8,
        get_unique_id=work("get_unique_id"), NcclCommunicator=work("NcclCommunicator"),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "some_cupy.cuda.nccl", stand_in)
    runtime = SimpleNamespace(getDeviceProperties=work("getDeviceProperties"))
    cuda = SimpleNamespace(runtime=runtime, Device=lambda: SimpleNamespace(id=0))
    with pytest.raises(SystemExit):
        RanksOnGpus(Intracomm(), SimpleNamespace(__name__="some_cupy", cuda=cuda))
    assert ended == [1]
