SUMMARY = "What each layer of a deep network makes of its inputs."
PLACE = 110
