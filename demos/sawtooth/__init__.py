"""`scratchnet sawtooth`: folds that double the pieces of a function."""
