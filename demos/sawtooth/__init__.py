"""`scratchnet sawtooth`: folds that double the pieces of a function with every layer."""

SUMMARY = "Folding a line: every layer doubles the number of pieces."
PLACE = 40
