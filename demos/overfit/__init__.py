"""`scratchnet overfit`: what do large networks make of a few noisy points?"""

SUMMARY = "A few noisy points: depth, width, and what is said to help."
PLACE = 125
