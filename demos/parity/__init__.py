"""`scratchnet parity`: five circuits for parity, and what learns it."""

SUMMARY = "Five circuits for parity side by side; what learns it."
PLACE = 30
