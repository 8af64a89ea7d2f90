"""`scratchnet xor`: what one neuron cannot compute and a hidden layer can."""

SUMMARY = "What one neuron cannot compute and a hidden layer learns."
PLACE = 10
