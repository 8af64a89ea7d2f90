"""`scratchnet parity`: five circuits for parity, and what learns it."""
