"""`scratchnet init`: initial weights, and the size of signals and gradients through depth."""
