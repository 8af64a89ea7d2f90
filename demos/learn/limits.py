"""What a check of a learner's code may use."""

SECONDS = 10
BYTES_OF_MEMORY = 2 * 2**30
BYTES_WRITTEN = 2**20
"""Of each file, and of what is printed."""
