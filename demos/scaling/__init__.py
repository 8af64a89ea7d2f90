SUMMARY = "Loss against size, data and compute; published laws."
PLACE = 130
