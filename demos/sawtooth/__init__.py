SUMMARY = "Folding a line: every layer doubles the number of pieces."
PLACE = 40
