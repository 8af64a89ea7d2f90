"""`scratchnet depth-limits`: where more layers hurt the training itself, and what helps."""

SUMMARY = "Up to 64 layers: where depth hurts, and what cures it."
PLACE = 90
