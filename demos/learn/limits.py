"""What a check of a learner's code may use."""

SECONDS = 10
SECONDS_OF_SEARCH = 5
"""For the search of a reason for wrong numbers, behind the check."""
BYTES_OF_MEMORY = 2 * 2**30
BYTES_WRITTEN = 2**20
"""Of each file, and of what is printed."""
