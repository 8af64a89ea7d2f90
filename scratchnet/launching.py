"""Starting several processes that find each other over MPI."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from scratchnet.backends import InputError
from scratchnet.extras import require

SETTINGS = {
    # Open MPI as such refuses the superuser, and more processes than processors.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    # Each rank is a process: threads of BLAS would contend with the other ranks.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def launched(ranks: int, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command and the environment for so many processes of this Python with these arguments.

    An exception in one of them ends all, by mpi4py's own runner. Raises `InputError` without
    mpi4py or `mpiexec`.
    """
    require("mpi4py", "mpi4py", "mpi", f"training on {ranks} ranks")
    beside = Path(sys.executable).parent
    mpiexec = shutil.which("mpiexec", path=str(beside)) or shutil.which("mpiexec")
    if mpiexec is None:
        raise InputError(
            f"training on {ranks} ranks needs the program mpiexec: pip install -e '.[mpi]'"
        )
    python = [sys.executable, "-m", "mpi4py", *arguments]
    environment = {name: os.environ.get(name, value) for name, value in SETTINGS.items()}
    return [mpiexec, "-n", str(ranks), *python], {**os.environ, **environment}
