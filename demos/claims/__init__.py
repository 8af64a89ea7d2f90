SUMMARY = "303 claims of five texts about depth, and what holds."
PLACE = 200
