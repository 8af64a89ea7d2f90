SUMMARY = "Sparse networks that learn: lottery tickets and controls."
PLACE = 140
