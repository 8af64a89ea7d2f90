"""`scratchnet fractal`: what depth can represent of a fractal, and what it learns of it."""
