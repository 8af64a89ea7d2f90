"""`scratchnet regions`: linear regions, counted exactly and drawn."""

SUMMARY = "Linear regions, counted and drawn while networks train."
PLACE = 50
