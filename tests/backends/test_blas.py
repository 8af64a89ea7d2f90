"""What is told of NumPy's BLAS, and when a forced kernel is warned of; all machines are made up."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import get_backend
from scratchnet.backends import blas

AVX2 = frozenset({"sse2", "avx", "avx2"})
AVX512 = AVX2 | {"avx512f"}
OLDER = "forces an older kernel"


@pytest.fixture(autouse=True)
def no_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in blas.SWITCHES.values():
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)


def pool(**changes: Any) -> dict[str, Any]:
    """What threadpoolctl says of an OpenBLAS beside NumPy."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    facts = {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31"}
    more = {"num_threads": 2, "architecture": "SkylakeX", "filepath": str(folder / "blas.so")}
    return facts | more | changes


def pretend(monkeypatch: pytest.MonkeyPatch, features: Any, *pools: dict[str, Any]) -> None:
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: list(pools))
    monkeypatch.setattr(blas, "processor_features", lambda: frozenset(features))


def test_the_device_has_numpys_blas_its_kernel_and_its_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SciPy's comes first in the list, in a folder whose name has numpy in it."""
    scipys = pool(filepath="/opt/numpy/scipy.libs/blas.so", architecture="Zen", num_threads=5)
    pretend(monkeypatch, AVX512, pool(user_api="openmp"), scipys, pool())
    facts = get_backend("numpy").device_info()
    assert (facts["blas"], facts["kernel"], facts["threads"]) == ("openblas 0.3.31", "SkylakeX", 2)
    assert facts["device"] == blas.processor_name() != ""


def failing() -> Any:
    raise OSError("no such library")


