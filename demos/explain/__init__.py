SUMMARY = "What a term means: sentences, formula, place in the source."
PLACE = 190
