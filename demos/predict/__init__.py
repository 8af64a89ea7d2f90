SUMMARY = "What a network of train says of new rows."
PLACE = 175
