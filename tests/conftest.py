"""Settings for all tests."""

import gc
from collections.abc import Iterator
from functools import wraps

import pytest
from hypothesis import Phase, settings
from threadpoolctl import threadpool_limits

import scratchnet.backends
from scratchnet import gradcheck
from scratchnet.demos.bench import timing

# No deadline: it is a clock, and a busy machine would fail a right answer.
settings.register_profile("scratchnet", deadline=None, max_examples=50, print_blob=True)
# For .ci/run: the same examples on every run. Without the option `--hypothesis-profile`, each run
# of `pytest` draws anew.
settings.register_profile(
    "derandomized", settings.get_profile("scratchnet"), derandomize=True, database=None
)
# For tests/campaigns: besides, no search for the smallest example that fails.
settings.register_profile(
    "campaign",
    settings.get_profile("derandomized"),
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("scratchnet")


@wraps(scratchnet.backends._automatic)
def _numpy() -> str:
    """What tests compute with: they read arrays as NumPy's. tests/backends asks for others."""
    return "numpy"


scratchnet.backends._automatic = _numpy


def pytest_collection_finish(session: pytest.Session) -> None:
    """What collecting the tests made stays to the end: no search for garbage looks at it again.

    With `-n`, several processes share the cores, of which BLAS would take all in each.
    """
    gc.collect()
    gc.freeze()
    if hasattr(session.config, "workerinput"):
        threadpool_limits(1, "blas")


@pytest.fixture(scope="module")
def short_turns() -> Iterator[None]:
    """A turn is one call or a few, for tests that look at everything but the times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "SECONDS_PER_TURN", 1e-5)
        patch.setattr(timing.calls_per_turn, "__defaults__", (1e-5,))
        yield


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of which gradients are refused: what explains one takes longer than refusing it."""
    monkeypatch.setattr(gradcheck, "diagnosis", lambda *_: "")
