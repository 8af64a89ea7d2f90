SUMMARY = "A pass through a tiny network and back, node by node."
PLACE = 0
