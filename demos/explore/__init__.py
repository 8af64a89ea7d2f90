"""`scratchnet explore`: several depths on data from easy to hard, and what their layers learn."""
