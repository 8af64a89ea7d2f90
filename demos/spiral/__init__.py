SUMMARY = "Networks of several depths on spirals: where depth helps."
PLACE = 15
