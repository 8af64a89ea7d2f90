"""`scratchnet backprop`: one forward and one backward pass, node by node."""

SUMMARY = "A pass through a tiny network and back, node by node."
PLACE = 0
