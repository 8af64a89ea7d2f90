"""`scratchnet playground`: the engine in the browser, with exact regions while it learns."""

SUMMARY = "Train in the browser, and watch the linear regions form."
PLACE = 7
