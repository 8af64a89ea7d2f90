"""Which BLAS computes NumPy's products: its kernel, its threads, and the processor beneath.

BLAS picks a kernel, code written for one kind of processor, when it is loaded. Kernel and threads
decide how fast a product is and in which order its sums are added, and so its last bits.
"""

from __future__ import annotations

import os
import platform
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

VECTORS = {
    "x86": {
        "sse2": (
            "generic prescott core2 penryn dunnington nehalem athlon opteron opteron_sse3 "
            "barcelona bobcat atom nano northwood katmai coppermine banias"
        ),
        "avx": "sandybridge bulldozer piledriver steamroller",
        "avx2": "haswell zen zen2 zen3 excavator",
        "avx512f": "skylakex cooperlake sapphirerapids skx knl zen4 zen5",
    },
    "arm": {
        "asimd": (
            "generic armv8 cortexa53 cortexa55 cortexa57 cortexa72 cortexa73 cortexa76 falkor "
            "thunderx thunderx2 thunderx2t99 thunderx3t110 tsv110 emag8180 ft2000 neoversen1"
        ),
        "sve": "armv8sve armsve neoversev1 neoversen2 neoversev2 a64fx",
    },
}
"""Vector instructions, older to newer, each with the kernels of OpenBLAS and BLIS that use them."""

SWITCHES = {
    "openblas": ("OPENBLAS_CORETYPE",),
    "blis": ("BLIS_ARCH_TYPE",),
    "mkl": ("MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE"),
}
"""The environment variables with which a BLAS is told which kernel to use."""

MKL_VALUES = {
    **{"compatible": "sse2", "sse": "sse2", "ssse": "sse2", "0": "sse2", "1": "sse2", "2": "sse2"},
    **{"3": "sse2", "avx": "avx", "4": "avx", "avx2": "avx2", "5": "avx2", "avx512": "avx512f"},
}
"""How the values of MKL's variables begin; MKL does not tell which kernel it uses."""


def blas_facts() -> dict[str, str | int]:
    """NumPy's BLAS with its version, its kernel, and its threads; what is not told is `unknown`."""
    library = _library()
    name = f"{library.get('internal_api', 'unknown')} {library.get('version') or ''}".strip()
    return {
        "blas": name,
        "kernel": str(library.get("architecture") or "unknown"),
        "threads": int(library.get("num_threads") or 1),
    }


def forced_older_kernel() -> str | None:
    """One line where an environment variable forces a kernel older than the processor, else None.

    A kernel for shorter vectors than the processor has can take twice the time for a product.
    """
    library, features = _library(), processor_features()
    name = str(library.get("internal_api", ""))
    for vectors in VECTORS.values():
        newest = max((place for place, each in enumerate(vectors) if each in features), default=-1)
        for variable in SWITCHES.get(name, ()):
            if not (value := os.environ.get(variable, "").strip()):
                continue
            kernel = value if name == "mkl" else str(library.get("architecture") or value)
            used = _vectors_of(kernel, vectors, name)
            if used is not None and list(vectors).index(used) < newest:
                return (
                    f"{variable}={value} forces an older kernel of {name} ({kernel}, {used}) than "
                    f"the processor has ({list(vectors)[newest]}): products are slower than they "
                    f"must be; unset {variable}"
                )
    return None


def warn_of_forced_kernel() -> None:
    """Warn, in one line, where an environment variable forces an older kernel."""
    if forced := forced_older_kernel():
        warnings.warn(forced, RuntimeWarning, stacklevel=2)


def _vectors_of(kernel: str, vectors: dict[str, str], library: str) -> str | None:
    """The vector instructions that a kernel uses, of these; None for an unknown kernel."""
    kernel = kernel.casefold()
    if library == "mkl":
        beginnings = [each for each in MKL_VALUES if kernel.startswith(each)]
        used = MKL_VALUES[max(beginnings, key=len)] if beginnings else None
        return used if used in vectors else None
    return next((name for name, kernels in vectors.items() if kernel in kernels.split()), None)


def _library() -> dict[str, Any]:
    """What threadpoolctl says of NumPy's BLAS, or else the name and version NumPy was built with.

    A report is no reason to stop: whatever goes wrong here leaves the facts unknown.
    """
    try:
        from threadpoolctl import threadpool_info

        found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        # SciPy brings a BLAS of its own; the arithmetic here is done by NumPy's, which lies in its
        # package or beside it, in numpy.libs.
        package = os.path.realpath(Path(np.__file__).parent)
        found.sort(key=lambda pool: not os.path.realpath(pool["filepath"]).startswith(package))
        if found:
            return dict(found[0])
    except Exception:
        pass
    try:
        built: Any = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        name = str(built["name"])
        known = next((each for each in SWITCHES if each in name.casefold()), name)
        return {"internal_api": known, "version": built.get("version")}
    except Exception:
        return {}


@cache
def processor_name() -> str:
    """Such as `AMD EPYC 9R14`."""
    found = _of_cpuinfo("model name") or _of_sysctl("machdep.cpu.brand_string")
    return found or platform.processor() or platform.machine()


@cache
def processor_features() -> frozenset[str]:
    """The processor's instructions in Linux's words, such as `avx2`; empty where unknown."""
    found = _of_cpuinfo("flags") or _of_cpuinfo("Features")
    found = found or _of_sysctl("machdep.cpu.features", "machdep.cpu.leaf7_features")
    return frozenset("avx" if each == "avx1.0" else each for each in found.casefold().split())


def _of_cpuinfo(key: str) -> str:
    """The first processor's entry in what Linux knows of it, or nothing."""
    try:
        with open("/proc/cpuinfo") as information:
            for line in information:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def _of_sysctl(*names: str) -> str:
    """What macOS answers to these names, or nothing."""
    if platform.system() != "Darwin":
        return ""
    command = ["sysctl", "-n", *names]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
