"""A worker's process computes on the one device that it is given: needs the extra 'cluster'."""

import os
import sys
from typing import Any

import numpy as np
import pytest

if "cupy_on_cpu" not in sys.modules:
    pytest.skip("runs on the emulated device: tests/emulator/run", allow_module_level=True)

from scratchnet.backends import InputError
from scratchnet.demos.cluster import devices
from scratchnet.demos.cluster.starting import opened
from scratchnet.demos.compiling import Mode
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.running import Run
from scratchnet.demos.xor.experiment import experiment as xor

SMALL: dict[str, Any] = {"backend": "cupy", "seeds": 2, "epochs": 5}


def test_a_worker_trains_on_its_device_what_this_process_does() -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    import dask

    with (
        dask.config.set({"distributed.worker.preload": ["cupy_on_cpu"]}),
        opened(quick_settings(xor, workers=1, **SMALL), Mode(False), 1.0, print) as cluster,
    ):
        assert cluster is not None and cluster.expected["device"] == "Emulated H100"
        assert {"cupy", "cuda_driver", "cuda_runtime"} <= set(cluster.expected)
        assert list(cluster.client.run(os.getenv, devices.VISIBLE).values()) == ["0"]
        run = Run(quick_settings(xor, **SMALL), xor.name, cluster=cluster)
        xor.run(run)
    alone = run_small(xor, **SMALL)
    for one, other in zip(run.result.rows, alone.rows, strict=True):
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-5)


def test_there_is_one_worker_for_each_device() -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    asked = quick_settings(xor, workers=2, **SMALL)
    with (
        pytest.raises(InputError, match="--workers 2: must be at most 1, one for each GPU"),
        opened(asked, Mode(False), 1.0, print),
    ):
        pass
