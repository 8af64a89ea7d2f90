SUMMARY = "303 claims of five texts about depth, and what was found."
PLACE = 200
