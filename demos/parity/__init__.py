SUMMARY = "Five circuits for parity side by side; what learns it."
PLACE = 30
