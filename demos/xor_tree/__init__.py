SUMMARY = "Parity as a tree of XOR gates: drawn, run on all inputs."
PLACE = 20
