"""What ranks on GPUs need: NCCL, and a GPU each. tests/emulator/test_nccl.py trains with them."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from scratchnet.backends import InputError
from scratchnet.nccl import library, see_own_gpu


def test_without_nccl_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "some_cupy.cuda.nccl", SimpleNamespace(available=False))
    with pytest.raises(InputError, match="needs NCCL, which is not installed: pip install nvidia"):
        library(SimpleNamespace(__name__="some_cupy"))


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"])
@pytest.mark.parametrize("visible, own", [(None, "1"), ("", ""), ("4,7", "7"), ("4", "")])
def test_a_rank_sees_the_gpu_of_its_number(
    name: str, visible: str | None, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setenv(name, "1")
    see_own_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == own
