"""Settings for all tests."""

from hypothesis import settings

# No deadline: it is a clock, and a busy machine would fail a right answer.
settings.register_profile("scratchnet", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("scratchnet")
