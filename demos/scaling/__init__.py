"""`scratchnet scaling`: how test loss falls with parameters, data and compute."""

SUMMARY = "Loss against size, data and compute; published laws."
PLACE = 130
