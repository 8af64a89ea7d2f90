"""Exercises: write the engine yourself, with a checker that names the mistake."""

SUMMARY = "Write the engine yourself: about thirty exercises, and a checker that names the mistake."
PLACE = 6
