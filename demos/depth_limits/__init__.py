SUMMARY = "Up to 64 layers: where depth hurts, and what cures it."
PLACE = 90
