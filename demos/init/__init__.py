"""`scratchnet init`: initial weights, and the size of signals and gradients through depth."""

SUMMARY = "How large initial weights must be, and what else happens."
PLACE = 80
