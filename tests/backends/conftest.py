"""One suite for all backends. Those that do not work here are skipped, with the reason.

Where there is a C++ compiler, the code of the CUDA backend also runs on the host, without CUDA.
"""

from itertools import product
from typing import Any

import pytest
from host_kernels import COMPILER, HostCupyBackend

from scratchnet.backends import PRECISIONS, Backend, available_backends, get_backend

HOST = "cupy on the host"
WHY_NOT = {**available_backends(), HOST: None if COMPILER else "there is no C++ compiler"}


def named(name: str, precision: str = "fp32") -> Any:
    """A test's parameter for that backend, skipped where it does not work."""
    skip = pytest.mark.skip(reason=f"{name}: {WHY_NOT[name]}")
    return pytest.param(
        (name, precision), marks=[skip] * bool(WHY_NOT[name]), id=f"{name}-{precision}"
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The backend of a name and a precision."""
    folder = tmp_path_factory.mktemp("kernels")
    on_host: dict[str, Backend] = {}

    def make(name: str, precision: str) -> Backend:
        if name != HOST:
            return get_backend(name, precision)
        if precision not in on_host:
            on_host[precision] = HostCupyBackend(folder, precision)
        return on_host[precision]

    return make


@pytest.fixture(scope="module", params=[named(name) for name in WHY_NOT])
def backend(request: pytest.FixtureRequest, made: Any) -> Any:
    return made(*request.param)


@pytest.fixture(scope="module", params=[named(*pair) for pair in product(WHY_NOT, PRECISIONS)])
def precise_backend(request: pytest.FixtureRequest, made: Any) -> Any:
    """Each backend in each precision."""
    return made(*request.param)


ROUNDING = [precision for precision in PRECISIONS if precision != "fp32"]


@pytest.fixture(scope="module", params=[named(*pair) for pair in product(WHY_NOT, ROUNDING)])
def rounding_backend(request: pytest.FixtureRequest, made: Any) -> Any:
    """Each backend in each precision that rounds the operands of products."""
    return made(*request.param)


@pytest.fixture(scope="module", params=[named("cupy")])
def cuda(request: pytest.FixtureRequest) -> Any:
    """The CUDA backend; what is particular to it cannot be tested elsewhere."""
    return get_backend(*request.param)
