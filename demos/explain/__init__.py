"""The glossary: terms of the field, where the engine computes them, and what shows them."""

SUMMARY = "What a term means: sentences, formula, place in the source."
PLACE = 190
