"""Training by several processes on GPUs, one on each: sums by NVIDIA's NCCL.

MPI starts the ranks and carries what is small or rare: settings, the initial numbers, NCCL's id.
The sums inside a step go from GPU to GPU on CuPy's current stream, so that a captured step holds
them. No GPU has run this yet: it was tested on an emulated device with a stand-in for NCCL.
"""

from __future__ import annotations

import importlib
import os
import platform
import warnings
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.parallel import Ranks

LOCAL_RANK = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID")
"""Where Open MPI and MPICH say which of its machine's ranks a process is."""


def see_own_gpu() -> None:
    """Let this process see one of its machine's GPUs only, by its number among the ranks there.

    It must be called before CuPy is imported, and does nothing outside of mpiexec, or where the
    process sees a single GPU already, by an earlier call or by a scheduler's choice.
    """
    rank = next((os.environ[name] for name in LOCAL_RANK if name in os.environ), None)
    if rank is None:
        return
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = [] if given is None else given.split(",")
    if len(visible) == 1:
        return
    own = visible[int(rank)] if int(rank) < len(visible) else ""
    os.environ["CUDA_VISIBLE_DEVICES"] = rank if given is None else own


def library(xp: Any) -> Any:
    """CuPy's module of NCCL. Raises `InputError` where NCCL is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's own, in several lines
        nccl = importlib.import_module(f"{xp.__name__}.cuda.nccl")
    if not nccl.available:
        raise InputError(
            "a communicator with a model on cupy needs NCCL, which is not installed: "
            "pip install nvidia-nccl-cu13, or -cu12 for CUDA 12"
        )
    return nccl


class RanksOnGpus(Ranks):
    """`Ranks` whose arrays are on a GPU, another one for each rank."""

    def __init__(self, communicator: Any, xp: Any) -> None:
        """Raises `InputError` on all ranks where one has no NCCL, or two have one GPU.

        What else fails, as NCCL's start, ends all ranks.
        """
        super().__init__(communicator)
        self._xp = xp
        with self.ending_together():
            self._begin(xp)

    def _begin(self, xp: Any) -> None:
        """Check the GPUs and start NCCL."""
        with self.agreeing():
            nccl = library(xp)
        properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.Device().id)
        gpus = self.gathered((platform.node(), properties["uuid"]))
        for rank, gpu in enumerate(gpus):
            if (first := gpus.index(gpu)) < rank:
                self.refuse(
                    f"ranks {first} and {rank} are on one GPU of {gpu[0]}: each must have its "
                    "own, as by scratchnet.nccl.see_own_gpu() before all else"
                )
        self._sum = nccl.NCCL_SUM
        self._kinds = {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}
        name = self.gathered(nccl.get_unique_id() if self.rank == 0 else None)[0]
        self._nccl = nccl.NcclCommunicator(self.size, name, self.rank)

    def send_from_first(self, array: Array) -> None:
        """array <- that of rank 0; over MPI, by way of the host."""
        if isinstance(array, np.ndarray):
            super().send_from_first(array)
            return
        numbers = self._xp.asnumpy(array)
        super().send_from_first(numbers)
        array[...] = self._xp.asarray(numbers)

    def _summed(self, array: Array) -> Array:
        """In place, once the stream comes to it: the host does not wait."""
        place, stream = array.data.ptr, self._xp.cuda.get_current_stream().ptr
        kind = self._kinds[str(array.dtype)]
        self._nccl.allReduce(place, place, array.size, kind, self._sum, stream)
        return array

    def close(self) -> None:
        self._xp.cuda.get_current_stream().synchronize()
        self._nccl.destroy()
