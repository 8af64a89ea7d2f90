"""`scratchnet lottery`: sparse networks that learn, and what they need for it."""

SUMMARY = "Sparse networks that learn: lottery tickets and controls."
PLACE = 140
