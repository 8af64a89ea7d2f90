"""`scratchnet regions`: linear regions, counted exactly and drawn."""
