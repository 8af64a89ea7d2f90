"""`scratchnet width`: one budget of parameters, spent on depth or on width."""
