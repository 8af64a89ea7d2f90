"""`scratchnet compile`: what a compiler makes of a training step."""

SUMMARY = "A training step compiled: its calls, phases and source."
PLACE = 165
