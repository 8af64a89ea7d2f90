"""`scratchnet backprop`: one forward and one backward pass, node by node."""
