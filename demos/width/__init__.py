"""`scratchnet width`: one budget of parameters, spent on depth or on width."""

SUMMARY = "The same parameters, deep or wide: where depth wins."
PLACE = 120