@pytest.mark.parametrize("how", ["missing", "failing", "strange", "nothing loaded"])
def test_without_threadpoolctl_the_device_is_still_told(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "missing":
        monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    else:
        answers = {"failing": failing, "strange": lambda: [{"version": 1}], "nothing loaded": list}
        monkeypatch.setattr("threadpoolctl.threadpool_info", answers[how])
    facts = get_backend("numpy").device_info()
    assert facts["kernel"] == "unknown" and facts["threads"] == 1 and facts["blas"]
    assert blas.forced_older_kernel() is None
    monkeypatch.setattr(np, "show_config", failing)
    assert get_backend("numpy").device_info()["blas"] == "unknown"


@pytest.mark.parametrize(
    ("variable", "value", "features", "changes", "named"),
    [
        ("OPENBLAS_CORETYPE", "Haswell", AVX512, {"architecture": "Haswell"}, "Haswell, avx2"),
        ("OPENBLAS_CORETYPE", "zen", AVX512, {"architecture": "Zen"}, "Zen, avx2"),
        ("OPENBLAS_CORETYPE", "HASWELL", AVX512, {"architecture": None}, "HASWELL, avx2"),
        ("OPENBLAS_CORETYPE", "Nehalem", AVX2, {"architecture": "Nehalem"}, "Nehalem, sse2"),
        ("OPENBLAS_CORETYPE", "Prescott", AVX512, {"architecture": "Prescott"}, "Prescott"),
        ("OPENBLAS_CORETYPE", "SANDYBRIDGE", AVX2, {"architecture": "Sandybridge"}, "avx)"),
        (
            "OPENBLAS_CORETYPE",
            "ARMV8",
            {"asimd", "sve"},
            {"architecture": "armv8"},
            "(armv8, asimd)",
        ),
        (
            "BLIS_ARCH_TYPE",
            "3",
            AVX512,
            {"internal_api": "blis", "architecture": "haswell"},
            "haswell, avx2",
        ),
        (
            "BLIS_ARCH_TYPE",
            "zen2",
            AVX512,
            {"internal_api": "blis", "architecture": None},
            "zen2, avx2",
        ),
        ("MKL_ENABLE_INSTRUCTIONS", "AVX2", AVX512, {"internal_api": "mkl"}, "AVX2, avx2"),
        ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2", AVX2, {"internal_api": "mkl"}, "SSE4_2, sse2"),
        ("MKL_CBWR", "AVX,STRICT", AVX2, {"internal_api": "mkl"}, "avx)"),
        ("MKL_CBWR", "COMPATIBLE", AVX2, {"internal_api": "mkl"}, "sse2"),
        ("MKL_DEBUG_CPU_TYPE", "5", AVX512, {"internal_api": "mkl"}, "5, avx2"),
    ],
)
def test_a_kernel_older_than_the_processor_is_named(
    variable: str,
    value: str,
    features: Any,
    changes: dict[str, Any],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, features, pool(**changes))
    assert blas.forced_older_kernel() is None
    monkeypatch.setenv(variable, value)
    line = blas.forced_older_kernel() or ""
    assert f"{variable}={value} {OLDER}" in line and named in line and line.isprintable()
    with pytest.warns(RuntimeWarning, match=OLDER):
        blas.warn_of_forced_kernel()


@pytest.mark.parametrize(
    ("variable", "value", "features", "changes"),
    [
        ("OPENBLAS_CORETYPE", "SkylakeX", AVX512, {}),
        ("OPENBLAS_CORETYPE", "Haswell", AVX2, {"architecture": "Haswell"}),
        # OpenBLAS goes on with its own choice where it does not know the name.
        ("OPENBLAS_CORETYPE", "nonsense", AVX512, {"architecture": "Cooperlake"}),
        ("OPENBLAS_CORETYPE", "Haswell", frozenset(), {"architecture": "Haswell"}),
        ("OPENBLAS_CORETYPE", "", AVX512, {"architecture": "Haswell"}),
        ("OPENBLAS_CORETYPE", "Haswell", AVX512, {"architecture": "an unknown one"}),
        ("OPENBLAS_CORETYPE", "Haswell", AVX512, {"internal_api": "mkl"}),
        ("MKL_ENABLE_INSTRUCTIONS", "AVX2", AVX512, {"architecture": "Haswell"}),
        ("MKL_ENABLE_INSTRUCTIONS", "AVX512", AVX512, {"internal_api": "mkl"}),
        ("MKL_CBWR", "AUTO", AVX512, {"internal_api": "mkl"}),
        ("BLIS_ARCH_TYPE", "0", AVX512, {"internal_api": "blis", "architecture": "skx"}),
    ],
)
def test_no_word_of_a_kernel_that_is_as_new_or_of_another_library(
    variable: str,
    value: str,
    features: Any,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, features, pool(**changes))
    monkeypatch.setenv(variable, value)
    assert blas.forced_older_kernel() is None


def test_the_processor_as_linux_and_macos_tell_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, str] = {}
    monkeypatch.setattr(blas, "_of_cpuinfo", lambda key: told.get(key, ""))
    monkeypatch.setattr(blas, "_of_sysctl", lambda *names: told.get(names[-1], ""))
    features, name = blas.processor_features.__wrapped__, blas.processor_name.__wrapped__
    assert features() == frozenset() and isinstance(name(), str)
    told |= {"machdep.cpu.leaf7_features": "FPU AVX1.0\nAVX2 AVX512F\n"}
    told |= {"machdep.cpu.brand_string": "Apple M1"}
    assert {"avx", "avx2", "avx512f"} <= features() and name() == "Apple M1"
    told |= {"Features": "fp asimd sve", "model name": "a processor"}
    assert features() == {"fp", "asimd", "sve"} and name() == "a processor"
    told |= {"flags": "sse2 avx"}
    assert features() == {"sse2", "avx"}


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="Linux only")
def test_an_entry_of_cpuinfo_is_found_by_its_whole_name() -> None:
    assert blas._of_cpuinfo("processor") == "0"
    assert blas._of_cpuinfo("process") == blas._of_cpuinfo("no such thing") == ""
