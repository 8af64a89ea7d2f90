"""`scratchnet xor`: what one neuron cannot compute and three can."""
