SUMMARY = "A few noisy points: depth, width, and what is said to help."
PLACE = 125
