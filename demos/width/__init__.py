SUMMARY = "The same parameters, deep or wide: where depth wins."
PLACE = 120
