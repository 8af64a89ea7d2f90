"""`scratchnet depth-limits`: where more layers hurt the training itself, and what helps."""
