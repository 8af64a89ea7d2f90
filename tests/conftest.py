"""Settings for all tests."""

from functools import wraps

from hypothesis import settings

import scratchnet.backends

# No deadline: it is a clock, and a busy machine would fail a right answer.
settings.register_profile("scratchnet", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("scratchnet")


@wraps(scratchnet.backends._automatic)
def _numpy() -> str:
    """What tests compute with: they read arrays as NumPy's. tests/backends asks for others."""
    return "numpy"


scratchnet.backends._automatic = _numpy
