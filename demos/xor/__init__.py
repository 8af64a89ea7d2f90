SUMMARY = "What one neuron cannot compute and a hidden layer learns."
PLACE = 10
