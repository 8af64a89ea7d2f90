"""A tour of the engine: predict, run, and read the lines that did it."""

SUMMARY = "Ten screens: predict, run, read the lines that did it."
PLACE = 5
