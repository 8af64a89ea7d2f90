"""Exercises: write the engine yourself, with a checker that names the mistake."""

SUMMARY = "Exercises: write the engine, and be told which mistake."
PLACE = 6
