"""What a saved network says of new rows."""

SUMMARY = "What a network of train says of new rows."
PLACE = 175
