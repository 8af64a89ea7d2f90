"""On GPUs there is one worker for each device that CUDA lets this process see.

A worker's process sees one device alone, by `CUDA_VISIBLE_DEVICES`, which CUDA reads when CuPy is
first used there. So `--workers` sets it in the environment of each process that it starts; workers
of another scheduler are told to have it, and are refused where two of them share a device.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

from scratchnet.backends.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def environments(backend: str, workers: int) -> list[dict[str, str]]:
    """Variables of each worker's process. Raises `InputError` for more workers than devices."""
    if backend == "numpy":
        return [{} for _ in range(workers)]
    devices = visible_devices()
    if workers > len(devices):
        raise InputError(
            f"--workers {workers}: must be at most {len(devices)}, one for each GPU that CUDA sees"
        )
    return [{VISIBLE: device} for device in devices[:workers]]


def visible_devices() -> list[str]:
    """The devices that CUDA sees from here, as `CUDA_VISIBLE_DEVICES` names them."""
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    listed = os.environ.get(VISIBLE)
    # Behind the first name that is no device CUDA reads none.
    names = map(str, range(count)) if listed is None else listed.split(",")
    return [name.strip() for name in names][:count]


def device_here() -> str:
    """The machine and the GPU on which this process computes, as no other GPU is named."""
    import cupy

    runtime, device = cupy.cuda.runtime, cupy.cuda.Device().id
    uuid = runtime.getDeviceProperties(device).get("uuid", b"")
    return f"{runtime.deviceGetPCIBusId(device)} {uuid.hex()} of {platform.node()}"


def free_memory_here() -> int:
    """Bytes that the GPU of this process can give."""
    import cupy

    return int(cupy.cuda.runtime.memGetInfo()[0])


def check_devices(there: Mapping[str, str]) -> None:
    """Raise `InputError` where two workers compute on one device."""
    owners: dict[str, str] = {}
    for worker, device in sorted(there.items()):
        other = owners.setdefault(device, worker)
        if other != worker:
            raise InputError(
                f"workers {other} and {worker} share GPU {device}: must have one each, as of "
                f"`{VISIBLE}=0 dask worker --nthreads 1`"
            )
