"""`scratchnet xor-tree`: parity as a tree of XOR gates."""
