"""One suite for all backends. Those that do not work here are skipped, with the reason."""

from itertools import product
from typing import Any

import pytest

from scratchnet.backends import PRECISIONS, Backend, available_backends, get_backend

WHY_NOT = available_backends()


def named(name: str, *settings: str) -> Any:
    """A test's parameter for that backend, skipped where it does not work."""
    skip = pytest.mark.skip(reason=f"{name}: {WHY_NOT[name]}")
    return pytest.param(
        (name, *settings), marks=[skip] * bool(WHY_NOT[name]), id="-".join((name, *settings))
    )


@pytest.fixture(scope="module", params=[named(name) for name in WHY_NOT])
def backend(request: pytest.FixtureRequest) -> Backend:
    return get_backend(*request.param)


@pytest.fixture(scope="module", params=[named(*pair) for pair in product(WHY_NOT, PRECISIONS)])
def precise_backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in each precision."""
    return get_backend(*request.param)


@pytest.fixture(scope="module", params=[named("cupy")])
def cuda(request: pytest.FixtureRequest) -> Any:
    """The CUDA backend; what is particular to it cannot be tested elsewhere."""
    return get_backend(*request.param)
