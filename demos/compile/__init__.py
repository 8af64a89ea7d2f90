SUMMARY = "A training step compiled: its calls, phases and source."
PLACE = 165
